"""A run for clients that choose the wire: by the path that they ask."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from http import HTTPStatus

import msgspec

from ._fault import Plan
from ._play import Play
from ._render import WIRES
from ._scenario import Scenario
from ._steps import Request, Script, response
from ._trace import Trace
from ._wire import Wire
from ._wire_paths import is_streaming, methods_of, wire_of

__all__ = ["AnyWire"]

_NOWHERE = (
    "this server plays the wires "
    f"{', '.join(WIRES)}, at the paths where their providers have them, such as /v1/chat/completions, "
    "/v1/messages or /api/chat; it answers requests by POST that ask for a stream, and by GET "
    "those that read on a response in the background"
)
_NO_STREAM = 'this server only streams: ask for a stream, as with "stream": true'


class AnyWire(Play):
    """The replies of one run, in the wire that each request asks for.

    Args:
        scenario: The conversation.
        plan: What goes wrong in it.
        wire: The wire of every request, wherever it goes; by its path if None.
        seed: What is left open is drawn from it.
        trace: Told of every attempt.
        clock: The time in seconds after the start.
        key: The canary, for faults that show it.
        told: Given a line for each request.
    """

    def __init__(
        self,
        scenario: Scenario,
        plan: Plan,
        wire: Wire | None,
        seed: int,
        trace: Trace,
        clock: Callable[[], float],
        *,
        key: str = "",
        told: Callable[[str], None] | None = None,
    ) -> None:
        super().__init__(scenario, plan, wire or WIRES["openai-chat"], seed, trace, clock, key=key)
        self._any = wire is None
        self._told = told

    def next(self, connection: int, request: Request | None) -> Script:
        """The script for a request; one of no wire is told what there is."""
        if request is None:
            return self._answered(connection, request)
        if self._any:
            wire = wire_of(request.target, request.method)
            if wire is None:
                allowed = methods_of(request.target)
                return self._refused(request, 405 if allowed else 404, _NOWHERE, allowed)
            self._wire = wire
        try:
            if self._any and request.body and not is_streaming(self._wire, request.body):
                return self._refused(request, 400, _NO_STREAM)
            return self._answered(connection, request)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            why = f"the request's body is none of the wire {self._wire.name}: {error}"
            return self._refused(request, 400, why)

    def garbled(self, connection: int) -> bytes:
        """What is answered on a connection that brought what is no request."""
        self.note(f"connection {connection + 1} brought what is no request of HTTP/1.1")
        self._tell(None, "refused with 400: no request of HTTP/1.1")
        return response(400, {"Connection": "close"}, reason="Bad Request")

    def _answered(self, connection: int, request: Request | None) -> Script:
        answered = len(self._trace.attempts)
        steps = super().next(connection, request)
        for attempt in self._trace.attempts[answered:]:
            faults = ", ".join(str(self._plan[place]) for place in attempt.faults) or "no fault"
            self._tell(request, f"{self._wire.name}, {attempt.asked}: {faults}")
        return steps

    def _refused(self, request: Request, status: int, why: str, allowed: Sequence[str] = ()) -> Script:
        self._tell(request, f"refused with {status}")
        body = msgspec.json.encode({"error": {"type": "invalid_request_error", "message": why}})
        headers = {"Content-Type": "application/json"}
        if allowed:
            headers["Allow"] = ", ".join(allowed)
        answer = response(status, headers, body, reason=HTTPStatus(status).phrase)
        return (answer.removesuffix(body) if request.method == "HEAD" else answer,)

    def _tell(self, request: Request | None, what: str) -> None:
        # Not its query, where some put a key.
        asked = "unread" if request is None else f"{request.method} {request.target.partition('?')[0]}"
        if self._told is not None:
            self._told(f"{asked}  {what}")
