"""What a tool may know of the session that calls it, and do to it."""

import threading
from typing import Annotated, Any

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from streamd import Message, Session, Stop, ToolCall, ToolContext, ToolError, ToolResult, open_session, tool
from tests.support.chat import DONE, answer, call, finish, text
from tests.support.leaks import no_leaks
from tests.support.server import Script, chunked
from tests.support.sessions import chat_model, scripted_network, scripted_session

FINAL: Script = [chunked(answer("Done."))]


def calls(*each: bytes) -> Script:
    """A turn that ends in tool calls."""
    return [chunked(*each, finish("tool_calls"), DONE)]


def test_the_context_is_no_argument() -> None:
    """The model is told of the other parameters alone, whatever the context's is called and wherever it stands."""

    @tool
    def look(what: str, about: ToolContext, *, deep: bool = False) -> str:
        return ""

    assert list(look.spec.input_schema["properties"]) == ["what", "deep"]
    assert look.bind({"what": "x"}) == {"what": "x", "deep": False}

    @tool
    def described(about: Annotated[ToolContext, "what this is about"]) -> str:
        return ""

    assert described.spec.input_schema["properties"] == {}


def two(one: ToolContext, other: ToolContext) -> str:
    return ""


def optional(about: ToolContext | None) -> str:
    return ""


def several(about: list[ToolContext]) -> str:
    return ""


def defaulted(about: ToolContext = None) -> str:  # type: ignore[assignment]  # the default is the case
    return ""


@pytest.mark.parametrize(
    ("function", "words"),
    [
        (two, "'other' of tool 'two' is a second streamd.ToolContext: 'one' is one already"),
        (optional, "'about' of tool 'optional' is annotated .* annotate it streamd.ToolContext alone"),
        (several, "annotate it streamd.ToolContext alone"),
        (defaulted, "'about' of tool 'defaulted' has a default"),
    ],
)
def test_a_context_is_asked_for_once_and_plainly(function: Any, words: str) -> None:
    """A second context, a default, and a context within another type are refused, with the parameter's name."""
    with pytest.raises(ToolError, match=words):
        tool(function)


async def test_what_a_tool_is_told() -> None:
    """Each call has its own: the call, its round, the session, and the conversation with the calls' own turn."""
    seen: list[tuple[str, int, list[str], Session]] = []

    async def look(what: str, about: ToolContext) -> str:
        assert about.call.arguments == {"what": what}
        assert about.messages[-1].tool_calls[about.call.index] == about.call
        seen.append((about.call.id, about.round, [m.role for m in about.messages], about.session))
        return what

    first = calls(call("look", '{"what":"a"}', "a"), call("look", '{"what":"b"}', "b", 1))
    second = calls(call("look", '{"what":"c"}', "c"))
    history = [Message.user("Hi"), Message.assistant("Hello"), Message.user("Look")]
    async with scripted_session(first, second, FINAL, prompt=history, tools=[look]) as session:
        answered = await session.response()
    before = ["user", "assistant", "user", "assistant"]
    assert sorted(each[:3] for each in seen) == [
        ("a", 1, before),
        ("b", 1, before),
        ("c", 2, [*before, "tool", "tool", "assistant"]),
    ]
    assert all(each[3] is session for each in seen)
    assert [message.role for message in answered.messages] == [
        *("user", "assistant", "tool", "tool", "assistant", "tool", "assistant")
    ]


async def test_a_tool_in_a_thread_is_told_the_same() -> None:
    """A plain function reads its context in the thread it runs in, and acts through trio."""
    here = threading.current_thread()
    seen: list[object] = []

    def look(about: ToolContext) -> str:
        seen.append(
            (threading.current_thread() is here, about.round, about.session.status, len(about.messages))
        )
        trio.from_thread.run_sync(about.cancel_scope.cancel)
        return "too late"

    async with scripted_session(calls(call("look", "")), FINAL, tools=[look]) as session:
        await session.response()
        (result,) = session.messages[1].tool_results
    assert seen == [(False, 1, "streaming", 2)]
    assert result == ToolResult("call_1", "look", "Error: the call was cancelled", is_error=True)


