"""The parser: the actor that turns a response's HTTP events into chunks for its outlet."""

from __future__ import annotations

from collections.abc import Sequence

import httpx
import trio

from streamd.providers import Chunk, Decoder, Provider, Secret, redact_error

from ._handoff import Handoff
from ._http_events import (
    Call,
    HTTPData,
    HTTPDone,
    HTTPEvent,
    HTTPFailure,
    HTTPHeaders,
    HTTPStatus,
    ParserInput,
)
from ._outlet import Outlet
from ._recorder import Recorder
from ._timers import Clock
from ._turn import PRELUDE, Turn
from .errors import ConnectionLost, EncodingRefused, Phase, RedirectRefused, StreamdError

__all__ = ["Parser"]

LINGER = 0.05
"""Seconds. Servers that send the body's end at all send it at once, though often in a packet of its own."""

ERROR_BODY_LIMIT = 64 * 1024
REDIRECTS = (300, 301, 302, 303, 307, 308)


class Parser:
    """One decoder between two channels; nothing in it waits, but for events and for room in the outlet.

    Args:
        provider: Whose response it is.
        decoder: Decodes the body.
        turn: What the response comes to.
        clock: Told of bytes and output, stopped while there is no room, and asked when nothing comes.
        outlet: Given the chunks.
        recorder: Told what came, if the response is recorded.
    """

    __slots__ = (
        "_body",
        "_call",
        "_clock",
        "_decoder",
        "_full",
        "_outlet",
        "_provider",
        "_recorder",
        "_turn",
        "_unsent",
        "secrets",
    )

    def __init__(
        self,
        provider: Provider,
        decoder: Decoder,
        turn: Turn,
        clock: Clock,
        outlet: Outlet,
        recorder: Recorder | None,
    ) -> None:
        self._provider = provider
        self._decoder = decoder
        self._turn = turn
        self._clock = clock
        self._outlet = outlet
        self._recorder = recorder
        self.secrets: Sequence[Secret] = ()
        self._body: bytearray | None = None  # of a response that is an error
        self._call: Call | None = None  # whose sender waits for a reply
        self._full = False  # the outlet, when it was last given chunks
        self._unsent = 0  # bytes decoded since chunks were last handed over

    async def run(self, events: Handoff[ParserInput]) -> None:
        """Take in one response to its end.

        Returns when it has failed, a timer's firing included, or when the decoder has the provider's terminal evidence,
        whether or not the server closes: nothing after that can fail a finished turn. Closes the channel, so that
        whoever sends knows.
        """
        with events:
            try:
                while self._turn.ended_at is None:
                    with self._clock.watch() as stretch:
                        await self._take_all(events)
                    if stretch.cancelled_caught and (stalled := self._clock.stalled(self._phase)):
                        self.lose(stalled)
                        return
                if self._decoder.done:
                    await self._linger(events)
            finally:
                self._reply()

    @property
    def _phase(self) -> Phase:
        """What a silence falls into: the wait for the response's head, or for its body."""
        return "headers" if self._turn.status == "init" else "stream"

    async def _take_all(self, events: Handoff[ParserInput]) -> None:
        """Take in events to the end of the response. It can be left at any wait, and gone on with."""
        while self._turn.ended_at is None:
            if self._full:
                with self._clock.paused():
                    await self._outlet.room()
                self._full = False
            if self._call is not None:
                self._reply()
            event = await events.receive()
            if isinstance(event, Call):
                self._call, event = event, event.event
            self.take(event)

    def _reply(self) -> None:
        """Tell whoever waits for it that its event was taken in, and there is room for the next."""
        if self._call is not None:
            self._call.replied.set()
            self._call = None

    async def _linger(self, events: Handoff[ParserInput]) -> None:
        """Give the body a moment to end after the turn did: only then can its connection be used again."""
        with trio.move_on_after(LINGER):
            while True:
                self._reply()
                event = await events.receive()
                if isinstance(event, Call):
                    self._call, event = event, event.event
                if isinstance(event, HTTPDone) and self._recorder is not None:
                    self._recorder.end(None)
                if isinstance(event, HTTPDone | HTTPFailure):
                    return

    def take(self, event: HTTPEvent) -> bool:
        """Take in one event, without waiting; False once the response has ended, and more is dropped."""
        # Errors are handed on and not raised: the frames here hold headers and bytes, which may hold a key.
        turn = self._turn
        if turn.ended_at is not None:
            return False  # it may have been cancelled while this was on its way
        match event:
            case HTTPData():
                data = event.data
                self._clock.note_bytes()
                if turn.status == "init":
                    turn.begin()
                turn.bytes_received += len(data)
                if self._recorder is not None:
                    self._recorder.data(data)
                if self._body is None:
                    self._decode(data)
                else:
                    self._body += data
                    if len(self._body) >= ERROR_BODY_LIMIT:
                        self.finish(self._refusal())
            case HTTPStatus(code):
                turn.begin()
                turn.status_code = code
                if self._recorder is not None:
                    self._recorder.head(code, turn.headers)
                self._body = None if 200 <= code < 300 else bytearray()
            case HTTPHeaders():
                turn.begin()
                turn.headers = event.by_name()
                if self._recorder is not None:
                    self._recorder.head(turn.status_code or 200, turn.headers)
                if error := self._misfit():
                    self.finish(error)
            case HTTPDone():
                if self._recorder is not None:
                    self._recorder.end(None)
                if self._body is None:
                    self._close()
                else:
                    self.finish(self._refusal())
            case HTTPFailure(error):
                self.lose(error)
        return turn.ended_at is None

    def finish(self, error: StreamdError | None) -> None:
        """The response is complete, or has failed; the first call counts."""
        if error is not None:
            # Servers repeat keys, in their errors and in what they send for an answer.
            redact_error(error, self.secrets)
        if self._turn.finish("done" if error is None else "error", error):
            if error is not None and self._recorder is not None:
                self._recorder.end(error)
            self._outlet.end(error)

    def _misfit(self) -> StreamdError | None:
        """The error of a response that is no body to decode, and no error to read either."""
        headers, status = self._turn.headers, self._turn.status_code
        encoding = headers.get("content-encoding", "").strip().lower()[:40]
        if status in REDIRECTS:
            place = _target(headers.get("location", ""))
            return RedirectRefused(f"the server redirects (status {status}) to {place}", phase="headers")
        if encoding not in ("", "identity"):
            return EncodingRefused(f"the response is encoded with {encoding!r}", phase="headers")
        return None

    def _refusal(self) -> StreamdError:
        """The error that a response is, once its body is as whole as it gets."""
        body = bytes((self._body or b"")[:ERROR_BODY_LIMIT])
        return self._misfit() or self._provider.error(self._turn.status_code or 0, self._turn.headers, body)

    def _decode(self, data: bytes) -> None:
        self._unsent += len(data)
        try:
            chunks = self._decoder.feed(data)
        except StreamdError as error:
            self._deliver(error.chunks)
            self.finish(error)
            return
        self._deliver(chunks)
        if self._decoder.done:
            self.finish(None)

    def _close(self) -> None:
        """The body ended as HTTP says a body ends: the decoder knows whether the turn did."""
        try:
            chunks = self._decoder.close()
        except StreamdError as error:
            self._deliver(error.chunks)
            self.finish(error)
            return
        self._deliver(chunks)
        self.finish(None)

    def lose(self, error: Exception) -> None:
        """The body broke off, fell silent, or never came; which matters only where the turn was not complete."""
        if self._body is not None:
            # That the body of an error was cut, or fell silent, does not hide its status.
            self.finish(self._refusal())
            return
        if self._decoder.terminal:
            self._close()
        elif isinstance(error, StreamdError):
            self.finish(error)
        else:
            lost = ConnectionLost(f"the HTTP task failed ({type(error).__name__}): {error}")
            lost.__cause__ = error
            self.finish(lost)

    def _deliver(self, chunks: Sequence[Chunk]) -> None:
        if not chunks:
            return
        turn = self._turn
        turn.add(chunks)
        for chunk in chunks:
            if not isinstance(chunk, PRELUDE):
                if turn.first_chunk_at is None:
                    turn.note_output()
                self._clock.note_progress()
                break
        size, self._unsent = self._unsent, 0
        self._full = self._outlet.push(chunks, size)


def _target(location: str) -> str:
    """The host a redirect leads to: the rest of the address may be anything."""
    try:
        return httpx.URL(location).host or "a place it does not name"
    except (httpx.InvalidURL, ValueError):
        return "an address that cannot be read"
