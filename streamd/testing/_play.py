"""A run as its server plays it: which turn is asked for, and which faults strike."""

from __future__ import annotations

import random
import struct
from collections.abc import Callable

import msgspec
from msgspec.structs import replace

from streamd.errors import ConfigError

from ._catalogue import kind_named
from ._delivery import delivery_of
from ._fault import Plan
from ._faults_http_status import refused
from ._kept import Kept
from ._kind import FaultKind, Phase, Strike
from ._render import render
from ._reply import Reply
from ._results import ResultTold, results_in
from ._resuming import ReadOn, Resuming
from ._scenario import Scenario
from ._script import opening, script
from ._stage import Stage
from ._steps import CLOSE, Request, Script
from ._trace import Attempt, Trace
from ._turn import Turn
from ._wire import Wire
from ._wire_event import WireEvent

__all__ = ["STAGED", "Play"]

_EARLY: tuple[Phase, ...] = ("connect", "request")
_LATE: tuple[Phase, ...] = ("head", "body", "after")
_DEPTHS: dict[str, int] = {"prov": 0, "tool": 0, "json": 1, "sse": 2}
_NOTHING_LEFT = (ValueError, LookupError, StopIteration, struct.error, msgspec.MsgspecError)
STAGED: tuple[Phase, ...] = ("tool", "consumer", "runtime")
"""The phases of the faults that strike the application itself."""


