"""Whatever the cut of a body, the chunks are the same; whatever is missing of it, nothing is made up."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamd.providers import WIRES, Chunk, Stop, ToolCall, Usage, fold
from tests.support import bedrock, cohere, gemini, ollama
from tests.support.decoding import decode, named, single_bytes, sse
from tests.support.responses import responses_bodies

_PIECES = st.sampled_from(["a", "é", "\u2028", "\U0001f600", "{", '"x":1', "}", '{"x":1}', ""])


def _chat_delta(finish: str | None = None, **delta: Any) -> dict[str, Any]:
    return {"id": "r", "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}


def _chat_tool(index: int | None, id_: str | None, name: str | None, arguments: str) -> dict[str, Any]:
    function = {"name": name, "arguments": arguments}
    return _chat_delta(tool_calls=[{"index": index, "id": id_, "function": function}])


def _chat_detail(kind: str, index: int | None, text: str, signature: str | None) -> dict[str, Any]:
    detail = {"type": kind, "index": index, "text": text, "signature": signature}
    return _chat_delta(reasoning=text, reasoning_details=[detail])


_CHAT_EXTRAS = (
    _chat_delta(reasoning_details=[{"type": "reasoning.encrypted", "data": "e", "index": 3}]),
    _chat_delta(audio={"id": "a", "transcript": "x", "data": "AAE="}),
    _chat_delta(executed_tools=[{"index": 0, "type": "search", "arguments": "{}"}]),
    _chat_delta(executed_tools=[{"index": 0, "type": "search", "arguments": "{}", "output": "x"}]),
    _chat_delta(annotations=[{"url_citation": {"url": "https://a.test"}}]),
)


_CHAT_EVENTS: st.SearchStrategy[Any] = st.one_of(
    st.sampled_from(_CHAT_EXTRAS),
    st.builds(
        _chat_detail,
        st.sampled_from(["reasoning.text", "reasoning.summary", "x"]),
        st.sampled_from([0, 1, None]),
        _PIECES,
        st.sampled_from(["s", None]),
    ),
    st.builds(lambda text: _chat_delta(content=text), _PIECES),
    st.builds(lambda text: _chat_delta(reasoning=text), _PIECES),
    st.builds(
        _chat_tool,
        st.sampled_from([0, 1, None]),
        st.sampled_from(["a", "b", None]),
        st.sampled_from(["f", None]),
        _PIECES,
    ),
    st.builds(
        lambda n: {"choices": [], "usage": {"prompt_tokens": 1, "completion_tokens": n}}, st.integers(1, 3)
    ),
    st.builds(lambda text: _chat_delta(content=[{"type": "text", "text": text}]), _PIECES),
    st.just(_chat_delta(content=[{"type": "thinking", "thinking": [{"type": "text", "text": "t"}]}])),
    st.just(_chat_delta(content=[{"type": "reference", "reference_ids": [1, 2]}])),
    st.just({"choices": None}),
)


@st.composite
def _chat_bodies(draw: st.DrawFn) -> bytes:
    events = draw(st.lists(_CHAT_EVENTS, max_size=6))
    ends = [
        [],
        ["[DONE]"],
        [_chat_delta("stop")],
        [_chat_delta("tool_calls"), "[DONE]"],
        [{"error": {"code": 503}}],
        ["{"],
    ]
    body = sse(*events, *draw(st.sampled_from(ends)), end=draw(st.sampled_from(["\n", "\r\n", "\r"])))
    return draw(st.sampled_from([b"", b"\xef\xbb\xbf", b": hello\n\n", b"\n"])) + body


@st.composite
def _anthropic_blocks(draw: st.DrawFn, index: int) -> list[dict[str, Any]]:
    json_ = ("input_json", "partial_json")
    type_, kind, field = draw(
        st.sampled_from(
            [
                *(("text", "text", "text"), ("thinking", "thinking", "thinking"), ("tool_use", *json_)),
                *(("server_tool_use", *json_), ("web_search_tool_result", *json_)),
                *(("compaction", "compaction", "content"), ("text", "citations", "citation")),
            ]
        )
    )
    block = {
        "type": type_,
        "id": f"t{index}",
        "name": "f",
        "input": {},
    }
    events: list[dict[str, Any]] = [{"type": "content_block_start", "index": index, "content_block": block}]
    for piece in draw(st.lists(_PIECES, max_size=3)):
        given = {"url": piece} if kind == "citations" else piece
        delta = {"type": f"{kind}_delta", field: given}
        events.append({"type": "content_block_delta", "index": index, "delta": delta})
    return events + ([{"type": "content_block_stop", "index": index}] if draw(st.booleans()) else [])


@st.composite
def _anthropic_bodies(draw: st.DrawFn) -> bytes:
    usage = {"input_tokens": 1, "output_tokens": 1}
    events: list[dict[str, Any]] = [
        {"type": "message_start", "message": {"id": "m", "usage": usage}},
        {"type": "ping"},
    ]
    for index in range(draw(st.integers(0, 3))):
        events += draw(_anthropic_blocks(index))
    end = {"type": "message_delta", "delta": {"stop_reason": "tool_use"}, "usage": {"output_tokens": 2}}
    error = {"type": "error", "error": {"type": "overloaded_error"}}
    return named(*events, *draw(st.sampled_from([[], [end], [end, {"type": "message_stop"}], [error]])))


BODIES = {
    "anthropic-messages": _anthropic_bodies(),
    "bedrock-converse": bedrock.converse_bodies(),
    "bedrock-invoke": bedrock.invoke_bodies(),
    "cohere-v2": cohere.bodies(),
    "gemini": gemini.bodies(),
    "ollama-chat": ollama.bodies(),
    "openai-chat": _chat_bodies(),
    "openai-responses": responses_bodies(),
}


def test_every_wire_has_bodies_here():
    """A new wire is put under the same properties."""
    assert set(BODIES) == set(WIRES)


@pytest.mark.parametrize("wire", sorted(WIRES))
@given(data=st.data())
@settings(deadline=None, max_examples=60)
def test_any_cut_gives_the_same_chunks(wire: str, data: st.DataObject):
    """Whole, byte by byte and cut at two random places: the same chunks and the same class of error."""
    body = data.draw(BODIES[wire])
    first, second = sorted((data.draw(st.integers(0, len(body))), data.draw(st.integers(0, len(body)))))
    chunks, error = decode(wire, body)
    for parts in (single_bytes(body), [body[:first], body[first:second], body[second:]]):
        again, again_error = decode(wire, parts)
        assert again == chunks
        assert type(again_error) is type(error)


def _content(chunks: list[Chunk]) -> list[Chunk]:
    return [chunk for chunk in chunks if not isinstance(chunk, ToolCall | Stop)]


@pytest.mark.parametrize("wire", sorted(WIRES))
@given(data=st.data())
@settings(deadline=None, max_examples=60)
def test_any_prefix_gives_a_prefix_of_the_chunks(wire: str, data: st.DataObject):
    """A body that is cut delivers less and never more: no other text, no call that the whole has not, one end."""
    body = data.draw(BODIES[wire])
    whole, _ = decode(wire, body)
    cut = data.draw(st.integers(0, len(body)))
    chunks, error = decode(wire, body[:cut])
    content = _content(chunks)
    assert content == _content(whole)[: len(content)]
    assert fold(chunks).tool_calls in ((), fold(whole).tool_calls)
    assert [type(chunk) for chunk in chunks if isinstance(chunk, Stop)] == ([] if error else [Stop])
    assert error is not None or isinstance(chunks[-1], Stop)


@pytest.mark.parametrize("wire", sorted(WIRES))
@given(data=st.data())
@settings(deadline=None, max_examples=60)
def test_any_bytes_end_in_chunks_or_a_typed_error(wire: str, data: st.DataObject):
    """A flipped, lost or foreign stretch of bytes raises nothing but what the interface names."""
    body = data.draw(BODIES[wire])
    at = data.draw(st.integers(0, len(body)))
    noise = data.draw(st.binary(max_size=8))
    chunks, _ = decode(wire, body[:at] + noise + body[at + data.draw(st.integers(0, 8)) :])
    usages = [chunk for chunk in chunks if isinstance(chunk, Usage)]
    assert fold(chunks).usage == (usages[-1] if usages else None)
