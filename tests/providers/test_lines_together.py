"""Lines of one read that are taken together are read as each would be by itself."""

import json
from collections.abc import Callable, Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamd.providers import Chunk, MalformedEvent, Metadata, StreamdError, Text
from streamd.providers._ollama_decoder import OllamaMachine
from streamd.providers._sse_chunk_decoder import SSEChunkDecoder
from tests.support.decoding import random_pieces, single_bytes
from tests.support.ollama import last, lines, said

_Take = Callable[[Iterator[bytes], list[Chunk]], bytes | None]
_PLAIN = b'{"message":{"content":"b"},"done":false}'
_ODD = [
    b"",
    b" ",
    b"\r",
    b"[DONE]",
    b"\xef\xbb\xbf" + _PLAIN,
    _PLAIN + b"\r",
    _PLAIN + b" \t",
    _PLAIN + _PLAIN,
    _PLAIN + b"," + _PLAIN,
    b'{"message":{"content":"b"}',
    b',"done":false}',
    b'{"message":{"content":"b\xff"},"done":false}',
    b'{"new":"\xff","message":{"content":"b"},"done":false}',
    b'{"new":"\xc3","message":{"content":"b"},"done":false}',
    b'{"new":"\xed\xa0\x80","message":{"content":"b"},"done":false}',
    b'{"message":{"content":"b\\ud800"},"done":false}',
    b'{"message":{"content":7},"done":false}',
    b'{"message":{"content":"b"},"done":false,"new":NaN}',
    b'{"message":{"content":"b"},"done":true}',
    b'{"message":{"content":"b"}}',
    b'{"message":' + b"[" * 2000,
    b'{"error":"boo"}',
    b'{"message":{"content":"b"},"done":false,"type":"error"}',
    b'{"message":{"content":"b"},"done":false,"object":"error"}',
    b'{"message":{"content":"b"},"done":false,"error":"boo"}',
    b'{"message":{"content":"b"},"done":false,"prompt_eval_count":2}',
    b"[]",
    b"nonsense",
    *lines(
        {**said(content="b"), "logprobs": [{"token": "b", "logprob": -0.5}]},
        {**said(content="b"), "eval_count": 2},
        said(images=["AAEC"]),
        said(images=["no base64"]),
        said(tool_calls=[{"function": {"name": "f", "arguments": {"x": 1}}}]),
        last(),
    ).splitlines(),
]


def _said(content: str, thinking: str) -> bytes:
    return json.dumps(said(content=content, thinking=thinking), ensure_ascii=False).encode()


_LINES = st.one_of(
    st.builds(
        _said,
        st.sampled_from(["a", "é", "\u2028", "}\n{", ""]),
        st.sampled_from(["", "t", "ü"]),
    ),
    st.just(_PLAIN),
    st.sampled_from(_ODD),
)


def _singly(given_: Iterator[bytes], _out: list[Chunk]) -> bytes | None:
    return next(given_, None)


def _read(parts: list[bytes], take: _Take | None, limit: int) -> tuple[list[list[Chunk]], object]:
    """The chunks of each call, and the error with all that it tells."""
    machine = OllamaMachine()
    decoder = SSEChunkDecoder(machine, lines=take or machine.lines, max_event_bytes=limit)
    told: list[list[Chunk]] = []
    try:
        told += map(decoder.feed, parts)
        told.append(decoder.close())
    except StreamdError as error:
        offset = error.offset if isinstance(error, MalformedEvent) else None
        return [*told, list(error.chunks)], (type(error), str(error), offset)
    return told, None


@given(
    st.lists(_LINES, max_size=12),
    st.sampled_from([b"\n", b"\r\n"]),
    st.sampled_from([1 << 20, 60]),
    st.integers(0, 1 << 20),
)
@settings(deadline=None, max_examples=300)
def test_together_is_as_singly(drawn: list[bytes], end: bytes, limit: int, seed: int) -> None:
    """The same chunks from each call, and the same error: its text, its place, and what it carries."""
    body = b"".join(line + end for line in [_PLAIN[:-1] + b',"model":"m"}', *drawn])
    for parts in ([body], body.splitlines(keepends=True), random_pieces(body, seed), single_bytes(body)):
        assert _read(parts, None, limit) == _read(parts, _singly, limit)


@pytest.mark.parametrize("bad", [line for line in _ODD if b"\xff" in line or b"\xc3" in line])
def test_what_is_no_text_spoils_its_own_line_only(bad: bytes) -> None:
    """The lines before it in the read are delivered, and the place of the error is the end of that line."""
    before = lines(said(content="a"), said(content="b"))
    told, error = _read([before + bad + b"\n" + _PLAIN + b"\n"], None, 1 << 20)
    assert told == [[Metadata(None, "m"), Text("a"), Text("b")]]
    assert isinstance(error, tuple)
    assert (error[0], error[2]) == (MalformedEvent, len(before) + len(bad) + 1)
