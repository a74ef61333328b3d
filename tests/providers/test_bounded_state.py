"""What a decoder remembers of a turn stays small, whatever a server sends."""

import tracemalloc
from collections.abc import Iterable
from typing import Any

import pytest

from streamd.providers import (
    WIRES,
    Chunk,
    EventTooLarge,
    Metadata,
    Stop,
    StreamdError,
    Text,
    Thinking,
    ToolCall,
    ToolCallDelta,
    Usage,
)
from tests.support.bedrock import chunk, event
from tests.support.decoding import decode, named, sse
from tests.support.ollama import lines

_ANTHROPIC = "anthropic-messages"
_CHAT = "openai-chat"
_START = {"type": "message_start", "message": {"type": "message", "id": "m1", "model": "c"}}
_END = {"type": "message_delta", "delta": {"stop_reason": "end_turn"}}
_STOP = {"type": "message_stop"}


def _peak(wire: str, parts: Iterable[bytes]) -> int:
    """The most memory, in bytes, that decoding these took while every chunk was kept."""
    kept: list[Chunk] = []
    decoder = WIRES[wire]()
    tracemalloc.start()
    try:
        for part in parts:
            kept += decoder.feed(part)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def _counts(wire: str, **counts: Any) -> bytes:
    if wire == _ANTHROPIC:
        return named({"type": "message_delta", "delta": {}, "usage": counts})
    if wire == "bedrock-converse":
        return event("metadata", usage={"outputTokens": counts["output_tokens"], **counts})
    if wire == "bedrock-invoke":
        return chunk({"type": "message_delta", "delta": {}, "usage": counts})
    if wire == "cohere-v2":
        return sse({"type": "debug", "delta": {"usage": {"tokens": counts, **counts}}})
    if wire == "ollama-chat":
        return lines({"eval_count": counts["output_tokens"], **counts})
    if wire == "gemini":
        return sse({"usageMetadata": {"candidatesTokenCount": counts["output_tokens"], **counts}})
    if wire == "openai-responses":
        return sse({"type": "response.in_progress", "response": {"usage": counts}})
    return sse({"choices": [], "usage": counts})


@pytest.mark.parametrize("wire", sorted(WIRES))
def test_ever_new_names_of_counts_are_not_gathered(wire: str) -> None:
    """A flood of usage whose names never repeat takes memory in proportion to its bytes."""
    names = ("output_tokens", "completion_tokens")
    sizes = {
        many: _peak(wire, [_counts(wire, **dict.fromkeys(names, n), **{f"k{n}": 1}) for n in range(many)])
        for many in (500, 2000)
    }
    assert sizes[2000] < 6 * sizes[500]
    assert sizes[2000] < 10 * 1024 * 1024


@pytest.mark.parametrize("wire", sorted(WIRES))
def test_usage_that_counts_the_same_is_told_once(wire: str) -> None:
    """Only the counts make a usage another one."""
    parts = [_counts(wire, output_tokens=2, completion_tokens=2, **{f"k{n}": n}) for n in range(50)]
    chunks = [chunk for part in [b"".join(parts)] for chunk in WIRES[wire]().feed(part)]
    assert [type(chunk) for chunk in chunks] == [Usage]


def test_a_providers_own_counts_are_kept_beside_those_that_follow() -> None:
    """What the first event says of the service is still there when the last one counts the output."""
    start = {"type": "message_start", "message": {"usage": {"input_tokens": 3, "service_tier": "batch"}}}
    chunks, error = decode(_ANTHROPIC, named(start, _END | {"usage": {"output_tokens": 7}}, _STOP))
    usage = Usage(3, 7, raw={"input_tokens": 3, "service_tier": "batch", "output_tokens": 7})
    assert error is None
    assert chunks[-1] == Stop("stop", usage, "end_turn")


def _signed(index: int, signature: str) -> dict[str, Any]:
    delta = {"type": "signature_delta", "signature": signature}
    return {"type": "content_block_delta", "index": index, "delta": delta}


def _begun(index: int, **block: Any) -> dict[str, Any]:
    return {"type": "content_block_start", "index": index, "content_block": block}


def test_signatures_of_ever_new_blocks_are_refused() -> None:
    """Blocks that never end are state: there is a bound to how many may be open."""
    chunks, error = decode(_ANTHROPIC, named(_START, *(_signed(n, "s") for n in range(5000))))
    assert chunks == [Metadata("m1", "c")]
    assert type(error) is EventTooLarge
    assert "128 blocks" in str(error)


def test_calls_of_ever_new_blocks_are_refused() -> None:
    """One call begun again under ever new numbers is as much state as many."""
    events = [_begun(n, type="tool_use", id="t") for n in range(5000)]
    _chunks, error = decode(_ANTHROPIC, named(_START, *events))
    assert type(error) is EventTooLarge


def test_blocks_that_end_are_not_counted() -> None:
    """A turn may have any number of signed blocks, one after the other."""
    blocks = [
        event
        for n in range(300)
        for event in (_begun(n, type="thinking"), _signed(n, "s"), {"type": "content_block_stop", "index": n})
    ]
    chunks, error = decode(_ANTHROPIC, named(_START, *blocks, _END, _STOP))
    assert error is None
    assert chunks[1:-1] == [Thinking("", "s")] * 300


@pytest.mark.parametrize(
    "event", [_signed(0, "s" * 1_048_577), _begun(0, type="thinking", signature="s" * 1_048_577)]
)
def test_a_signature_has_a_limit(event: dict[str, Any]) -> None:
    """It is as large as the arguments of a call may be, and no larger."""
    assert type(decode(_ANTHROPIC, named(_START, event))[1]) is EventTooLarge


def _named_call(name: str) -> dict[str, Any]:
    return {"choices": [{"delta": {"tool_calls": [{"index": 0, "id": "a", "function": {"name": name}}]}}]}


def _arguments(text: str) -> dict[str, Any]:
    call = {"index": 0, "function": {"arguments": text}}
    return {"choices": [{"delta": {"tool_calls": [call]}, "finish_reason": "tool_calls"}]}


@pytest.mark.parametrize("pieces", [["x" * 257], ["x" * 200, "y" * 57], ["x" * 256, "y", "z"]])
def test_a_name_that_is_too_long_never_closes(pieces: list[str]) -> None:
    """Such a call is shown as far as its name may go, and not run."""
    chunks, error = decode(_CHAT, sse(*map(_named_call, pieces), _arguments("{}"), "[DONE]"))
    assert error is None
    assert chunks[-1] == Stop("incomplete", None, "tool_calls")
    shown = "".join(chunk.name or "" for chunk in chunks if isinstance(chunk, ToolCallDelta))
    assert len(shown) <= 256


def test_a_name_in_pieces_may_be_as_long_as_allowed() -> None:
    """256 characters pass."""
    chunks, _ = decode(_CHAT, sse(_named_call("x" * 255), _named_call("y"), _arguments("{}"), "[DONE]"))
    assert [chunk.name for chunk in chunks if isinstance(chunk, ToolCall)] == ["x" * 255 + "y"]


def test_a_flood_of_names_takes_no_memory() -> None:
    """Pieces beyond the limit are not kept."""
    assert _peak(_CHAT, (sse(_named_call(f"{n}_" + "y" * 5000)) for n in range(400))) < 1024 * 1024


def test_errors_keep_what_came_before() -> None:
    """Text before the limit was passed is delivered."""
    events = [{"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "a"}}]
    chunks, error = decode(_ANTHROPIC, named(_START, *events, *(_signed(n, "s") for n in range(200))))
    assert chunks[1:] == [Text("a")]
    assert isinstance(error, StreamdError)
