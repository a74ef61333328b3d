"""Sessions whose answer is a value of a type."""

import itertools
import pickle
from typing import Annotated, Any, Literal

import msgspec
import pytest
from trio.testing import MockClock

from streamd import (
    ConfigError,
    Message,
    OutputError,
    Response,
    Session,
    Stop,
    Text,
    ToolCall,
    ToolResult,
    open_session,
    stream,
    tool,
)
from streamd._output import output_of, unfenced
from streamd.providers import ChatQuirks, OutputSpec, resolve
from tests.support.chat import DONE, answer, call, delta, finish, text, usage
from tests.support.leaks import no_leaks
from tests.support.server import Delay, Network, Script, chunked
from tests.support.sessions import chat_model, read, scripted_network, scripted_session


class Town(msgspec.Struct):
    """What is asked for."""

    name: str
    people: Annotated[int, msgspec.Meta(ge=0)]


OSLO = '{"name": "Oslo", "people": 700000}'
WRONG = '{"name": "Oslo", "people": "many"}'


def says(*words: str, reason: str = "stop") -> Script:
    """A turn of text."""
    return [chunked(*map(text, words), finish(reason), usage(10, 5), DONE)]


def calls(*each: bytes) -> Script:
    """A turn that ends in tool calls."""
    return [chunked(*each, finish("tool_calls"), usage(10, 5), DONE)]


def sent(network: Network, place: int) -> dict[str, Any]:
    """The body of a request."""
    body: dict[str, Any] = msgspec.json.decode(network.requests[place].body)
    return body


def calling_model(url: str) -> Any:
    """A model of a server that is asked for an output by a tool."""
    provider = resolve(chat_model(url)[0])
    return msgspec.structs.replace(provider, quirks=ChatQuirks(output="tool")), "tiny-1"  # type: ignore[type-var]  # it is a Struct


async def asked(*scripts: Script, **options: Any) -> tuple[Response, Network]:
    """The answer of a scripted server that is asked for a town."""
    async with scripted_network(*scripts) as (network, client):
        given = {"output_type": Town, "client": client, **options}
        return await stream(chat_model(network.url), "A town?", **given), network


@tool
async def weather(city: str) -> str:
    """The weather of a city."""
    return f"{city}: rain"


async def test_the_answer_is_a_value() -> None:
    """The output is the value; the text, the messages and the usage are as without it."""
    answered, network = await asked(says(OSLO[:9], OSLO[9:]))
    assert answered.output == Town("Oslo", 700_000)
    assert answered.text == OSLO
    assert [message.role for message in answered.messages] == ["user", "assistant"]
    assert answered.usage.output_tokens == 5
    format_ = sent(network, 0)["response_format"]
    assert format_["json_schema"]["name"] == "answer"
    assert format_["json_schema"]["schema"]["required"] == ["name", "people"]


async def test_without_a_type_there_is_no_output() -> None:
    """A session that asks for no output has none, and no partial one."""
    async with scripted_session(says(OSLO)) as session:
        with pytest.raises(ConfigError, match="output_type"):
            _ = session.partial
        assert (await session.response()).output is None


@pytest.mark.parametrize(
    ("type_", "said", "value"),
    [
        (list[int], '{"value": [1, 2]}', [1, 2]),
        (int, '{"value": 3}', 3),
        (Literal["yes", "no"], '{"value": "no"}', "no"),
        (Town | None, '{"value": null}', None),
        (dict[str, int], '{"a": 1}', {"a": 1}),
    ],
)
async def test_a_value_that_is_no_object_is_taken_out(type_: Any, said: str, value: Any) -> None:
    """What was put into an object for the wire is taken out of it."""
    answered, _ = await asked(says(said), output_type=type_)
    assert answered.output == value


async def test_a_fence_is_tolerated() -> None:
    """JSON in a fence that says so is read; nothing else around it is."""
    answered, _ = await asked(says(f"\n```json\n{OSLO}\n```\n"))
    assert answered.output == Town("Oslo", 700_000)
    for words in (f"```\n{OSLO}\n```", f"Here: {OSLO}", f"```json\n{OSLO}\n``` I hope it helps"):
        with pytest.raises(OutputError, match="malformed"):
            await asked(says(words))


def test_a_fence_inside_is_text() -> None:
    """A fence within the JSON is part of it."""
    assert unfenced('```json\n{"a": "```"}\n```') == '{"a": "```"}'
    assert unfenced('{"a": "```json"}') == '{"a": "```json"}'


