"""Faults of HTTP's statuses: refusals, when to come again, and redirects."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http import HTTPStatus

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from streamd.errors import ConfigError

from ._delivery import Delivery
from ._expect import Expect
from ._failures import FAILURES, Failure
from ._kind import FaultKind, RetryRule, Strike
from ._outcomes import fails_with
from ._reply import Reply
from ._wire_event import WireEvent

__all__ = ["STATUSES"]


class _Status(Struct, frozen=True):
    """A status as a server gives it: with a wire's own words for a failure, in a code, or as a gateway's page."""

    status: int
    error: str
    retry: RetryRule
    code: str = ""
    name: str = ""


_TABLE: dict[str, _Status] = {
    f"http.{row.name or row.status}": row
    for row in (
        _Status(400, "BadRequestError", "NO"),
        _Status(401, "AuthenticationError", "NO"),
        _Status(402, "QuotaError", "NO", "insufficient_credits"),
        _Status(403, "AuthenticationError", "NO", "permission_denied"),
        _Status(404, "NotFoundError", "NO"),
        _Status(408, "ServerError", "R2", "timeout"),
        _Status(409, "ServerError", "R2", "conflict"),
        _Status(413, "BadRequestError", "NO", "request_too_large"),
        _Status(422, "BadRequestError", "NO", "unprocessable_entity"),
        _Status(425, "ServerError", "R2", "too_early"),
        _Status(429, "RateLimitError", "R2"),
        _Status(500, "ServerError", "R2"),
        _Status(502, "ServerError", "R2", "page"),
        _Status(503, "OverloadedError", "R2", "page"),
        _Status(504, "ServerError", "R2", "page"),
        _Status(529, "OverloadedError", "R2"),
        _Status(400, "BadRequestError", "NO", "context_length_exceeded", "context_length_exceeded"),
        _Status(429, "QuotaError", "NO", "insufficient_quota", "insufficient_quota"),
    )
}


def refused(reply: Reply, body: bytes, status: int, **headers: str) -> Reply:
    """The reply as a refusal with this body."""
    named = tuple((name.replace("_", "-"), value) for name, value in headers.items())
    return replace(
        reply,
        status=status,
        reason=HTTPStatus(status).phrase if status in set(HTTPStatus) else "Refused",
        headers=(("Content-Type", "application/json"), *named),
        head=reply.head if reply.edits else None,
        events=(WireEvent(body, "error", fatal=True),),
        framing="length",
    )


def _words(strike: Strike, status: int, code: str = "") -> bytes:
    """What a server of this wire says with a status."""
    if code == "page":
        title = HTTPStatus(status).phrase.encode()
        return b"<html><head><title>%b</title></head><body>%b</body></html>\n" % (title, title)
    if code:
        told = {"message": "The request failed.", "type": code, "code": code}
        return msgspec.json.encode({"error": told})
    failure = next((each for each in FAILURES.values() if each.status == status), None)
    return strike.wire.refusal(failure or FAILURES["server_error"])


def _status(reply: Reply, strike: Strike) -> Reply:
    row = _TABLE[strike.fault.name]
    return refused(reply, _words(strike, row.status, row.code), row.status)


def _rows() -> Iterator[FaultKind]:
    for name, row in _TABLE.items():
        words = f" and the code {row.code!r}" if row.name else ""
        yield FaultKind(
            name=name,
            summary=f"The server answers with status {row.status}{words}.",
            phase="head",
            retry=row.retry,
            expect=fails_with(row.error, final=row.retry == "NO"),
            apply=_status,
        )


def _any_status(reply: Reply, strike: Strike) -> Reply:
    status = int(strike.number(503))
    if not 300 <= status <= 599:
        raise ConfigError(f"the fault {strike.fault}: an error's status is one from 300 to 599")
    return refused(reply, _words(strike, status), status)


def _any_refused(_delivery: Delivery, strike: Strike) -> Expect:
    status = int(strike.number(503))
    if status < 400:
        return Expect(("RedirectRefused", "APIError"), final=True)
    row = _TABLE.get(f"http.{status}")
    told = next((each.error for each in FAILURES.values() if each.status == status), "APIError")
    final = 400 <= status < 500 if row is None else row.retry == "NO"
    return Expect((told if row is None else row.error, told), final=final)


_NOW = datetime(2026, 1, 5, 10, 0, 0, tzinfo=UTC)


def _retry_after(reply: Reply, strike: Strike) -> Reply:
    status = 402 if strike.fault.name == "http.402_retry_after" else 429
    body = _words(strike, status, "insufficient_credits" if status == 402 else "")
    value = strike.fault.value or "7"
    unit, _, number = value.partition(":")
    match unit, number:
        case "ms", text if text:
            return refused(reply, body, status, retry_after_ms=text)
        case "date", text if text:
            then = format_datetime(_NOW + timedelta(seconds=float(text)), usegmt=True)
            return refused(reply, body, status, date=format_datetime(_NOW, usegmt=True), retry_after=then)
        case _:
            return refused(reply, body, status, retry_after=value)


def _should_retry(reply: Reply, strike: Strike) -> Reply:
    value = strike.fault.value or "false"
    failure = _turned(value)
    return refused(reply, strike.wire.refusal(failure), failure.status, x_should_retry=value)


def _turned(value: str) -> Failure:
    """A failure of which the header says the contrary of its status."""
    return FAILURES["invalid_request" if value == "true" else "server_error"]


def _as_told(_delivery: Delivery, strike: Strike) -> Expect:
    value = strike.fault.value or "false"
    return Expect((_turned(value).error,), final=value == "false")


_TARGETS = {
    "same": "/elsewhere",
    "cross": "http://elsewhere.test/v1/take",
    "loop": "?",
    "port": "http://memory.test:8080/v1",
    "unreadable": "http://[",
    "missing": "",
}


def _redirect(reply: Reply, strike: Strike) -> Reply:
    status = int(strike.fault.name.rpartition("_")[2])
    value = strike.fault.value or "cross"
    if value not in _TARGETS:
        raise ConfigError(f"the fault {strike.fault}: the values are {', '.join(_TARGETS)}")
    place = _TARGETS[value]
    return refused(reply, b"{}", status, **({"location": place} if place else {}))


_WAITS = ("0", "7", "1.5", "ms:1500", "date:30", "date:-30", "-5", "nan", "1e3", "soon", "600", "1000000000")

STATUSES: tuple[FaultKind, ...] = (
    *_rows(),
    FaultKind(
        name="http.status",
        summary="The server answers with any error status, 503 if no value is given, and the wire's own words.",
        phase="head",
        retry="R2",
        expect=_any_refused,
        apply=_any_status,
        values=("300", "405", "418", "429", "501", "520"),
    ),
    FaultKind(
        name="http.429_retry_after",
        summary="The server refuses with 429 and says when to come again: `7`, `1.5`, `ms:1500`, `date:30` (a date so "
        "many seconds after its own), or anything else as it stands.",
        phase="head",
        retry="R2",
        expect=fails_with("RateLimitError"),
        apply=_retry_after,
        values=_WAITS,
    ),
    FaultKind(
        name="http.402_retry_after",
        summary="The server refuses with 402 and says when to come again: a rate limit in truth.",
        phase="head",
        retry="R2",
        expect=fails_with("RateLimitError"),
        apply=_retry_after,
        values=("7",),
    ),
    FaultKind(
        name="http.x_should_retry",
        summary="A header says whether to come again, against what the status says: `false` of a 500, `true` of a 400.",
        phase="head",
        retry="R2",
        expect=_as_told,
        apply=_should_retry,
        values=("false", "true"),
    ),
    *(
        FaultKind(
            name=f"http.redirect_{status}",
            summary=f"The server redirects ({status}): to another path, host (`cross`) or port, to the same place "
            "(`loop`), to what cannot be read, or nowhere.",
            phase="head",
            retry="NO",
            expect=fails_with("RedirectRefused", final=True),
            apply=_redirect,
            values=tuple(_TARGETS),
        )
        for status in (301, 302, 303, 307, 308)
    ),
)
"""The kinds of the layer `http` that are about the status."""
