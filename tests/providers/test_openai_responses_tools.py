"""The Responses API, decoded: calls of the caller's tools, and the tools that run at the provider."""

import base64
from typing import Any

import pytest

from streamd.providers import (
    Chunk,
    EventTooLarge,
    Media,
    ServerToolCall,
    ServerToolResult,
    Stop,
    ToolCall,
    ToolCallDelta,
    fold,
)
from tests.support.decoding import decode
from tests.support.responses import body, ended

WIRE = "openai-responses"
CALL: dict[str, Any] = {
    "type": "function_call",
    "id": "fc_1",
    "call_id": "call_1",
    "name": "f",
    "status": "completed",
}
OPEN: dict[str, Any] = CALL | {"arguments": "", "status": "in_progress"}
AT: dict[str, Any] = {"item_id": "fc_1", "output_index": 0}
DONE = Stop("tool_calls", None, "completed")


def chunks_of(*events: dict[str, Any]) -> list[Chunk]:
    """What a good stream gives after its metadata."""
    chunks, error = decode(WIRE, body(*events))
    assert error is None
    return chunks[1:]


def calls_of(*events: dict[str, Any]) -> list[tuple[str, str, dict[str, Any]]]:
    """The id, the name and the arguments of each call that closed."""
    calls = [chunk for chunk in chunks_of(*events) if isinstance(chunk, ToolCall)]
    return [(call.id, call.name, call.arguments) for call in calls]


def added(item: dict[str, Any], index: int = 0) -> dict[str, Any]:
    """An item begins."""
    return {"type": "response.output_item.added", "output_index": index, "item": item}


def done(item: dict[str, Any], index: int = 0) -> dict[str, Any]:
    """An item is whole."""
    return {"type": "response.output_item.done", "output_index": index, "item": item}


def piece(text: str, **more: Any) -> dict[str, Any]:
    """A piece of a call's arguments."""
    return {"type": "response.function_call_arguments.delta", **AT, "delta": text, **more}


def told(text: str, **more: Any) -> dict[str, Any]:
    """A call's whole arguments."""
    return {"type": "response.function_call_arguments.done", **AT, "arguments": text, **more}


ARGUMENTS = '{"a": 1}'
WHOLE: dict[str, Any] = CALL | {"arguments": ARGUMENTS}
CLOSED = [("call_1", "f", {"a": 1})]


@pytest.mark.parametrize(
    "events",
    [
        [added(OPEN), piece('{"a"'), piece(": 1}"), told(ARGUMENTS), done(WHOLE), ended(output=[WHOLE])],
        [added(OPEN), piece(ARGUMENTS), told(ARGUMENTS), ended()],
        [added(OPEN), piece('{"a"'), told(ARGUMENTS), ended()],
        [added(OPEN), piece('{"a"'), done(WHOLE), ended()],
        [added(OPEN), done(WHOLE), ended()],
        [done(WHOLE), ended()],
        [ended(output=[WHOLE])],
        [added(OPEN), piece('{"a'), ended(output=[WHOLE])],
        [piece(ARGUMENTS), done(WHOLE), ended()],
        [added(OPEN), piece("c2VjcmV0"), told(ARGUMENTS), done(WHOLE), ended()],
        [added(OPEN), done(CALL | {"arguments": {"a": 1}}), ended()],
        [added(OPEN), piece(ARGUMENTS), done(CALL | {"arguments": ""}), ended()],
        [added(OPEN), added(OPEN), piece(ARGUMENTS), done(WHOLE), done(WHOLE), ended(output=[WHOLE])],
    ],
)
def test_a_call_closes_once_it_was_told_whole(events: list[dict[str, Any]]) -> None:
    """However its arguments come, the call is one, and has what the provider says it has."""
    assert calls_of(*events) == CLOSED


def test_the_pieces_that_are_shown_make_the_arguments() -> None:
    """What only the end tells is shown then."""
    chunks = chunks_of(added(OPEN), piece('{"a"'), told(ARGUMENTS), done(WHOLE), ended())
    assert chunks == [
        ToolCallDelta(0, "call_1", "f", ""),
        ToolCallDelta(0, None, None, '{"a"'),
        ToolCallDelta(0, None, None, ": 1}"),
        ToolCall(0, "call_1", "f", {"a": 1}),
        DONE,
    ]


