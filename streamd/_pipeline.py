"""The pipeline of one response: what feeds it and the parser, joined by a channel, supervised as one."""

from __future__ import annotations

from typing import Any

import trio

from streamd.providers import Decoder, HTTPRequest, Provider
from streamd.supervisors import ChildSpec, RestartLimit, SupervisionError, Supervisor

from ._handoff import Handoff
from ._http import HTTPClient
from ._http_events import ParserInput
from ._outlet import Outlet
from ._parser import Parser
from ._producer import produce, produce_alone
from ._recorder import Recorder
from ._timers import Clock, Timeouts
from ._turn import Turn
from .errors import ActorCrashed, StreamdError

__all__ = ["Pipeline", "Told", "crashed"]


class Pipeline:
    """The actors of one response: a session's attempt at a turn is one, and so is a `StreamServer`.

    They stand and fall as one: the first actor to fail ends the others. Every response has its own channel, decoder
    and clock. The channel holds nothing: a producer keeps at most one read in its hands, so that backpressure reaches
    the socket. In the step in which the end is known, however it comes, the turn is finished and the outlet told.

    Args:
        provider: Whose response it is.
        turn: What the response comes to.
        outlet: Given the chunks.
        timeouts: The timers.
        recorder: Told what passes, if it is recorded.
        decoder: What decodes the body, where it continues another one; one of the provider's if None.
    """

    __slots__ = (
        "_outlet",
        "_parser",
        "_recorder",
        "_timeouts",
        "clock",
        "decoder",
        "events",
        "supervisor",
        "turn",
    )

    def __init__(
        self,
        provider: Provider,
        turn: Turn,
        outlet: Outlet,
        timeouts: Timeouts,
        recorder: Recorder | None = None,
        decoder: Decoder | None = None,
    ) -> None:
        self.turn = turn
        self.clock = Clock(timeouts)
        self.events = Handoff[ParserInput]()
        self.supervisor: Supervisor | None = None
        self._timeouts = timeouts
        self._outlet = outlet
        self._recorder = recorder
        self.decoder: Decoder = provider.decoder() if decoder is None else decoder
        self._parser = Parser(provider, self.decoder, turn, self.clock, outlet, recorder)

    def producer(self, request: HTTPRequest, client: HTTPClient | None) -> ChildSpec:
        """The child that makes a request, with a client of its own if there is none, and feeds its response here."""
        self.note_request(request)
        feed, last = (self.events, self._parser.take), (request, self._timeouts.connect)
        if client is None:
            return ChildSpec(id="producer", run=produce_alone, args=(*feed, *last), restart="transient")
        return ChildSpec(id="producer", run=produce, args=(*feed, client, *last), restart="transient")

    def note_request(self, request: HTTPRequest) -> None:
        """The response is to this request: it is recorded, and its secrets are kept out of errors."""
        self._parser.secrets = request.hidden
        if self._recorder is not None:
            self._recorder.request(request)

    async def run(
        self,
        *feeders: ChildSpec,
        name: str | None = None,
        task_status: trio.TaskStatus[Any] = trio.TASK_STATUS_IGNORED,
    ) -> None:
        """Run the parser and these, until the response has ended; errors are the turn's, and not raised.

        Cancelling ends it at once; a turn that had not ended is then cancelled.
        """
        if self.turn.ended_at is not None:
            task_status.started()
            return
        self.supervisor = Supervisor(
            ChildSpec(
                id="parser",
                run=self._parser.run,
                args=(self.events,),
                restart="transient",
                significant=True,
            ),
            *feeders,
            strategy="one_for_all",
            restarts=RestartLimit(0),
            auto_shutdown="any",
            name=name,
        )
        try:
            with self.events:
                await self.supervisor.run(task_status=task_status)
        except SupervisionError as failed:
            # Where the turn is complete, what failed was its clearing away, and this says nothing.
            self._parser.finish(crashed(failed.failures[0].error))
        finally:
            self.supervisor = None  # its children refer back to whoever holds this
            self.cancel()

    def cancel(self) -> None:
        """End the response now, without an error, unless it has ended; the actors are told to stop."""
        if self.turn.finish("cancelled"):
            self._outlet.end()
        if self.supervisor is not None:
            self.supervisor.request_shutdown("the response was cancelled")
        else:
            self.events.close()  # nobody will take what others wait to give


class Told:
    """A `task_status` that is told of the supervisor, and tells of whose it is."""

    __slots__ = ("_status", "_value")

    def __init__(self, status: trio.TaskStatus[Any], value: object) -> None:
        self._status = status
        self._value = value

    def started(self, value: object = None) -> None:
        """The actors are ready."""
        self._status.started(self._value)


def crashed(error: BaseException) -> StreamdError:
    """What the user is told of an error of an actor: itself, or what it never should have raised, as a cause."""
    if isinstance(error, StreamdError):
        return error
    crash = ActorCrashed(f"an actor of the session crashed: {type(error).__name__}: {error}")
    crash.__cause__ = error
    return crash
