"""The recorder: what went over the wire in one session, kept until it is written to a file."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import final

import trio

from streamd.providers import HTTPRequest, Provider, StopReason, ToolResult, Usage

from ._recording import Broken, Complete, Cut, End
from ._recording_failure import failure_of
from ._recording_file import Ended, Spoken, Taken, write_recording
from ._turn import Status
from .errors import (
    ActorCrashed,
    ConfigError,
    EncodingRefused,
    RecordingFailed,
    RedirectRefused,
    StreamdError,
    TransportError,
)

__all__ = ["MAX_RECORDING", "Recorder"]

MAX_RECORDING = 64 * 1024 * 1024
"""Bytes of requests and responses: a longer session is not recorded."""

READ_COST = 64
"""Bytes that one read costs beside its own."""

log = logging.getLogger("streamd")


@final
class Recorder:
    """Takes down one session, and writes it to a file when that has ended.

    Taking down costs an append for each read of the network; secrets are taken out when it is written, in a thread.
    Nothing here fails the session: what keeps the recording from being made is `error`, and a line of the logger
    `streamd`.

    Args:
        path: The file. It is replaced whole when the recording is there, and not touched before.
        asked: Whom the session asks for which model, and then whom instead.
        limit: The most bytes it may hold.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        asked: Sequence[tuple[Provider, str]],
        *,
        limit: int = MAX_RECORDING,
    ) -> None:
        self.path: str = _absolute(os.fspath(path))
        self.error: RecordingFailed | None = None
        self.round: int = 1
        """The number of the round whose requests come."""
        self.candidate: int = 0
        """Whom they go to: 0 for the first of those asked."""
        self._asked = [Spoken(*each) for each in asked]
        self._room = limit
        self._limit = limit
        self._began = trio.current_time()
        self._exchanges: list[Taken] = []
        self._results: list[tuple[ToolResult, ...]] = []
        self._saved = False

    def request(self, request: HTTPRequest) -> None:
        """A request is about to be sent."""
        if self._takes(len(request.body)):
            at = trio.current_time() - self._began
            self._exchanges.append(Taken(request, at, self.round, self.candidate))

    def head(self, status: int, headers: Mapping[str, str]) -> None:
        """The response's status and headers came."""
        if self._takes(0) and self._exchanges:
            taken = self._exchanges[-1]
            taken.status, taken.headers, taken.head_at = status, dict(headers), self._since(taken)

    def data(self, chunk: bytes) -> None:
        """Bytes of the response's body came with one read of the network."""
        if self._takes(len(chunk) + READ_COST) and self._exchanges:
            taken = self._exchanges[-1]
            taken.reads.append((self._since(taken), chunk))

    def end(self, error: StreamdError | None) -> None:
        """The exchange is over: the body ended as HTTP says a body ends, or with this error. The first call counts."""
        if self._takes(0) and self._exchanges and self._exchanges[-1].end is None:
            taken = self._exchanges[-1]
            taken.end = Complete(self._since(taken)) if error is None else _end(error, self._since(taken))

    def results(self, results: Sequence[ToolResult]) -> None:
        """The tools of a round answered."""
        if self._takes(sum(len(each.content) for each in results)):
            self._results.append(tuple(results))

    async def save(
        self,
        status: Status,
        *,
        stop_reason: StopReason | None,
        usage: Usage,
        error: StreamdError | None,
    ) -> None:
        """The session has ended: write the file. The first call counts.

        The work is done in a thread, and waited for even if this is cancelled: a session leaves nothing behind, and
        one that was cancelled is recorded too.
        """
        if self._saved or self.error is not None:
            return
        self._saved = True
        self._end_last(error)
        ended = Ended(
            status="cancelled" if status == "init" or status == "streaming" else status,
            stop_reason=stop_reason,
            usage=usage,
            error=error,
            duration=trio.current_time() - self._began,
        )
        work = (self.path, self._asked, tuple(self._exchanges), self._results, ended)
        self._exchanges.clear()
        try:
            with trio.CancelScope(shield=True):
                # A limiter of its own: threads that never come back would otherwise keep the session here.
                await trio.to_thread.run_sync(write_recording, *work, limiter=trio.CapacityLimiter(1))
        except OSError as exc:
            self._give_up(f"it cannot be written: {exc.strerror or exc}")
        except Exception as exc:  # noqa: BLE001  (a provider may hold anything; the session is not to suffer)
            self._give_up(f"it cannot be made: {type(exc).__name__}")

    def _end_last(self, error: StreamdError | None) -> None:
        """What was under way when the session ended: a failure without a response of its own ended it too."""
        if self._exchanges and self._exchanges[-1].end is None:
            last = self._exchanges[-1]
            last.end = Cut(self._since(last)) if error is None else _end(error, self._since(last))

    def _takes(self, size: int) -> bool:
        """Whether there is room for so many bytes more; without it everything is let go."""
        if self._saved or self.error is not None:
            return False
        self._room -= size
        if self._room < 0:
            self._exchanges.clear()
            self._give_up(f"it is larger than {self._limit} bytes")
            return False
        return True

    def _give_up(self, reason: str) -> None:
        self.error = RecordingFailed(f"the recording {self.path} was given up: {reason}")
        with suppress(Exception):  # what a handler of the application raises is no failure of the session
            log.warning("%s", self.error)

    def _since(self, taken: Taken) -> float:
        return trio.current_time() - self._began - taken.at


def _absolute(path: str) -> str:
    """The path from the root, so that it stays the same where the current folder changes."""
    try:
        return os.path.abspath(path)
    except OSError:  # the current folder is gone, and nothing can be written there
        return path


def _end(error: StreamdError, at: float) -> End:
    """How an exchange ended that failed with this; what the body's own bytes tell again needs no words."""
    told_below = isinstance(error, TransportError | ActorCrashed | ConfigError)
    refused = isinstance(error, RedirectRefused | EncodingRefused)
    return Broken(at, failure_of(error)) if told_below and not refused else Cut(at)