async def test_a_mismatch_comes_after_every_chunk() -> None:
    """The chunks were good: the consumer gets all of them, and the error in the place of the end, again and again."""
    async with no_leaks(), scripted_session(says(WRONG), output_type=Town) as session:
        chunks, error = await read(session)
        assert isinstance(chunks[-1], Stop)
        assert isinstance(error, OutputError)
        with pytest.raises(OutputError) as caught:
            await session.response()
    assert caught.value is error
    assert (error.path, error.text, error.stop_reason) == ("$.people", WRONG, "stop")
    assert "Expected `int`, got `str` at `$.people`" in str(error)
    assert error.partial == session.messages[-1]
    assert error.partial is not None
    assert error.partial.text == WRONG
    assert error.usage is not None
    assert error.usage.output_tokens == 5
    assert (error.retryable, error.phase, error.attempt) == (True, "stream", 1)
    assert session.status == "error"
    again = pickle.loads(pickle.dumps(error))
    assert (again.path, again.text, str(again)) == (error.path, error.text, str(error))


async def test_collect_gives_the_messages_before_the_error() -> None:
    """The turn that does not fit is given to the callback before the error is raised."""
    messages: list[Message] = []
    async with scripted_session(says(WRONG), output_type=Town) as session:
        with pytest.raises(OutputError):
            await session.collect(on_message=messages.append)
    assert [message.text for message in messages] == [WRONG]


@pytest.mark.parametrize(
    ("script", "reason", "told"),
    [
        (says(OSLO[:20], reason="length"), "length", "cut at its length limit"),
        (says(OSLO, reason="content_filter"), "content_filter", "filter took the answer away"),
        ([chunked(delta(refusal="I will not."), finish(), DONE)], "refusal", "the model refused"),
        (says(""), "stop", "the answer is empty"),
    ],
)
async def test_an_answer_that_is_none_says_why(script: Script, reason: str, told: str) -> None:
    """A cut, filtered, refused or empty answer is an error that says so, and is not asked for again in vain."""
    with pytest.raises(OutputError, match=told) as caught:
        await asked(script, retries=3 if reason != "stop" else 0)
    assert caught.value.stop_reason == reason
    assert caught.value.attempt == 1
    assert caught.value.retryable is (reason == "stop")


async def test_a_whole_answer_at_the_limit_is_good() -> None:
    """What is whole is taken although the limit was reached after it."""
    answered, _ = await asked(says(OSLO, "\n\n", reason="length"))
    assert answered.output == Town("Oslo", 700_000)


async def test_an_answer_that_does_not_fit_is_asked_for_again() -> None:
    """The conversation goes on with what was wrong; usage is summed, and the stream shows the next turn."""
    async with scripted_network(says(WRONG), says(OSLO)) as (network, client):
        options: dict[str, Any] = {"output_type": Town, "retries": 1, "client": client}
        async with open_session(chat_model(network.url), "A town?", **options) as session:
            messages: list[Message] = []
            chunks: list[Any] = []
            answered = await session.collect(on_chunk=chunks.append, on_message=messages.append)
    assert answered.output == Town("Oslo", 700_000)
    assert answered.usage.output_tokens == 10
    assert [type(chunk) for chunk in chunks if isinstance(chunk, Text | Stop)] == [Text, Stop, Text, Stop]
    assert [message.role for message in messages] == ["assistant", "user", "assistant"]
    assert answered.messages[1:] == tuple(messages)
    said = sent(network, 1)["messages"]
    assert [message["role"] for message in said] == ["system", "user", "assistant", "user"]
    assert said[2]["content"] == WRONG
    assert "Expected `int`, got `str` at `$.people`" in said[3]["content"]
    assert sent(network, 1)["response_format"] == sent(network, 0)["response_format"]
    assert session.statistics().rounds == 2


async def test_retries_are_bounded() -> None:
    """After the last of them, or of the rounds, the error is raised."""
    for options, count in (({"retries": 2}, 3), ({"retries": 5, "max_rounds": 2}, 2)):
        async with scripted_network(says(WRONG)) as (network, client):
            with pytest.raises(OutputError, match="Expected `int`"):
                await stream(chat_model(network.url), "A town?", output_type=Town, client=client, **options)
            assert len(network.requests) == count


