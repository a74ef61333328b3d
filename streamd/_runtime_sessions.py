"""The sessions of a runtime: each admitted, named, hosted as a child of its own, and taken leave of."""

from __future__ import annotations

import math
from collections import Counter
from contextlib import suppress
from typing import Literal, cast, final

import trio

from streamd.supervisors import (
    ChildRef,
    ChildSpec,
    ChildStartError,
    DynamicSupervisor,
    MaxChildrenReached,
    NotRunning,
    Registry,
    UnknownChild,
    current_child,
)

from ._http import HTTPClient
from ._opening import Opening
from ._retry_budget import RetryBudget, RetryTokens
from ._session import Session
from ._turn import Status
from .errors import AdmissionError, RuntimeClosed, SessionExists, TooManySessions

__all__ = ["OnFull", "Sessions"]

OnFull = Literal["wait", "refuse"]
"""What becomes of a session for which a runtime has no place: it waits for one, or is refused at once."""


@final
class Sessions:
    """The sessions under one `DynamicSupervisor`. Opening or ending one costs the same however many there are.

    Attributes:
        opened: How many sessions were started so far.
        ended: How many of them have ended, by status.
        tokens: What is left of the retry budget, by the provider's name.
    """

    __slots__ = (
        "_admitting",
        "_budget",
        "_client",
        "_closed",
        "_emptied",
        "_hosted",
        "_named",
        "_on_full",
        "_pool",
        "_seats",
        "ended",
        "opened",
        "tokens",
    )

    def __init__(
        self, pool: DynamicSupervisor, client: HTTPClient, budget: RetryBudget | None, on_full: OnFull
    ) -> None:
        self._pool = pool
        self._client = client
        self._budget = budget
        self._on_full = on_full
        # A name is taken while its session is being opened too.
        self._seats: Registry[_Seat] = Registry()
        self._admitting: set[trio.CancelScope] = set()
        self._hosted = 0
        self._named = 0
        self._closed = False
        self._emptied = trio.Event()
        self.opened: int = 0
        self.ended: Counter[Status] = Counter()
        self.tokens: dict[str, RetryTokens] = {}

    def living(self) -> dict[str, Session]:
        """The sessions that are open now, by id, in the order they were admitted."""
        seats = [self._seats.lookup(name) for name in self._seats.names()]
        return {seat.session.id: seat.session for seat in seats if seat.session is not None}

    def find(self, id: str) -> Session | None:  # noqa: A002 - as `Session.id`
        """The open session of an id."""
        return self._seats.lookup(id).session if id in self._seats else None

    @trio.lowlevel.enable_ki_protection
    async def open(self, opening: Opening) -> tuple[Session, ChildRef]:
        """Admit a session and start it.

        Raises:
            AdmissionError: It was not admitted.
            StreamdError: It could not be started.

        Cancelling gives up the place, in the queue or among the sessions, and awaits what was started.
        """
        name = opening.id or self._free_name()
        self._check(name)
        spec = ChildSpec(id=name, run=self._host, args=(name, opening), shutdown=math.inf)
        ref: ChildRef | None = None
        failed: BaseException | None = None
        scope = trio.CancelScope()
        self._admitting.add(scope)
        try:
            with scope:
                ref = await self._pool.start_child(spec, wait=self._on_full == "wait")
        except MaxChildrenReached:
            failed = TooManySessions(f"session {name!r}: {self._hosted} live already, the most allowed")
        except ChildStartError as exc:
            failed = exc.__cause__
        except NotRunning:
            pass
        finally:
            self._admitting.discard(scope)
        try:
            if failed is not None:
                raise failed
            if ref is None:
                raise _closed(name)
        finally:
            del failed  # else the error's traceback and this frame keep each other alive
        return cast("Session", ref.value), ref

    @trio.lowlevel.enable_ki_protection
    async def end(self, session: Session, ref: ChildRef) -> None:
        """End a session, and return once nothing of it is left. Cancelling hurries it."""
        session.close()
        try:
            with suppress(UnknownChild):
                await self._pool.stop_child(ref)
        finally:
            with trio.CancelScope(shield=True):
                await ref.wait()

    def close(self) -> None:
        """Admit no more, and turn away those who wait."""
        self._closed = True
        for scope in self._admitting:
            scope.cancel("the runtime's block is being left")
        if not self._hosted:
            self._emptied.set()

    async def drained(self) -> None:
        """Wait, after `close`, until every session has ended."""
        await self._emptied.wait()

    def _check(self, name: str) -> None:
        if self._closed:
            raise _closed(name)
        if name in self._seats:
            raise SessionExists(f"session {name!r}: a session of this id lives in the runtime")

    def _free_name(self) -> str:
        while True:
            self._named += 1
            name = f"session-{self._named}"
            if name not in self._seats:
                return name

    @trio.lowlevel.enable_ki_protection
    async def _host(self, name: str, opening: Opening, *, task_status: trio.TaskStatus[Session]) -> None:
        """The child that a session's tree runs in; what fails in it is told where the session is read."""
        # Others may have come first while this one waited to be admitted.
        self._check(name)
        seat = _Seat()
        self._seats.register(name, seat)
        self._hosted += 1
        try:
            async with opening.running(name, self._client, self._tokens_of) as running:
                session = running.session
                self.opened += 1
                seat.session = session
                task_status.started(session)
                child = current_child()
                try:
                    with child.until_stop():
                        await running.supervisor.wait_stopped()
                finally:
                    if child.stop_requested.is_set():
                        # Before its tree is stopped, so that nothing takes the one for the other's cause.
                        session.cancel()
        except Exception:
            if seat.session is None:
                raise
        finally:
            if seat.session is not None:
                self.ended[seat.session.status] += 1
            self._hosted -= 1
            if self._closed and not self._hosted:
                self._emptied.set()

    def _tokens_of(self, provider: str) -> RetryTokens | None:
        if self._budget is None:
            return None
        return self.tokens.setdefault(provider, RetryTokens(self._budget))


@final
class _Seat:
    """What a session's id is taken by; empty while the session is being opened."""

    __slots__ = ("session",)

    def __init__(self) -> None:
        self.session: Session | None = None


def _closed(name: str) -> AdmissionError:
    return RuntimeClosed(f"session {name!r}: the runtime's block has been left, or is being left")
