"""The timers of a session: what may take how long, and the notes from which it is told what took longer."""

from __future__ import annotations

import math
from collections.abc import Generator
from contextlib import contextmanager

import trio
from msgspec import Struct

from .errors import ConfigError, Phase, Stalled, Timer

__all__ = ["Clock", "Timeouts"]


LEAST_PERIOD = 0.1
"""The notes are looked at no more often than this, in seconds, unless a timer is due."""


class Timeouts(Struct, frozen=True, kw_only=True):
    """How long each part of a session may take, in seconds; `None` lets it take for ever.

    `connect` bounds name resolution, connecting and the TLS handshake. `first_chunk` bounds the wait for the model's
    first output, from the start of an attempt. `idle` bounds the silence between two reads of the body, whatever they
    hold. `progress` bounds the time between two pieces of model output: keep-alives do not feed it. `total` bounds
    the whole session, tools and retries included.

    `idle`, `first_chunk` and `progress` stand still while the session is not reading because its consumer is not.
    """

    connect: float | None = 10.0
    first_chunk: float | None = 120.0
    idle: float | None = 60.0
    progress: float | None = 300.0
    total: float | None = None

    def __post_init__(self) -> None:
        for name in self.__struct_fields__:
            seconds = getattr(self, name)
            if seconds is not None and not (isinstance(seconds, int | float) and seconds > 0):
                raise ConfigError(
                    f"Timeouts.{name} must be a positive number of seconds or None, not {seconds!r}"
                )


class Clock:
    """When the bytes and the output of one response last came, and which timer is due when they do not.

    Noting a read is one assignment: no timer is moved for it. Whoever waits does so in the scope of `watch`, which is
    left at the first moment at which a timer could fire, for a look at the notes (`stalled`), and entered anew.
    """

    __slots__ = (
        "_byte_at",
        "_first_at",
        "_held",
        "_now",
        "_overslept",
        "_progress_at",
        "_scope",
        "_spared",
        "_timeouts",
        "_total_at",
    )

    def __init__(self, timeouts: Timeouts) -> None:
        self._timeouts = timeouts
        # What `trio.current_time` comes to, by three calls more.
        self._now = trio.lowlevel.current_clock().current_time
        self._held = False
        self._first_at: float | None = self._now()
        self._total_at = math.inf
        self._byte_at = math.inf
        self._progress_at = math.inf
        self._overslept = False
        self._spared: float | None = None  # the bytes after which it was overslept last
        self._scope: trio.CancelScope | None = None

    def hold(self) -> None:
        """Count nothing until `begin`: nothing was asked for yet."""
        self._held = True
        self._first_at = None

    def begin(self) -> None:
        """Count from now, and the `total` timer too, which is nobody else's here."""
        if self._held:
            self._held = False
            self._first_at = self._now()
            self._total_at = self._first_at + (self._timeouts.total or math.inf)
            if self._scope is not None:
                self._scope.deadline = self._look_at()

    @property
    def progress_at(self) -> float | None:
        """When the model last produced something, not counting the time in which we did not read."""
        return self._progress_at if self._progress_at < math.inf else None

    def note_bytes(self) -> None:
        """Bytes of the body came."""
        self._byte_at = self._now()

    def note_progress(self) -> None:
        """The model produced something, with the bytes noted last."""
        self._first_at = None
        self._progress_at = self._byte_at

    @contextmanager
    def paused(self) -> Generator[None, None, None]:
        """Stop the clock: we are not reading, so the silence is ours."""
        began = self._now()
        try:
            yield
        finally:
            pause = self._now() - began
            self._byte_at += pause
            self._progress_at += pause
            if self._first_at is not None:
                self._first_at += pause

    def watch(self) -> trio.CancelScope:
        """A scope for one stretch of waiting: it is cancelled when it is time for a look."""
        self._scope = trio.CancelScope(deadline=self._look_at())
        return self._scope

    def stalled(self, phase: Phase) -> Stalled | None:
        """The error of the timer that has fired, after a stretch of waiting; None if the silence is no longer.

        Args:
            phase: How far the response has come.
        """
        now, limits = self._now(), self._timeouts
        assert self._scope is not None
        # Nothing ran: a call blocked, or the machine was suspended. What came meanwhile is yet to be read; but where
        # nothing did, no more time is given.
        late = now - self._scope.deadline > LEAST_PERIOD
        self._overslept = late and self._byte_at != self._spared and now < self._total_at
        if self._overslept:
            self._spared = self._byte_at
            return None
        due, which = self._next()
        if now >= self._total_at:
            due, which = self._total_at, "total"
        if now < due:
            return None
        return Stalled(which, getattr(limits, which), phase=phase)

    def _look_at(self) -> float:
        """The first moment at which any timer could fire, whatever is noted until then."""
        if self._held:
            return math.inf
        now, limits = self._now(), self._timeouts
        if self._overslept:
            return now + LEAST_PERIOD
        # A note taken meanwhile can only bring a timer forward to one full period from then.
        period = max(LEAST_PERIOD, min(limits.idle or math.inf, limits.progress or math.inf))
        due, _ = self._next()
        return min(due, now + period, self._total_at)

    def _next(self) -> tuple[float, Timer]:
        """The earliest moment at which a timer fires if nothing more comes, and which."""
        limits = self._timeouts
        due: list[tuple[float, Timer]] = [
            (self._byte_at + (limits.idle or math.inf), "idle"),
            (self._progress_at + (limits.progress or math.inf), "progress"),
        ]
        if self._first_at is not None:
            due.append((self._first_at + (limits.first_chunk or math.inf), "first_chunk"))
        return min(due)
