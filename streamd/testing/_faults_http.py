"""Faults of HTTP: statuses, headers, and bodies that are something else."""

from __future__ import annotations

from msgspec.structs import replace

from ._delivery import Delivery
from ._expect import Expect
from ._failures import FAILURES, Failure
from ._kind import FaultKind, Strike
from ._outcomes import fails_with
from ._reply import Reply
from ._wire_event import WireEvent

__all__ = ["HTTP"]

_NEVER = frozenset((400, 401, 403, 404, 405, 413, 422))
_PAGE = b"<!DOCTYPE html>\n<html><head><title>Sign in</title></head><body><h1>Sign in</h1></body></html>\n"


def _status(reply: Reply, strike: Strike) -> Reply:
    status = int(strike.number(503))
    failure = next((each for each in FAILURES.values() if each.status == status), None)
    body = strike.wire.refusal(failure or Failure("server_error", status, "APIError", retryable=True))
    return replace(
        reply,
        status=status,
        reason="Refused",
        headers=(("Content-Type", "application/json"),),
        events=(WireEvent(body, "error", fatal=True),),
        framing="length",
    )


def _refused(_delivery: Delivery, strike: Strike) -> Expect:
    status = strike.number(503)
    failure = next((each for each in FAILURES.values() if each.status == status), None)
    return Expect(("APIError",) if failure is None else (failure.error,), final=status in _NEVER)


def _html(reply: Reply, _strike: Strike) -> Reply:
    return replace(
        reply,
        headers=(("Content-Type", "text/html; charset=utf-8"),),
        events=(WireEvent(_PAGE, "noise", fatal=True),),
        framing="length",
    )


HTTP: tuple[FaultKind, ...] = (
    FaultKind(
        name="http.status",
        summary="The server answers with an error status, 503 if no value is given, and the wire's own words.",
        phase="head",
        retry="R2",
        expect=_refused,
        apply=_status,
        values=("400", "401", "404", "429", "500", "503", "529"),
    ),
    FaultKind(
        name="http.html_200",
        summary="The server answers with status 200 and a web page.",
        phase="head",
        retry="R3",
        expect=fails_with("NotAStream"),
        apply=_html,
    ),
)
"""The kinds of the layer `http`."""