async def test_tools_run_in_rounds_and_the_output_comes_last() -> None:
    """A server that is asked by a tool beside others: theirs run, and the answer's is the output."""
    town = call("answer", OSLO, "call_2")
    async with scripted_network(calls(call("weather", '{"city":"Oslo"}')), calls(town)) as (network, client):
        options: dict[str, Any] = {"output_type": Town, "tools": [weather], "client": client}
        async with open_session(chat_model(network.url), "A town?", **options) as session:
            chunks, error = await read(session)
            answered = await session.response()
    assert error is None
    assert answered.output == Town("Oslo", 700_000)
    assert [chunk.name for chunk in chunks if isinstance(chunk, ToolCall)] == ["weather", "answer"]
    assert [chunk for chunk in chunks if isinstance(chunk, ToolResult)] == [
        ToolResult("call_1", "weather", "Oslo: rain"),
        ToolResult("call_2", "answer", "The answer was received."),
    ]
    assert [message.role for message in answered.messages] == [
        "user",
        "assistant",
        "tool",
        "assistant",
        "tool",
    ]
    assert answered.message.tool_calls[0].arguments == {"name": "Oslo", "people": 700_000}
    body = sent(network, 1)
    assert [each["function"]["name"] for each in body["tools"]] == ["weather", "answer"]
    assert (body["tool_choice"], "response_format" in body) == ("required", False)


async def test_an_answer_beside_other_calls_is_too_early() -> None:
    """An answer that cannot know the results of its turn's other calls is refused, and they are run."""
    both = [call("answer", OSLO), call("weather", '{"city":"Oslo"}', "call_2", 1)]
    answered, network = await asked(calls(*both), says(OSLO), tools=[weather])
    assert answered.output == Town("Oslo", 700_000)
    results = [message for message in sent(network, 1)["messages"] if message["role"] == "tool"]
    assert [result["tool_call_id"] for result in results] == ["call_1", "call_2"]
    assert results[0]["content"].startswith("Error: give the answer alone")
    assert results[1]["content"] == "Oslo: rain"


async def test_a_forced_call_that_does_not_fit_gets_an_error_result() -> None:
    """A call that is asked for again is answered with what was wrong, so that the conversation is valid."""
    async with scripted_network(calls(call("answer", WRONG)), calls(call("answer", OSLO))) as (
        network,
        client,
    ):
        options: dict[str, Any] = {"output_type": Town, "retries": 1, "client": client}
        answered = await stream(calling_model(network.url), "A town?", **options)
    assert answered.output == Town("Oslo", 700_000)
    body = sent(network, 1)
    assert body["tool_choice"] == {"type": "function", "function": {"name": "answer"}}
    assert [message["role"] for message in body["messages"]] == ["user", "assistant", "tool"]
    assert "`$.people`" in body["messages"][2]["content"]


async def test_a_forced_call_that_fails_leaves_a_valid_conversation() -> None:
    """The last call that does not fit has a result too, and what was said can be gone on with."""
    async with scripted_network(calls(call("answer", WRONG))) as (network, client):
        options: dict[str, Any] = {"output_type": Town, "client": client}
        async with open_session(calling_model(network.url), "A town?", **options) as session:
            chunks, error = await read(session)
    assert isinstance(error, OutputError)
    assert error.text == '{"name":"Oslo","people":"many"}'
    assert isinstance(chunks[-1], ToolResult)
    assert [message.role for message in session.messages] == ["assistant", "tool"]


def test_arguments_nested_too_deeply_are_no_accident() -> None:
    """Arguments that cannot be written as JSON are an empty answer, not a crash."""
    deep: list[Any] = []
    for _ in range(1_000_000):
        deep = [deep]
    message = Message("assistant", (ToolCall(0, "call_1", "answer", {"value": deep}),))
    output = output_of(list[Any], 0, ())
    assert output is not None
    with pytest.raises(OutputError, match="the answer is empty"):
        output.read(message)
    while deep:  # freed level by level, as its own end would recurse
        deep = deep.pop()


async def test_text_instead_of_the_call_is_read() -> None:
    """A model that answers in text where it was to call is read all the same."""
    async with scripted_network(says(OSLO)) as (network, client):
        answered = await stream(calling_model(network.url), "A town?", output_type=Town, client=client)
    assert answered.output == Town("Oslo", 700_000)