@pytest.mark.parametrize(
    "events",
    [
        [added(OPEN), piece(ARGUMENTS), ended()],
        [added(OPEN), piece('{"a"'), told('{"a"'), ended()],
        [added(OPEN), told("[1]"), ended()],
        [added(OPEN), told(ARGUMENTS), done(WHOLE | {"status": "incomplete"}), ended()],
        [added(OPEN), told("{}{}"), ended()],
        [added(OPEN | {"name": ""}), told(ARGUMENTS), ended()],
        [added(OPEN), ended(output=[WHOLE | {"status": "incomplete"}])],
    ],
)
def test_a_call_that_is_not_whole_never_closes(events: list[dict[str, Any]]) -> None:
    """No end of its item, no JSON object, no name: it is shown, and the turn is incomplete."""
    chunks = chunks_of(*events)
    assert not any(isinstance(chunk, ToolCall) for chunk in chunks)
    assert chunks[-1] == Stop("incomplete", None, "completed")


@pytest.mark.parametrize("arguments", ["", " "])
def test_no_arguments_are_an_empty_object(arguments: str) -> None:
    """Where the provider says that the call is whole, and ended the turn by itself."""
    whole = CALL | {"arguments": arguments}
    assert calls_of(added(OPEN), done(whole), ended()) == [("call_1", "f", {})]
    cut = ended("incomplete", incomplete_details={"reason": "max_output_tokens"})
    assert calls_of(added(OPEN), done(whole), cut) == []


def test_a_turn_that_was_cut_keeps_its_whole_calls() -> None:
    """The reason stays that of the provider."""
    cut = ended("incomplete", incomplete_details={"reason": "max_output_tokens"})
    chunks = chunks_of(done(WHOLE), added(OPEN | {"id": "fc_2", "call_id": "call_2"}, 1), cut)
    assert chunks[-2:] == [ToolCall(0, "call_1", "f", {"a": 1}), Stop("length", None, "max_output_tokens")]


@pytest.mark.parametrize("end", [ended("cancelled"), ended("failed"), {"type": "error"}])
def test_a_turn_that_was_ended_has_no_calls(end: dict[str, Any]) -> None:
    """A cancelled turn and one that failed call nothing, however whole their calls are."""
    chunks, _ = decode(WIRE, body(done(WHOLE), end))
    assert not any(isinstance(chunk, ToolCall) for chunk in chunks)


def test_parallel_calls_in_turns() -> None:
    """Pieces of two calls that alternate go to their own; calls of one id are told apart."""
    other = {"item_id": "fc_2", "output_index": 1}
    second = CALL | {"id": "fc_2", "name": "g"}
    assert calls_of(
        added(OPEN),
        added(second, 1),
        piece('{"a":'),
        piece('{"b":', **other),
        piece("1}"),
        piece("2}", **other),
        told('{"b":2}', **other),
        told('{"a":1}'),
        ended(),
    ) == [("call_1", "f", {"a": 1}), ("call_1_1", "g", {"b": 2})]


def test_arguments_have_a_limit() -> None:
    """In pieces and whole."""
    for event in (piece("x" * 1_048_577), told("x" * 1_048_577)):
        assert type(decode(WIRE, body(event))[1]) is EventTooLarge


def test_a_custom_tool_is_given_its_text() -> None:
    """Its input is shown as the JSON of an object that holds it."""
    item = {"type": "custom_tool_call", "id": "ctc_1", "call_id": "call_1", "name": "patch"}
    at = {"item_id": "ctc_1", "output_index": 0}
    name = "response.custom_tool_call_input"
    events = [
        added(item | {"input": ""}),
        {"type": f"{name}.delta", **at, "delta": 'say "ü'},
        {"type": f"{name}.delta", **at, "delta": '"\n'},
        {"type": f"{name}.done", **at, "input": 'say "ü"\n'},
    ]
    whole = item | {"input": 'say "ü"\n', "status": "completed"}
    call = ToolCall(0, "call_1", "patch", {"input": 'say "ü"\n'})
    chunks = chunks_of(*events, done(whole), ended(output=[whole]))
    assert chunks[-2:] == [call, DONE]
    shown = "".join(chunk.fragment for chunk in chunks if isinstance(chunk, ToolCallDelta))
    assert shown == '{"input":"say \\"ü\\"\\n"}'
    assert chunks_of(ended(output=[whole]))[-2:] == [call, DONE]
    assert chunks_of(*events[:3], ended())[-1] == Stop("incomplete", None, "completed")


