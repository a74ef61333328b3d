"""Bodies as Gemini streams them, in both of its framings."""

import json
from typing import Any

from hypothesis import strategies as st

from tests.support.decoding import sse

__all__ = ["array", "bodies", "candidate", "one_part"]


def array(*events: Any, between: str = "\n,\r\n") -> bytes:
    """The events as one JSON array, pretty as Google writes it; what is text is taken as it is."""
    texts = [event if isinstance(event, str) else json.dumps(event, indent=2) for event in events]
    return f"[{between.join(texts)}\n]".encode()


def candidate(*parts: dict[str, Any], finish: Any = None, **more: Any) -> dict[str, Any]:
    """An event whose first candidate adds these parts."""
    content: dict[str, Any] = {"content": {"role": "model", "parts": list(parts)}} if parts else {}
    return {"candidates": [{**content, "finishReason": finish, "index": 0, **more}]}


def one_part(**part: Any) -> dict[str, Any]:
    """An event whose first candidate adds one part."""
    return candidate(part)


def _piece(path: str, text: str, goes_on: bool) -> dict[str, Any]:
    call = {"partialArgs": [{"jsonPath": path, "stringValue": text}], "willContinue": goes_on}
    return one_part(functionCall=call)


_TEXTS = st.sampled_from(["a", "é", "\u2028", "\U0001f600", "{", '"x":1', "}", '{"x":["]"]}', "\\", ""])
_SIGNATURES = st.sampled_from([None, "c2ln", "YS9iKw=="])
_ARGUMENTS: list[dict[str, Any] | None] = [{}, {"x": 1}, {"t": "}{]["}, None]
_CALLS: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries(
    {
        "name": st.sampled_from(["f", "g", None]),
        "args": st.sampled_from(_ARGUMENTS),
        "id": st.sampled_from(["c1", "c2", None]),
    }
)
_EVENTS: st.SearchStrategy[Any] = st.one_of(
    st.builds(one_part, text=_TEXTS, thought=st.sampled_from([None, True]), thoughtSignature=_SIGNATURES),
    st.builds(one_part, functionCall=_CALLS, thoughtSignature=_SIGNATURES),
    st.just(one_part(functionCall={"name": "f", "willContinue": True})),
    st.builds(_piece, st.sampled_from(["$.a", "$.b.c", "$.l[0]"]), _TEXTS, st.booleans()),
    st.just(one_part(inlineData={"mimeType": "image/png", "data": "AAEC"})),
    st.just(one_part(executableCode={"language": "PYTHON", "code": "print('}')"})),
    st.just({"usageMetadata": {"promptTokenCount": 3, "candidatesTokenCount": 2}, "responseId": "r"}),
    st.just({"candidates": [{"index": 1, "content": {"parts": [{"text": "other"}]}}]}),
    st.just({"candidates": None}),
)
_ENDS: list[list[Any]] = [
    [],
    [candidate(finish="STOP")],
    [candidate({"text": "b"}, finish="MAX_TOKENS")],
    [{"promptFeedback": {"blockReason": "SAFETY"}}],
    [{"error": {"code": 503, "status": "UNAVAILABLE", "message": "m"}}],
    [candidate(finish="STOP"), "{"],
]


@st.composite
def bodies(draw: st.DrawFn) -> bytes:
    """A body in one of the two framings: some events, and one of the ways in which a turn ends."""
    events = draw(st.lists(_EVENTS, max_size=6)) + draw(st.sampled_from(_ENDS))
    if draw(st.booleans()):
        before = draw(st.sampled_from([b"", b"\xef\xbb\xbf", b"\r\n "]))
        return before + array(*events, between=draw(st.sampled_from([",", "\n,\n", ",\r\n"])))
    before = draw(st.sampled_from([b"", b"\xef\xbb\xbf", b": hello\n\n", b"\n"]))
    bare = b'{\n  "error": {"code": 499, "status": "CANCELLED"}\n}\n'
    end = draw(st.sampled_from(["\n", "\r\n", "\r"]))
    return before + sse(*events, end=end) + draw(st.sampled_from([b"", b"", bare]))
