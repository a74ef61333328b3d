"""The timers of a session: what may take how long, and the one task that watches them."""

from __future__ import annotations

import math
from collections.abc import Generator
from contextlib import contextmanager

import trio
from msgspec import Struct

from .errors import ConfigError, Phase, Stalled, Timer

__all__ = ["Clock", "Timeouts"]


LEAST_PERIOD = 0.1
"""The watch looks at its notes no more often than this, in seconds, unless a timer is due."""


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
    """When the bytes and the output of one attempt last came, and the task that raises `Stalled` when they do not.

    Noting a read is one assignment: no timer is moved for it. The watching task sleeps until the first moment at
    which any timer could fire, looks at the notes, and sleeps on.
    """

    __slots__ = ("_begun", "_byte_at", "_first_at", "_paused_at", "_progress_at", "_timeouts", "_total_at")

    def __init__(self, timeouts: Timeouts) -> None:
        self._timeouts = timeouts
        self._begun: trio.Event | None = None  # where the clock is held until then
        self._first_at: float | None = trio.current_time()
        self._total_at = math.inf
        self._byte_at = math.inf
        self._progress_at = math.inf
        self._paused_at: float | None = None

    def hold(self) -> None:
        """Count nothing until `begin`: nothing was asked for yet."""
        self._begun = trio.Event()
        self._first_at = None

    def begin(self) -> None:
        """Count from now, and the `total` timer too, which is nobody else's here."""
        if self._begun is not None:
            self._first_at = trio.current_time()
            self._total_at = self._first_at + (self._timeouts.total or math.inf)
            self._begun.set()

    @property
    def progress_at(self) -> float | None:
        """When the model last produced something, not counting the time in which we did not read."""
        return self._progress_at if self._progress_at < math.inf else None

    def note_bytes(self) -> None:
        """Bytes of the body came."""
        self._byte_at = trio.current_time()

    def note_progress(self) -> None:
        """The model produced something."""
        self._first_at = None
        self._progress_at = trio.current_time()

    @contextmanager
    def paused(self) -> Generator[None, None, None]:
        """Stop the clock: we are not reading, so the silence is ours."""
        self._paused_at = trio.current_time()
        try:
            yield
        finally:
            pause = trio.current_time() - self._paused_at
            self._paused_at = None
            self._byte_at += pause
            self._progress_at += pause
            if self._first_at is not None:
                self._first_at += pause

    def next_deadline(self) -> tuple[float, Timer]:
        """The earliest moment at which a timer fires if nothing more comes, and which."""
        limits = self._timeouts
        due: list[tuple[float, Timer]] = [
            (self._byte_at + (limits.idle or math.inf), "idle"),
            (self._progress_at + (limits.progress or math.inf), "progress"),
        ]
        if self._first_at is not None:
            due.append((self._first_at + (limits.first_chunk or math.inf), "first_chunk"))
        return min(due)

    async def watch(self) -> None:
        """Sleep until a timer fires; run as a child beside the actors it watches.

        Raises:
            Stalled: A timer fired.
        """
        if self._begun is not None:
            await self._begun.wait()
        limits = self._timeouts
        while True:
            now = trio.current_time()
            # A note taken while this task sleeps can only bring a timer forward to one full period from then.
            period = max(LEAST_PERIOD, min(limits.idle or math.inf, limits.progress or math.inf))
            due, which = self.next_deadline()
            if now >= self._total_at:
                due, which = self._total_at, "total"
            if now >= due and (self._paused_at is None or which == "total"):
                phase: Phase = "stream" if self._byte_at < math.inf else "headers"
                raise Stalled(which, getattr(limits, which), phase=phase)
            until = min(due if due > now else math.inf, now + period, self._total_at)
            await trio.sleep_until(until)
            if trio.current_time() - until > LEAST_PERIOD:
                # Nothing ran: a call blocked, or the machine was suspended. What came meanwhile is yet to be read.
                await trio.sleep(LEAST_PERIOD)
