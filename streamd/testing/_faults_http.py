"""Faults of HTTP: bodies that are something else than they should be, and the rows of its statuses and encodings."""

from __future__ import annotations

from msgspec.structs import replace

from streamd.errors import ConfigError

from ._delivery import Delivery
from ._documents import DOCUMENTS, document
from ._expect import Expect
from ._failures import FAILURES, Failure
from ._faults_http_encoding import ENCODINGS
from ._faults_http_status import STATUSES
from ._kind import FaultKind, Strike
from ._outcomes import NOTHING, fails_with
from ._reply import Cut, Repeat, Reply, Wait
from ._stage import Stage
from ._wire_event import WireEvent

__all__ = ["HTTP"]

_PAGE = b"<!DOCTYPE html>\n<html><head><title>Sign in</title></head><body><h1>Sign in</h1></body></html>\n"
_LABELS = {"html": "text/html; charset=utf-8", "stream": None, "none": ""}


def _typed(reply: Reply, content_type: str | None) -> Reply:
    """The reply with another `Content-Type`; none where it is empty, its own where it is None."""
    if content_type is None:
        return reply
    others = tuple(field for field in reply.headers if field[0].lower() != "content-type")
    return replace(reply, headers=(*others, ("Content-Type", content_type)) if content_type else others)


def _html(reply: Reply, strike: Strike) -> Reply:
    label = strike.fault.value or "html"
    if label not in _LABELS:
        raise ConfigError(f"the fault {strike.fault}: the values are {', '.join(_LABELS)}")
    page = WireEvent(_PAGE, "noise", fatal=True)
    return replace(_typed(reply, _LABELS[label]), events=(page,), framing="length")


def _empty(reply: Reply, strike: Strike) -> Reply:
    return replace(reply, events=(), framing="length" if strike.fault.value == "length" else "chunked")


def _no_content(reply: Reply, _strike: Strike) -> Reply:
    head = b"HTTP/1.1 204 No Content\r\n\r\n"
    return replace(reply, status=204, head=head, events=(), framing="length")


def _json(reply: Reply, strike: Strike) -> Reply:
    whole = document(strike.wire.name, reply.events)
    return replace(_typed(reply, "application/json"), events=(whole,), framing="length")


def _lost(reply: Reply, _strike: Strike) -> Reply:
    return replace(reply, cut=Cut(0, "rst", raw=True))


def _identified(stage: Stage, _strike: Strike) -> Stage:
    return replace(stage, identified=True)


def _failure(strike: Strike) -> Failure:
    name = strike.fault.value or "overloaded"
    if name not in FAILURES:
        raise ConfigError(f"the fault {strike.fault}: the failures are {', '.join(FAILURES)}")
    return FAILURES[name]


def _json_error(reply: Reply, strike: Strike) -> Reply:
    body = WireEvent(strike.wire.refusal(_failure(strike)), "error", fatal=True)
    return replace(_typed(reply, "application/json"), events=(body,), framing="length")


def _told(_delivery: Delivery, strike: Strike) -> Expect:
    failure = _failure(strike)
    told = strike.wire.told(failure)
    return Expect((failure.error, told), final=told == failure.error and not failure.retryable)


def _content_type(reply: Reply, strike: Strike) -> Reply:
    return _typed(reply, strike.fault.value or "application/json")


def _no_content_type(reply: Reply, _strike: Strike) -> Reply:
    return _typed(reply, "")


def _buffered(reply: Reply, strike: Strike) -> Reply:
    return replace(reply, coalesced=True, waits=(*reply.waits, Wait(-1, strike.number(20.0))))


def _endless_error(reply: Reply, strike: Strike) -> Reply:
    reply = replace(_typed(reply, "text/plain"), status=500, reason="Internal Server Error")
    if strike.fault.value == "trickle":
        word = WireEvent(b"failed ", "error", fatal=True)
        return replace(reply, events=(word,), repeat=Repeat(0, word, 1.0))
    line = WireEvent(b"it failed, and failed again\n" * 32, "error", fatal=True)
    return replace(reply, events=(line,), repeat=Repeat(0, line, 0.0))


def _no_stream(_delivery: Delivery, _strike: Strike) -> Expect:
    return Expect(("NotAStream",), once=True)


HTTP: tuple[FaultKind, ...] = (
    *STATUSES,
    FaultKind(
        name="http.204_on_stream",
        summary="The server says that there is nothing to say (204).",
        phase="head",
        retry="R3",
        expect=fails_with("Truncated"),
        apply=_no_content,
    ),
    FaultKind(
        name="http.empty_200",
        summary="The server answers with status 200 and an empty body, in chunks or with its length.",
        phase="head",
        retry="R3",
        expect=fails_with("Truncated"),
        apply=_empty,
        values=("chunked", "length"),
    ),
    FaultKind(
        name="http.html_200",
        summary="The server answers with status 200 and a web page, which it calls one (`html`), a stream, or nothing.",
        phase="head",
        retry="R3",
        expect=_no_stream,
        apply=_html,
        values=tuple(_LABELS),
    ),
    FaultKind(
        name="http.json_200",
        summary="The server answers with the whole answer as one JSON document, though a stream was asked for.",
        phase="head",
        retry="-",
        expect=NOTHING,
        apply=_json,
        wires=tuple(DOCUMENTS),
    ),
    FaultKind(
        name="http.json_error_200",
        summary="The server answers with status 200 and an error for a body.",
        phase="head",
        retry="R2",
        expect=_told,
        apply=_json_error,
        values=tuple(FAILURES),
    ),
    FaultKind(
        name="http.sse_wrong_content_type",
        summary="The stream is called something else; `application/json` if no value is given.",
        phase="head",
        retry="-",
        expect=NOTHING,
        apply=_content_type,
        values=("application/json", "text/plain", "application/octet-stream", "text/html"),
    ),
    FaultKind(
        name="http.missing_content_type",
        summary="The head does not say what the body is.",
        phase="head",
        retry="-",
        expect=NOTHING,
        apply=_no_content_type,
    ),
    FaultKind(
        name="http.buffered_proxy",
        summary="The whole answer comes at once, after so many seconds; 20 if no value is given.",
        phase="head",
        retry="-",
        expect=NOTHING,
        apply=_buffered,
        values=("5", "50"),
    ),
    FaultKind(
        name="http.answer_lost",
        summary="A gateway that answers a request once, however often it comes, is reset before its answer comes; the "
        "application is to tell by `Idempotency-Key` which requests are the same.",
        phase="head",
        retry="R1",
        expect=fails_with("ConnectionLost/headers"),
        apply=_lost,
        stage=_identified,
    ),
    FaultKind(
        name="http.error_body_endless",
        summary="The server answers with status 500 and an endless body: a `flood`, or a word each second (`trickle`).",
        phase="head",
        retry="R2",
        expect=fails_with("ServerError"),
        apply=_endless_error,
        values=("flood", "trickle"),
    ),
    *ENCODINGS,
)
"""The kinds of the layer `http`."""
