"""Whole streams from first byte to last, judged against what they are known to say.

`tests/data/streams` holds streams written for this test. Where the environment variable `STREAMD_CONFORMANCE` names a
folder with an `index.jsonl` of the same form, its streams of the wires there are, and the event-stream cases in its
`wpt_sse.jsonl`, are judged too.
"""

import base64
import json
import os
from pathlib import Path
from typing import Any

import pytest

from streamd.providers import WIRES, SSEDecoder, fold
from streamd.providers._usage import anthropic_usage, cohere_usage, gemini_usage, ollama_usage, openai_usage
from tests.support.decoding import decode, random_pieces, single_bytes

_OWN = Path(__file__).parents[1] / "data" / "streams"
_FOLDERS = [_OWN, *(Path(folder) for folder in [os.environ.get("STREAMD_CONFORMANCE")] if folder)]
_INCOMPLETE = {
    "error_event",
    "http_error",
    "last_event_unterminated",
    "no_events",
    "no_terminal_event",
    "non_json_data",
    "partial_args",
    "tool_args_invalid_json",
    "unterminated_tail",
}
_MUST_FAIL = {
    "responses-failed",
    "responses-no-end",
    "chat-no-end",
    "chat-error",
    "messages-no-end",
    "messages-error",
    "gemini-no-end",
    "gemini-error",
    "ollama-no-end",
    "ollama-error",
    "cohere-no-end",
    "cohere-error",
}
_USAGE = {
    "anthropic-messages": anthropic_usage,
    "cohere-v2": cohere_usage,
    "gemini": gemini_usage,
    "ollama-chat": ollama_usage,
    "openai-chat": openai_usage,
    "openai-responses": openai_usage,
}


def _lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_bytes().splitlines()] if path.exists() else []


_STREAMS = [
    pytest.param(folder, row, id=row["id"])
    for folder in _FOLDERS
    for row in _lines(folder / "index.jsonl")
    if row["wire"] in WIRES
]
_CASES = [
    pytest.param(row, id=row["name"])
    for folder in _FOLDERS
    for row in _lines(folder / "wpt_sse.jsonl")
    if not row.get("connection_fails") and not row.get("initial_last_event_id")
] + [
    pytest.param(
        {
            "input_b64": base64.b64encode(
                b"\xef\xbb\xbfid: 7\revent: e\r\ndata: a\ndata\n\n: c\n\ndata:  b\n\n"
            ).decode(),
            "expected": [
                {"type": "e", "data": "a\n", "lastEventId": "7"},
                {"type": "message", "data": " b", "lastEventId": "7"},
            ],
        },
        id="own",
    )
]


def _thinking(value: Any) -> str:
    return value if isinstance(value, str) else "".join(block["text"] for block in value or ())


@pytest.mark.parametrize(("folder", "row"), _STREAMS)
def test_a_stream_says_what_it_is_known_to_say(folder: Path, row: dict[str, Any]):
    """Text, thinking, tool calls and usage that are certain must match; only a stream that is not whole, or of which
    nothing is certain, may fail.
    """
    body = (folder / row["path"]).read_bytes()
    chunks, error = decode(row["wire"], body)
    assert error is None or _INCOMPLETE.intersection(row["features"]) or not row["gold"]
    message, expected, certain = fold(chunks), row["expect"], row["gold"]
    if "text" in certain:
        assert message.text == expected["text"]
    if "thinking" in certain:
        assert message.thinking == _thinking(expected.get("thinking"))
    if "tools" in certain:
        calls = [(call.name, call.arguments) for call in message.tool_calls]
        assert calls == [
            (call["name"], call.get("arguments") or {}) for call in expected.get("tool_calls") or ()
        ]
    if "usage" in certain:
        counted = _USAGE[row["wire"]](expected["usage"])
        assert counted is not None
        assert message.usage is not None
        assert message.usage.input_tokens == counted.input_tokens
        assert message.usage.output_tokens == counted.output_tokens


@pytest.mark.parametrize(("folder", "row"), _STREAMS)
def test_no_cut_changes_a_stream(folder: Path, row: dict[str, Any]):
    """Byte by byte (short streams), in pieces of random size, and as it was received: the same chunks and error."""
    body = (folder / row["path"]).read_bytes()
    chunks, error = decode(row["wire"], body)
    cuts = [random_pieces(body, len(body))] + ([single_bytes(body)] if len(body) <= 20_000 else [])
    for parts in cuts:
        again, again_error = decode(row["wire"], parts)
        assert again == chunks
        assert type(again_error) is type(error)


@pytest.mark.parametrize(
    "row", [row for row in _lines(_OWN / "index.jsonl") if row["wire"] in WIRES], ids=lambda row: row["id"]
)
def test_every_byte_of_a_stream_may_be_the_last(row: dict[str, Any]):
    """Cut at every byte, a stream never delivers less than with a byte fewer, and no call that the whole has not."""
    body = (_OWN / row["path"]).read_bytes()
    whole, error = decode(row["wire"], body)
    assert (error is not None) == (row["id"] in _MUST_FAIL)
    before = 0
    for cut in range(len(body)):
        chunks, _ = decode(row["wire"], body[:cut])
        message = fold(chunks)
        assert len(message.text) + len(message.thinking) >= before
        assert fold(whole).text.startswith(message.text)
        assert message.tool_calls in ((), fold(whole).tool_calls)
        before = len(message.text) + len(message.thinking)


@pytest.mark.parametrize("row", _CASES)
def test_an_event_stream_case(row: dict[str, Any]):
    """The events' types, data and last ids are those that the case lists, whole and byte by byte."""
    body = base64.b64decode(row["input_b64"])
    expected = [(case["type"], case["data"], case["lastEventId"]) for case in row["expected"]]
    for parts in ([body], single_bytes(body)):
        decoder = SSEDecoder()
        events = [event for part in parts for event in decoder.feed(part)]
        got = [
            (e.event.decode() or "message", e.data.decode("utf-8", "replace"), e.id.decode()) for e in events
        ]
        assert got == expected