class Play:
    """The replies of one run: a server's playlist.

    Args:
        scenario: The conversation.
        plan: What goes wrong in it.
        wire: How it is said.
        seed: What is left open is drawn from it.
        trace: Told of every attempt.
        clock: The time in seconds after the start.
        key: The canary, for faults that show it.

    Raises:
        ConfigError: The catalogue has no such fault.
    """

    def __init__(
        self,
        scenario: Scenario,
        plan: Plan,
        wire: Wire,
        seed: int,
        trace: Trace,
        clock: Callable[[], float],
        *,
        key: str = "",
    ) -> None:
        # Where the last turn calls a tool, what is asked with its result is answered by a turn that says nothing more.
        self._turns = (*scenario.turns, *([Turn()] if scenario.turns and scenario.turns[-1].calls else []))
        self._plan = plan
        self._wire = wire
        self._seed = seed
        self._trace = trace
        self._clock = clock
        self._key = key
        self._stale: set[int] = set()
        self._kinds = [kind_named(fault.name) for fault in plan]
        self._order = sorted(range(len(plan)), key=lambda place: _depth(self._kinds[place]))
        self._left = [fault.times for fault in plan]
        self._attempts = 0
        self._turn = 1
        self._kept = Kept()
        self._broken: set[tuple[int, int]] = set()  # turns, and the places of the faults that struck them
        self._results: tuple[ResultTold, ...] | None = None
        self._request_key: str | None = None
        self._opened: dict[int, tuple[Reply, tuple[int, ...]]] = {}

    def stage(self) -> Stage:
        """What is done to the application."""
        stage = Stage()
        unasked = delivery_of(Reply(connect="refuse"))
        for place, kind in enumerate(self._kinds):
            strike = self._strike(place, 0, 0)
            stage = kind.stage(stage, strike)
            if kind.phase in STAGED:
                self._trace.staged += (kind.expect(unasked, strike),)
        return stage

    def open(self, connection: int) -> Reply:
        """What becomes of a connection, and how its first request is read; called once for each connection."""
        number = self._attempts + 1
        reply, struck = self._struck(Reply(), _EARLY, number, None)
        if reply.connect != "ok":
            self._attempts = number
            self._note(number, None, reply, struck)
        else:
            self._opened[connection] = reply, struck
        return reply

    def gave_up(self, connection: int) -> None:
        """The client did not wait for a connection that was under way: it is an attempt that came to nothing."""
        if connection in self._opened:
            reply, struck = self._opened.pop(connection)
            self._attempts += 1
            self._note(self._attempts, None, replace(reply, connect="blackhole"), struck)

    def peek(self, connection: int) -> Script:
        """How the next request of a connection is read."""
        opened = self._opened.get(connection)
        return () if opened is None else opening(opened[0])

    def next(self, connection: int, request: Request | None) -> Script:
        """The script for a request."""
        if connection in self._stale:
            self.note(f"connection {connection + 1} was stale: the request on it is not answered")
            return (CLOSE,)
        resuming, kept = self._wire.resuming, False
        self._results = None
        self._request_key = None if request is None else request.headers.get("idempotency-key", "")
        # A request that was not read is taken for one for the turn that was asked for last.
        asked = self._kept.asked_unread(self._turn) if request is None else None
        if request is not None and resuming is not None and request.method == "GET":
            asked = resuming.asked(request.target)
        if asked is None and request is not None and request.body:
            self._turn = min(self._wire.answered(request.body) + 1, len(self._turns))
            self._results = results_in(request.body)
            kept = resuming is not None and resuming.keeps(request.body)
        if asked is None or resuming is None:
            reply = self.answer(self._turn, connection, kept=kept).reply
        else:
            reply = self.read_on(asked, resuming, connection).reply
        if reply.after == "stale" and reply.cut is None:
            self._stale.add(connection)
        return script(reply)

    def answer(self, turn: int, connection: int | None = None, *, kept: bool = False) -> Attempt:
        """The next attempt: what a request for this turn, from 1, is answered on this connection.

        Args:
            turn: The turn.
            connection: The connection's place; None where there is none.
            kept: Whether the response is to be kept, where the wire has that.
        """
        self._attempts += 1
        good = render(self._turns[turn - 1], self._wire, turn, kept=kept)
        reply, early = self._begun(good, connection)
        reply, struck = self._struck(reply, _LATE, self._attempts, turn)
        attempt = self._note(self._attempts, turn, reply, (*early, *struck), kept=kept)
        self._kept.forget(turn)
        if kept and self._wire.resuming is not None:
            self._kept.begin(self._wire.resuming, good, attempt)
        return attempt

    def read_on(self, asked: ReadOn, resuming: Resuming, connection: int | None = None) -> Attempt:
        """The next attempt: what a request for the rest of a response is answered on this connection.

        Args:
            asked: What it asks for.
            resuming: The wire's way.
            connection: The connection's place; None where there is none.
        """
        self._attempts += 1
        found = self._kept.rest(resuming, asked)
        good, before = found or (refused(Reply(), resuming.gone(404), 404), ())
        reply, early = self._begun(good, connection)
        turn = None if found is None else asked.turn
        reply, struck = self._struck(reply, _LATE, self._attempts, turn, asked.after, before)
        attempt = self._note(
            self._attempts, turn, reply, (*early, *struck), after=asked.after, kept=found is not None
        )
        if found is None:
            return attempt
        attempt = self._kept.take_in(resuming, asked, attempt)
        self._trace.attempts[-1] = attempt
        return attempt

    def note(self, what: str) -> None:
        """Write down what else the server saw."""
        self._trace.add(self._clock(), "server", what)

    def _begun(self, reply: Reply, connection: int | None) -> tuple[Reply, tuple[int, ...]]:
        """The reply with what was settled when its connection was made, and the faults that did that."""
        if connection not in self._opened:
            return reply, ()
        opened, early = self._opened.pop(connection)
        return replace(reply, reading=opened.reading, cut=opened.cut), early

    def _struck(
        self,
        reply: Reply,
        phases: tuple[Phase, ...],
        number: int,
        turn: int | None,
        after: int | None = None,
        before: tuple[WireEvent, ...] = (),
    ) -> tuple[Reply, tuple[int, ...]]:
        """The reply with those faults applied that strike now, and their places in the plan."""
        struck: list[int] = []
        if turn is not None and after is None:
            self._broken = {each for each in self._broken if each[0] != turn}
        for place in self._order:
            fault, kind = self._plan[place], self._kinds[place]
            if not kind.on(self._wire.name) or (kind.layer == "tool" and _has_calls(before)):
                continue  # what has come of a call cannot become another's any more
            apply = kind.apply
            if after is not None and kind.resumed is not None:
                if (turn, place) not in self._broken:
                    continue
                apply = kind.resumed
            elif kind.phase in phases and self._left[place] > 0 and fault.is_meant(number, turn):
                self._left[place] -= 1
                if turn is not None and kind.resumed is not None:
                    self._broken.add((turn, place))
            else:
                continue
            try:
                reply = apply(reply, self._strike(place, number, turn, after, before))
            except _NOTHING_LEFT as error:
                if isinstance(error, ConfigError) or not struck:
                    raise
                # Another fault has left nothing that this one could strike: a redirect has no events.
                self.note(f"{fault} finds nothing to strike")
                continue
            struck.append(place)
        return reply, tuple(sorted(struck))

    def _strike(
        self,
        place: int,
        number: int,
        turn: int | None,
        after: int | None = None,
        before: tuple[WireEvent, ...] = (),
    ) -> Strike:
        rng = random.Random(f"{self._seed}/{place}/{number}")
        return Strike(self._plan[place], self._wire, rng, number, turn or 0, self._key, after, before)

    def _note(
        self,
        number: int,
        turn: int | None,
        reply: Reply,
        struck: tuple[int, ...],
        *,
        after: int | None = None,
        kept: bool = False,
    ) -> Attempt:
        delivery = delivery_of(reply)
        staged = (place for place, kind in enumerate(self._kinds) if kind.phase in STAGED)
        places = (*struck, *staged)
        expect = tuple(
            self._kinds[place].expect(delivery, self._strike(place, number, turn, after)) for place in places
        )
        attempt = Attempt(
            number=number,
            turn=turn,
            at=self._clock(),
            reply=reply,
            faults=struck,
            delivery=delivery,
            alone=delivery,
            after=after,
            kept=kept,
            results=self._results if turn is not None and after is None else None,
            request_key=self._request_key,
            broke=self._kept.broke() if after is not None or turn is None else (),
            expect=expect,
            rules=tuple(self._kinds[place].retry for place in places),
        )
        self._trace.attempts.append(attempt)
        faults = ", ".join(str(self._plan[place]) for place in struck) or "none"
        self.note(f"attempt {number}: {attempt.asked}; faults: {faults}")
        return attempt


def _depth(kind: FaultKind) -> int:
    """How far out it is: what events say is changed first, then how they are framed, and then what carries them."""
    return 4 if kind.late else _DEPTHS.get(kind.layer, 3)


def _has_calls(events: tuple[WireEvent, ...]) -> bool:
    return any(event.kind == "call" for event in events)