def test_images_are_large() -> None:
    """One of 12 MiB comes with its item, and does not with the response; beyond 32 MiB an event is refused."""
    item = {"type": "image_generation_call", "id": "ig_1", "status": "completed"}
    image = base64.b64encode(bytes(12 * 1024 * 1024)).decode()
    chunks = chunks_of(done(item | {"result": image}), ended(output=[item | {"result": image}]))
    assert [chunk.data for chunk in chunks if isinstance(chunk, Media)] == [bytes(12 * 1024 * 1024)]
    assert type(decode(WIRE, body(done(item | {"result": image * 3})))[1]) is EventTooLarge


def test_a_custom_tool_of_the_provider() -> None:
    """Where the response repeats the request's tools, a call of another custom tool is the provider's own."""
    item: dict[str, Any] = {"type": "custom_tool_call", "id": "ctc_1", "call_id": "xs_1", "name": "x_search"}
    whole = item | {"input": '{"query":"q"}', "status": "completed"}
    piece = {
        "type": "response.custom_tool_call_input.delta",
        "item_id": "ctc_1",
        "output_index": 0,
        "delta": "{",
    }
    own = ServerToolCall("xs_1", "x_search", {"input": '{"query":"q"}'}, WIRE, whole)
    for tools, expected in (
        ([{"type": "x_search"}, {"type": "custom", "name": "patch"}], own),
        ([], own),
        (
            [{"type": "custom", "name": "x_search"}],
            ToolCall(0, "xs_1", "x_search", {"input": '{"query":"q"}'}),
        ),
    ):
        start = {"type": "response.in_progress", "response": {"tools": tools}}
        chunks = chunks_of(start, added(item), piece, done(whole), ended(tools=tools, output=[whole]))
        assert [chunk for chunk in chunks if not isinstance(chunk, ToolCallDelta)][:-1] == [expected]
        assert chunks_of(ended(tools=tools, output=[whole]))[-2] == expected


SEARCH: dict[str, Any] = {
    "type": "web_search_call",
    "id": "ws_1",
    "status": "completed",
    "action": {"type": "search", "query": "q"},
}
FILES: dict[str, Any] = {
    "type": "file_search_call",
    "id": "fs_1",
    "status": "completed",
    "queries": ["q"],
    "results": [{"file_id": "file-1", "text": "t"}],
}
CODE: dict[str, Any] = {
    "type": "code_interpreter_call",
    "id": "ci_1",
    "status": "completed",
    "code": "1+1",
    "container_id": "c",
    "outputs": [{"type": "logs", "logs": "2"}],
}
REMOTE: dict[str, Any] = {
    "type": "mcp_call",
    "id": "mcp_1",
    "name": "ask",
    "server_label": "s",
    "arguments": '{"q":1}',
    "output": "yes",
    "error": None,
}
BROKEN: dict[str, Any] = REMOTE | {"output": None, "error": {"message": "no"}, "arguments": "{"}
LISTED: dict[str, Any] = {
    "type": "mcp_list_tools",
    "id": "mcpl_1",
    "server_label": "s",
    "tools": [{"name": "ask"}],
}
ASKED: dict[str, Any] = {
    "type": "mcp_approval_request",
    "id": "mcpr_1",
    "name": "ask",
    "server_label": "s",
    "arguments": "{}",
}
SCREEN: dict[str, Any] = {
    "type": "computer_call",
    "id": "cu_1",
    "call_id": "call_9",
    "action": {"type": "screenshot"},
}
SHELL: dict[str, Any] = {
    "type": "local_shell_call",
    "id": "ls_1",
    "call_id": "call_8",
    "action": {"command": ["ls"]},
}
FOUND: dict[str, Any] = {
    "type": "tool_search_output",
    "id": "tso_1",
    "call_id": None,
    "tools": [{"name": "f"}],
}
SHORT: dict[str, Any] = {"type": "compaction", "id": "cmp_1", "encrypted_content": "c2VhbA=="}


