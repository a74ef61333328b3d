"""Bodies of the Responses API: of servers that keep to its order, and of those that do not."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from tests.support.decoding import named, sse

__all__ = ["ITEMS", "body", "ended", "numbered", "responses_bodies", "sent"]

_PIECES = st.sampled_from(["a", "é", "\u2028", "\U0001f600", "{", '"x":1', "}", '{"x":1}', ""])

ITEMS: list[dict[str, Any]] = [
    {
        "type": "reasoning",
        "id": "rs_1",
        "summary": [{"type": "summary_text", "text": "One."}, {"type": "summary_text", "text": "Two."}],
        "encrypted_content": "c2VhbA==",
    },
    {
        "type": "web_search_call",
        "id": "ws_1",
        "status": "completed",
        "action": {"type": "search", "query": "towns"},
    },
    {
        "type": "message",
        "id": "msg_1",
        "role": "assistant",
        "status": "completed",
        "content": [{"type": "output_text", "text": "Ulm, Köln.", "annotations": []}],
    },
    {
        "type": "function_call",
        "id": "fc_1",
        "call_id": "call_1",
        "name": "weather",
        "arguments": '{"town":"Ulm"}',
        "status": "completed",
    },
    {
        "type": "function_call",
        "id": "fc_2",
        "call_id": "call_2",
        "name": "now",
        "arguments": "{}",
        "status": "completed",
    },
]
"""The output of one response: reasoning, a search, a text and two calls."""


def sent(item: dict[str, Any], index: int) -> list[dict[str, Any]]:
    """The events by which an item comes, its texts in pieces of four characters."""
    at = {"item_id": item["id"], "output_index": index}
    head = {"type": item["type"], "id": item["id"]}
    head |= {key: item[key] for key in ("call_id", "name") if key in item}
    events: list[dict[str, Any]] = [
        {"type": "response.output_item.added", "output_index": index, "item": head}
    ]
    texts: list[tuple[str, dict[str, Any], str, str]] = []
    for number, part in enumerate(item.get("summary", ())):
        where = {"summary_index": number}
        texts.append(("response.reasoning_summary_text", where, "text", part["text"]))
    for number, part in enumerate(item.get("content", ())):
        name = "response.reasoning_text" if part["type"] == "reasoning_text" else "response.output_text"
        texts.append((name, {"content_index": number}, "text", part["text"]))
    if "arguments" in item:
        texts.append(("response.function_call_arguments", {}, "arguments", item["arguments"]))
    for name, where, field, text in texts:
        for start in range(0, len(text), 4):
            events.append({"type": f"{name}.delta", **at, **where, "delta": text[start : start + 4]})
        events.append({"type": f"{name}.done", **at, **where, field: text})
    return [*events, {"type": "response.output_item.done", "output_index": index, "item": item}]


def ended(kind: str = "completed", **fields: Any) -> dict[str, Any]:
    """The terminal event, with these fields of the response."""
    return {"type": f"response.{kind}", "response": {"id": "resp_1", "status": kind, **fields}}


def numbered(events: list[dict[str, Any]], start: int = 0) -> list[dict[str, Any]]:
    """The events with their numbers."""
    return [event | {"sequence_number": number} for number, event in enumerate(events, start)]


def body(*events: dict[str, Any]) -> bytes:
    """An event stream as OpenAI sends it: named and numbered, after the event that names the response."""
    created = {
        "type": "response.created",
        "response": {"id": "resp_1", "model": "m", "status": "in_progress"},
    }
    return named(*numbered([created, *events]))


def _event(kind: str, id_: str | None, index: int | None, part: int, text: str) -> dict[str, Any]:
    field = "arguments" if "arguments" in kind else "input" if "input" in kind else "text"
    value = {"delta": text} if kind.endswith("delta") else {field: text}
    return {"type": kind, "item_id": id_, "output_index": index, "content_index": part, **value}


def _item(event: str, kind: str, id_: str | None, index: int | None, text: str) -> dict[str, Any]:
    item: dict[str, Any] = {
        "type": kind,
        "id": id_,
        "call_id": id_,
        "name": "f",
        "arguments": text,
        "input": text,
    }
    item |= {"content": [{"type": "output_text", "text": text}], "summary": [{"text": text}]}
    return {"type": f"response.output_item.{event}", "item": item, "output_index": index}


_IDS = st.sampled_from(["a", "b", "c", None])
_INDEXES = st.sampled_from([0, 1, None])
_KINDS = ["message", "reasoning", "function_call", "custom_tool_call", "web_search_call", "mcp_call", ""]
_NAMES = [
    f"response.{name}.{end}"
    for name in (
        *("output_text", "reasoning_text", "reasoning_summary_text", "refusal", "audio.transcript"),
        *("function_call_arguments", "custom_tool_call_input"),
    )
    for end in ("delta", "done")
]


def _counted(tokens: int) -> dict[str, Any]:
    return {"type": "response.in_progress", "response": {"id": "r", "usage": {"output_tokens": tokens}}}


_UNKNOWN: dict[str, Any] = {"type": "response.in_a_year", "delta": 5}
_EVENTS: st.SearchStrategy[dict[str, Any]] = st.one_of(
    st.builds(_event, st.sampled_from(_NAMES), _IDS, _INDEXES, st.integers(0, 1), _PIECES),
    st.builds(_item, st.sampled_from(["added", "done"]), st.sampled_from(_KINDS), _IDS, _INDEXES, _PIECES),
    st.builds(_counted, st.integers(1, 3)),
    st.just(_UNKNOWN).map(dict),
)
_ENDS: list[list[Any]] = [
    [],
    ["[DONE]"],
    [ended(output=ITEMS)],
    [ended(output=[]), "[DONE]"],
    [ended("incomplete", incomplete_details={"reason": "max_output_tokens"}, output=ITEMS[2:])],
    [ended("failed", error={"code": "rate_limit_exceeded"})],
    [ended("cancelled")],
    [{"type": "error", "code": "server_error", "message": "no"}],
    ["{"],
]


@st.composite
def responses_bodies(draw: st.DrawFn) -> bytes:
    """Event streams of any order, with numbers that may be missing, doubled or have holes."""
    events = draw(st.lists(_EVENTS, max_size=8))
    if draw(st.booleans()):
        wanted = draw(st.lists(st.sampled_from(ITEMS), max_size=2, unique_by=lambda item: item["id"]))
        events += [event for index, item in enumerate(wanted) for event in sent(item, index)]
    for number, event in enumerate(events):
        event["sequence_number"] = draw(st.sampled_from([number] * 12 + [None, 0, number + 1]))
    return sse(*events, *draw(st.sampled_from(_ENDS)), end=draw(st.sampled_from(["\n", "\r\n"])))