async def test_a_call_can_end_itself_alone(autojump_clock: MockClock) -> None:
    """Cancelling its scope ends one call with an error, and neither the others nor the session."""

    async def leave(about: ToolContext) -> str:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(trio.sleep_forever)
            about.cancel_scope.cancel()
        return ""

    async def stay() -> str:
        await trio.sleep(1)
        return "stayed"

    async def answer_first(about: ToolContext) -> str:
        about.cancel_scope.cancel()
        return "a value is a value"

    script = calls(
        *(call(name, "", name, index) for index, name in enumerate(("leave", "stay", "answer_first")))
    )
    async with scripted_session(script, FINAL, tools=[leave, stay, answer_first]) as session:
        answered = await session.response()
        results = [message.tool_results[0] for message in session.messages[1:4]]
    assert [(result.content, result.is_error) for result in results] == [
        ("Error: the call was cancelled", True),
        ("stayed", False),
        ("a value is a value", False),
    ]
    assert answered.text == "Done."


async def test_a_tool_may_move_its_deadline(autojump_clock: MockClock) -> None:
    """A tool that sees progress gives itself more time; the bound still holds after that."""

    async def work(about: ToolContext) -> str:
        await trio.sleep(20)
        about.cancel_scope.deadline += 20
        await trio.sleep(20)
        return "worked"

    async def hang(about: ToolContext) -> str:
        about.cancel_scope.deadline += 20
        await trio.sleep_forever()

    script = calls(call("work", "", "a"), call("hang", "", "b", 1))
    async with scripted_session(script, FINAL, tools=[work, hang], tool_timeout=30) as session:
        await session.response()
        contents = [message.tool_results[0].content for message in session.messages[1:3]]
    assert contents == ["worked", "Error: the tool took longer than 50 s"]
    assert trio.current_time() == pytest.approx(50)


async def test_a_tool_may_cancel_the_session() -> None:
    """The session ends, nothing is left behind, and the calls have results that can be sent back."""

    @tool(effectful=True)
    async def pay(about: ToolContext) -> str:
        await trio.sleep_forever()

    async def quick() -> str:
        return "done"

    async def patient(about: ToolContext) -> str:
        await wait_all_tasks_blocked()
        about.session.cancel()
        await trio.sleep_forever()

    script = calls(
        call("patient", "", "a"), call("pay", "", "b", 1), call("quick", "", "c", 2), call("pay", "", "d", 3)
    )
    async with scripted_network(script) as (network, client), no_leaks():
        async with open_session(
            chat_model(network.url), "Hi", tools=[patient, pay, quick], client=client
        ) as session:
            answered = await session.response()
    assert answered.stop_reason == "cancelled"
    results = [part for message in answered.messages for part in message.tool_results]
    assert [(result.id, result.content) for result in results] == [
        ("a", "Error: the session was cancelled before the tool had answered"),
        (
            "b",
            "Error: the session was cancelled before the tool had answered; whether it took effect is unknown",
        ),
        ("c", "done"),
        ("d", "Error: the session was cancelled before the tool was run"),
    ]


async def test_a_tool_sees_what_the_session_counted() -> None:
    """The session a tool is given is the one its user holds: its statistics, its snapshot, its tree."""
    seen: list[Any] = []

    async def look(about: ToolContext) -> str:
        session = about.session
        seen.append((session.statistics().rounds, session.snapshot.stop_reason, repr(about)))
        return ""

    async with scripted_session(calls(text("Well"), call("look", "")), FINAL, tools=[look]) as session:
        chunks = [chunk async for chunk in session]
    assert seen == [(1, "tool_calls", "<streamd.ToolContext 'look' round 1>")]
    assert [type(c) for c in chunks if isinstance(c, Stop | ToolCall | ToolResult)] == [
        *(ToolCall, Stop, ToolResult, Stop)
    ]
