"""Bodies as Cohere streams them."""

from typing import Any

from hypothesis import strategies as st

from tests.support.decoding import named

__all__ = ["START", "adds", "bodies", "called", "ended", "last"]

START: dict[str, Any] = {
    "id": "r",
    "type": "message-start",
    "delta": {"message": {"role": "assistant", "content": [], "tool_plan": "", "tool_calls": []}},
}


def adds(type_: str, index: int | None = None, **message: Any) -> dict[str, Any]:
    """An event that adds to the message."""
    place = {} if index is None else {"index": index}
    return {"type": type_, **place, "delta": {"message": message}}


def called(index: int, name: str, *pieces: str) -> list[dict[str, Any]]:
    """The events of one call: its beginning, its arguments in pieces, its end."""
    head = {"id": f"{name}_{index}", "type": "function", "function": {"name": name, "arguments": ""}}
    deltas = [
        adds("tool-call-delta", index, tool_calls={"function": {"arguments": piece}}) for piece in pieces
    ]
    return [adds("tool-call-start", index, tool_calls=head), *deltas, ended("tool-call-end", index)]


def ended(type_: str, index: int) -> dict[str, Any]:
    """An event that ends a block."""
    return {"type": type_, "index": index}


def last(reason: str | None = "COMPLETE", **more: Any) -> dict[str, Any]:
    """The event that ends the message."""
    usage = {"billed_units": {"input_tokens": 1}, "tokens": {"input_tokens": 5, "output_tokens": 3}}
    return {"type": "message-end", "delta": {"finish_reason": reason, "usage": usage, **more}}


_TEXTS = st.sampled_from(["a", "é", "\u2028", "\U0001f600", "{", ""])
_PIECES = st.sampled_from(['{"x":', "1", "}", '{"x":1}', ""])
_CITED = {"text": "a", "sources": [{"type": "document", "id": "d1", "document": {"title": "t"}}]}


def _text(text: str) -> list[dict[str, Any]]:
    return [adds("content-delta", 0, content={"text": text})]


def _thinking(text: str) -> list[dict[str, Any]]:
    return [adds("content-start", 0, content={"thinking": text})]


def _plan(text: str) -> list[dict[str, Any]]:
    return [adds("tool-plan-delta", tool_plan=text)]


def _call(index: int, pieces: list[str], first: int) -> list[dict[str, Any]]:
    return called(index, "f", *pieces)[first:]


_EVENTS: st.SearchStrategy[list[dict[str, Any]]] = st.one_of(
    st.builds(_text, _TEXTS),
    st.builds(_thinking, _TEXTS),
    st.builds(_plan, _TEXTS),
    st.builds(_call, st.sampled_from([0, 1]), st.lists(_PIECES, max_size=3), st.sampled_from([0, 1])),
    st.just([adds("citation-start", 0, citations=_CITED)]),
    st.just([ended("content-end", 0), ended("tool-call-end", 7), {"type": "debug", "prompt": "p"}]),
    st.just([adds("content-delta", 0, content=None) | {"logprobs": {"text": "a", "logprobs": [-1.0]}}]),
)
_ENDS: list[list[dict[str, Any]]] = [
    [],
    [last()],
    [last("TOOL_CALL")],
    [last("MAX_TOKENS")],
    [last("ERROR", error="boo")],
    [{"type": "", "message": "too many requests"}],
]


@st.composite
def bodies(draw: st.DrawFn) -> bytes:
    """Some events, and one of the ways in which a turn ends."""
    groups = draw(st.lists(_EVENTS, max_size=6))
    begun = [START] if draw(st.integers(0, 5)) else []
    body = named(*begun, *(event for group in groups for event in group), *draw(st.sampled_from(_ENDS)))
    return body + draw(st.sampled_from([b"", b"data: [DONE]\n\n", b"data: {\n\n"]))
