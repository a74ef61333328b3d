"""Bodies as Ollama streams them."""

import json
from typing import Any

from hypothesis import strategies as st

__all__ = ["bodies", "last", "lines", "said"]


def lines(*payloads: Any, end: str = "\n") -> bytes:
    """A body with one line for each payload; what is text is taken as it is."""
    texts = [payload if isinstance(payload, str) else json.dumps(payload) for payload in payloads]
    return "".join(text + end for text in texts).encode()


def said(**message: Any) -> dict[str, Any]:
    """A line that adds to the message."""
    return {"model": "m", "message": {"role": "assistant", "content": "", **message}, "done": False}


def last(reason: str | None = "stop", **more: Any) -> dict[str, Any]:
    """The line that ends a turn."""
    counts = {"prompt_eval_count": 5, "eval_count": 3}
    told = {"done_reason": reason} if reason is not None else {}
    return {"model": "m", "message": {"content": ""}, "done": True, **told, **counts, **more}


def _called(name: str | None, arguments: Any, id_: str | None) -> dict[str, Any]:
    return said(tool_calls=[{"id": id_, "function": {"index": 0, "name": name, "arguments": arguments}}])


_TEXTS = st.sampled_from(["a", "é", "\u2028", "\U0001f600", "{", "}", "\r\n", ""])
_ARGUMENTS: list[Any] = [{}, {"x": 1}, {"t": "}\n"}, '{"x":2}', '{"x":', None]
_LINES: st.SearchStrategy[Any] = st.one_of(
    st.builds(said, content=_TEXTS, thinking=_TEXTS),
    st.builds(said, thinking=_TEXTS),
    st.builds(
        _called,
        st.sampled_from(["f", "g", None]),
        st.sampled_from(_ARGUMENTS),
        st.sampled_from(["c1", "c2", None]),
    ),
    st.just(said(images=["AAEC"])),
    st.just({**said(content="b"), "logprobs": [{"token": "b", "logprob": -0.5}]}),
    st.just({"status": "loading"}),
    st.just(""),
)
_ENDS: list[list[Any]] = [
    [],
    [last()],
    [last("length")],
    [last(None)],
    [{"error": "model not found"}],
    ["{"],
]


@st.composite
def bodies(draw: st.DrawFn) -> bytes:
    """Some lines, and one of the ways in which a turn ends; the last line may lack its end."""
    payloads = draw(st.lists(_LINES, max_size=6)) + draw(st.sampled_from(_ENDS))
    body = lines(*payloads, end=draw(st.sampled_from(["\n", "\r\n"])))
    before = draw(st.sampled_from([b"", b"\xef\xbb\xbf", b"\n", b"  \r\n"]))
    return before + (body.rstrip(b"\r\n") if draw(st.booleans()) else body)