async def test_tools_of_the_caller_have_no_output_yet() -> None:
    """Where the caller runs the tools, a turn that calls them has no output, and is no error."""
    answered, _ = await asked(calls(call("weather", "{}")), tools=[weather], auto_tools=False)
    assert (answered.output, answered.stop_reason) == (None, "tool_calls")
    answered, _ = await asked(calls(call("answer", OSLO)), tools=[weather], auto_tools=False)
    assert answered.output == Town("Oslo", 700_000)


async def test_rounds_that_are_used_up_leave_no_output() -> None:
    """A session that may make no further request after its tools says that this is why."""
    with pytest.raises(OutputError, match="max_rounds") as caught:
        await asked(calls(call("weather", '{"city":"Oslo"}')), tools=[weather], max_rounds=1)
    assert caught.value.stop_reason == "max_rounds"


async def test_a_tool_may_have_the_answers_name() -> None:
    """The answer has a name that no tool has."""

    @tool
    def answer(text: str) -> str:
        """A tool of that name."""
        return text

    answered, network = await asked(calls(call("final_answer", OSLO)), tools=[answer])
    assert answered.output == Town("Oslo", 700_000)
    assert [each["function"]["name"] for each in sent(network, 0)["tools"]] == ["answer", "final_answer"]


async def test_a_cancelled_session_has_no_output(autojump_clock: MockClock) -> None:
    """What was received of a cancelled session is no output, and no error."""
    async with scripted_session(says(OSLO), output_type=Town) as session:
        session.cancel()
        answered = await session.response()
    assert (answered.output, answered.stop_reason) == (None, "cancelled")


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"output_type": complex}, "output_type complex cannot be described"),
        ({"output_type": Town, "retries": -1}, "retries must be a whole number of at least 0, not -1"),
        ({"output_type": Town, "retries": True}, "retries must be a whole number"),
        ({"retries": 1}, "give an output_type with it"),
    ],
)
async def test_what_cannot_be_asked_for(options: dict[str, Any], told: str) -> None:
    """It is the caller's error, before anything is sent."""
    async with scripted_network(says(OSLO)) as (network, client):
        with pytest.raises(ConfigError, match=told):
            await stream(chat_model(network.url), "A town?", client=client, **options)
        assert network.requests == []


async def partials(session: Session) -> list[Any]:
    """All partial values of a session."""
    return [value async for value in session.partial]


async def test_partial_values_while_the_answer_arrives(autojump_clock: MockClock) -> None:
    """Partial values grow, are given only when they changed, and end with the whole."""
    script: Script = [chunked(last=False)]
    for character in OSLO:  # a read of its own for each, whatever the scheduler does
        script += [b"%x\r\n%b\r\n" % (len(text(character)), text(character)), Delay(0.01)]
    script += [b"%x\r\n%b\r\n" % (len(answer()), answer()), b"0\r\n\r\n"]
    async with scripted_session(script, output_type=Town) as session:
        shown = await partials(session)
        answered = await session.response()
    assert answered.output == msgspec.convert(shown[-1], Town)
    assert shown[-1] == {"name": "Oslo", "people": 700_000}
    names = [value["name"] for value in shown if value]
    assert len(set(names)) > 2
    assert all(after.startswith(name) for name, after in itertools.pairwise(names))
    assert all("people" not in value for value in shown[:-1])


async def test_partial_values_of_an_answer_that_is_given_again() -> None:
    """Each turn starts its own; an answer that does not fit stops growing, and the error comes in the end."""
    async with scripted_session(says(WRONG), says(OSLO), output_type=Town, retries=1) as session:
        shown = await partials(session)
    assert shown[-1] == {"name": "Oslo", "people": 700_000}
    async with scripted_session(says(WRONG), output_type=Town) as session:
        with pytest.raises(OutputError):
            await partials(session)


async def test_partial_values_of_a_forced_call() -> None:
    """The fragments of the call that is the answer are read as they come."""
    async with scripted_network(calls(call("answer", OSLO))) as (network, client):
        options: dict[str, Any] = {"output_type": Town, "client": client}
        async with open_session(calling_model(network.url), "A town?", **options) as session:
            assert (await partials(session))[-1] == {"name": "Oslo", "people": 700_000}


def test_the_spec_is_what_the_provider_is_asked_for() -> None:
    """The provider is given a name and a schema, and nothing else."""
    output = output_of(int, 0, {"answer", "final_answer"})
    assert output is not None
    assert output.spec == OutputSpec(
        "final_final_answer",
        {"type": "object", "properties": {"value": {"type": "integer"}}, "required": ["value"]},
    )