@pytest.mark.parametrize(
    ("item", "expected"),
    [
        (SEARCH, [ServerToolCall("ws_1", "web_search", {"type": "search", "query": "q"}, WIRE, SEARCH)]),
        (
            FILES,
            [
                ServerToolCall("fs_1", "file_search", {"queries": ["q"]}, WIRE, FILES),
                ServerToolResult("fs_1", "file_search", FILES["results"], WIRE, FILES),
            ],
        ),
        (
            CODE,
            [
                ServerToolCall("ci_1", "code_interpreter", {"code": "1+1", "container_id": "c"}, WIRE, CODE),
                ServerToolResult("ci_1", "code_interpreter", CODE["outputs"], WIRE, CODE),
            ],
        ),
        (
            REMOTE,
            [
                ServerToolCall("mcp_1", "ask", {"q": 1}, WIRE, REMOTE),
                ServerToolResult("mcp_1", "ask", "yes", WIRE, REMOTE),
            ],
        ),
        (
            BROKEN,
            [
                ServerToolCall("mcp_1", "ask", {}, WIRE, BROKEN),
                ServerToolResult("mcp_1", "ask", {"message": "no"}, WIRE, BROKEN, is_error=True),
            ],
        ),
        (
            LISTED,
            [
                ServerToolCall("mcpl_1", "mcp_list_tools", {"server_label": "s"}, WIRE, LISTED),
                ServerToolResult("mcpl_1", "mcp_list_tools", [{"name": "ask"}], WIRE, LISTED),
            ],
        ),
        (ASKED, [ServerToolCall("mcpr_1", "ask", {}, WIRE, ASKED)]),
        (SCREEN, [ServerToolCall("call_9", "computer", {"type": "screenshot"}, WIRE, SCREEN)]),
        (SHELL, [ServerToolCall("call_8", "local_shell", {"command": ["ls"]}, WIRE, SHELL)]),
        (FOUND, [ServerToolResult("tso_1", "tool_search_output", [{"name": "f"}], WIRE, FOUND)]),
        (SHORT, [ServerToolCall("cmp_1", "compaction", {"encrypted_content": "c2VhbA=="}, WIRE, SHORT)]),
    ],
)
def test_what_the_provider_runs_itself(item: dict[str, Any], expected: list[Chunk]) -> None:
    """The whole item is kept as it came; a result that it holds comes behind it; each comes once."""
    end = ended(output=[item])
    stop = Stop("stop", None, "completed")
    begun = {key: value for key, value in item.items() if key in ("type", "id")}
    working = {"type": f"response.{item['type']}.in_progress", "output_index": 0, "item_id": item["id"]}
    assert chunks_of(added(begun), working, done(item), end) == [*expected, stop]
    assert chunks_of(end) == [*expected, stop]


def test_a_drawn_image() -> None:
    """Only the finished one comes, decoded, behind the call that keeps it to be sent back."""
    data = base64.b64encode(b"an image").decode()
    item = {
        "type": "image_generation_call",
        "id": "ig_1",
        "status": "completed",
        "output_format": "webp",
        "revised_prompt": "A cat.",
        "result": data,
    }
    half = {
        "type": "response.image_generation_call.partial_image",
        "output_index": 0,
        "item_id": "ig_1",
        "partial_image_b64": data,
        "partial_image_index": 0,
    }
    arguments = {"output_format": "webp", "revised_prompt": "A cat."}
    call = ServerToolCall("ig_1", "image_generation", arguments, WIRE, item)
    stop = Stop("stop", None, "completed")
    image = Media("image/webp", data=b"an image")
    assert chunks_of(half, done(item), ended(output=[item])) == [call, image, stop]
    message = fold(chunks_of(done(item), ended()))
    assert message.content == (call, image)
    odd = item | {"result": "no base64"}
    assert [type(chunk) for chunk in chunks_of(done(odd), ended())] == [ServerToolCall, Stop]
    failed = item | {"result": None, "status": "failed"}
    assert chunks_of(done(failed), ended())[1] == ServerToolResult(
        "ig_1", "image_generation", None, WIRE, failed, is_error=True
    )
