"""A recording as it is played: the transport of an HTTP client that answers from it."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Iterator
from typing import NoReturn, Self, final

import httpx
import trio

from streamd.providers import ToolResult

from ._recording import Broken, Complete, Cut, Exchange, Recording
from ._recording_failure import error_of
from ._replay_recut import Recut, cut
from ._retry import Retry
from ._timers import Timeouts
from .errors import ConfigError, Stalled, StreamdError

__all__ = ["UNTIMED", "Playback", "PlayedRetry"]

UNTIMED = Timeouts(connect=None, first_chunk=None, idle=None, progress=None, total=None)

Check = Callable[[httpx.Request, Exchange], None]
"""Raises where a request is not the one that was recorded."""


@final
class Playback(httpx.AsyncBaseTransport):
    """Answers each request with the next exchange of a recording, at the recorded pace.

    Args:
        recording: What is played.
        speed: How many times faster than it was; infinity for at once.
        recut: How the bodies are cut into reads.
        check: Asked before each request is answered.
        cancels: Whether the session is cancelled where the recorded one was; otherwise the playback waits there.
    """

    def __init__(
        self,
        recording: Recording,
        *,
        speed: float,
        recut: Recut = None,
        check: Check | None = None,
        cancels: bool = False,
    ) -> None:
        self.recording = recording
        self.cut = False
        """Whether the recorded session was cancelled while it read the body that is played."""
        self._cancels = cancels
        self._cancelled = False
        self._cancel: Callable[[], None] | None = None
        self._exchanges = deque(recording.exchanges)
        self._results = deque(recording.tool_results)
        self._speed = speed
        self._recut: Recut = recut
        self._check = check
        self._zero: float | None = None
        self._round = 0
        self._candidate = 0

    def on_cancel(self, cancel: Callable[[], None]) -> None:
        """Call this where the recorded session was cancelled, which may be behind already."""
        self._cancel = cancel
        if self._cancelled:
            cancel()

    def cancel(self) -> None:
        """End the session as the recorded one ended."""
        self._cancelled = self._cancels
        if self._cancelled and self._cancel is not None:
            self._cancel()

    def pause_after(self, error: StreamdError) -> float | None:
        """How long to wait before the attempt after this error; None where none was made.

        Raises:
            StreamdError: The recorded session failed while it waited.
        """
        if self._exchanges:
            return 0.0 if self._asks_again(self._exchanges[0]) else None
        outcome = self.recording.outcome
        if outcome.status == "cancelled":
            self.cancel()
            return math.inf
        if outcome.error is not None and outcome.error.timer == "total" and not isinstance(error, Stalled):
            raise error_of(outcome.error)
        return None

    def reads_on(self) -> bool:
        """Whether the response that broke off was read on next."""
        return bool(self._exchanges) and self._exchanges[0].request.method == "GET"

    def _asks_again(self, exchange: Exchange) -> bool:
        return (exchange.round, exchange.candidate) == (self._round, self._candidate)

    def next_results(self) -> dict[str, ToolResult] | None:
        """The results of the next round of tools by the calls' ids; None where the session ended before them."""
        return {each.id: each for each in self._results.popleft()} if self._results else None

    async def finish(self) -> NoReturn:
        """The session wants more than there is: end it as it ended.

        Raises:
            StreamdError: What it failed with, or that the recording is of another session.
        """
        if self.recording.outcome.status == "cancelled":
            self.cancel()
            await trio.sleep_forever()
        failure = self.recording.outcome.error
        if failure is not None:
            raise error_of(failure)
        raise ConfigError(
            "the recorded session ended here, and this one asks for more: "
            "were its tools or its output_type others?"
        )

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """The next recorded response, when its head came.

        Raises:
            StreamdError: What was recorded in its place, or what `finish` raises.
        """
        if not self._exchanges:
            await self.finish()
        exchange = self._exchanges[0]
        if self._check is not None:
            self._check(request, exchange)
        self._exchanges.popleft()
        self._round, self._candidate = exchange.round, exchange.candidate
        began = await self._begin(exchange.at)
        started = exchange.response
        if started is None:
            await self.wait(began, exchange.end.at)
            await self.end(exchange)
            await self.finish()
        await self.wait(began, started.at)
        body = _Body(self, exchange, iter(cut(started.body, self._recut)), began)
        return httpx.Response(started.status, headers=started.headers, stream=body, request=request)

    async def wait(self, since: float, seconds: float) -> None:
        """Wait for the moment so many recorded seconds after this time; at least for a turn of the scheduler."""
        await trio.sleep_until(max(since + seconds / self._speed, trio.current_time()))

    async def end(self, exchange: Exchange) -> None:
        """Everything that came was played: fail as the exchange failed; stop where the session stopped it."""
        match exchange.end:
            case Broken(failure=failure):
                raise error_of(failure)
            case Cut():
                last = not self._exchanges
                self.cut = last and self.recording.outcome.status == "cancelled"
                if self.cut and not self._cancels:
                    await trio.sleep_forever()
            case Complete():
                pass

    async def _begin(self, at: float) -> float:
        """Wait until the request would be sent, if it is not late; gives the time at which it is."""
        now = trio.current_time()
        if self._zero is None:
            self._zero = now - at / self._speed
        await self.wait(self._zero, at)
        return max(now, self._zero + at / self._speed)


@final
class _Body(httpx.AsyncByteStream):
    """A recorded body; its own iterator, so that nothing is left to be closed."""

    def __init__(
        self, playback: Playback, exchange: Exchange, reads: Iterator[tuple[float, bytes]], began: float
    ) -> None:
        self._playback = playback
        self._exchange = exchange
        self._reads = reads
        self._began = began

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        at, data = next(self._reads, (self._exchange.end.at, b""))
        await self._playback.wait(self._began, at)
        if not data:
            await self._playback.end(self._exchange)
            raise StopAsyncIteration
        return data


class PlayedRetry(Retry, frozen=True, kw_only=True):
    """Makes another attempt where one was recorded, and leaves the waiting to the recorded pace."""

    restart: bool = True
    playback: Playback

    def delay(self, error: StreamdError, retries: int, draw: float) -> float | None:
        """Zero, or None where no further attempt was recorded; for ever where the session was cancelled meanwhile."""
        return self.playback.pause_after(error)
