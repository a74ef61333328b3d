"""A session as its user holds it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, final

import trio

from streamd.providers import Chunk, Message, Stop, ToolResult
from streamd.supervisors import Supervisor, Tree, snapshot

from ._edge import ConsumerEdge
from ._output_partial import PartialStream
from ._response import Response, SessionMetadata, SessionStatistics
from ._session_plan import Plan
from ._session_state import SessionState
from ._session_text import TextStream
from ._session_transcript import OnMessage, Transcript, awaited
from ._turn import Status
from .errors import ConfigError, RecordingFailed, StreamdError

__all__ = ["Session"]

OnChunk = Callable[[Chunk], Awaitable[None] | None]


@final
class Session(trio.abc.ReceiveChannel[Chunk]):
    """One streaming session: a channel of chunks, and what is known of it.

    `async for chunk in session` reads it to the end of the answer, tool rounds included. Everything that was received
    comes before the end or the error, both of which can be read again. Several tasks may read: each chunk goes to
    one of them. Made by `streamd.open_session`.
    """

    def __init__(
        self,
        plan: Plan,
        state: SessionState,
        edge: ConsumerEdge,
        high_watermark: int,
        supervisor: Supervisor,
    ) -> None:
        self._plan = plan
        self._state = state
        self._edge = edge
        self._high_watermark = high_watermark
        self._supervisor = supervisor
        self._closed = False
        self._transcript = Transcript(plan, state, edge)
        plan.toolbox.serve(self)

    def __repr__(self) -> str:
        asked = self._state.candidate
        return f"<streamd.Session {asked.provider.name}:{asked.model} {self.status}>"

    @property
    def id(self) -> str:
        """What it is called: the `id` it was opened with; without one `session`, or a name from its runtime."""
        return self._plan.id

    async def receive(self) -> Chunk:
        """The next chunk, waited for.

        It yields to the scheduler only where it has to wait. Cancelling loses no chunk.

        Raises:
            trio.EndOfChannel: The session is complete, or was cancelled, and everything was read.
            trio.ClosedResourceError: The session was closed, or its block has been left.
            StreamdError: The session failed, and everything before that was read.
        """
        if self._closed:
            await trio.lowlevel.checkpoint_if_cancelled()
        self._check_open()
        return await self._edge.receive()

    def receive_nowait(self) -> Chunk:
        """The next chunk, if one was received.

        Raises:
            trio.WouldBlock: None is there yet.
            trio.EndOfChannel, trio.ClosedResourceError, StreamdError: As `receive` does.
        """
        self._check_open()
        return self._edge.receive_nowait()

    # No coroutine of its own: every chunk that is waited for would be handed through it.
    def __anext__(  # pyright: ignore[reportIncompatibleMethodOverride] - mypy has no CoroutineType
        self,
    ) -> Coroutine[Any, Any, Chunk]:
        return self.receive() if self._closed else self._edge.receive(StopAsyncIteration)

    def cancel(self) -> None:
        """End the session now, without an error.

        Chunks already received can still be read, and then the session ends; `snapshot`, `response()` and `metadata()`
        keep the partial message and the last usage. Its tasks and its connection are gone when the block has been
        left. Calling it again, or after the end, does nothing.
        """
        if self._state.finish("cancelled"):
            self._edge.end()
            self._supervisor.request_shutdown("the session was cancelled")

    async def aclose(self) -> None:
        """Cancel the session, and read no more of it: `receive` raises `trio.ClosedResourceError` from here on."""
        self.close()
        await trio.lowlevel.checkpoint()

    def close(self) -> None:
        """What `aclose` does, at once."""
        self._closed = True
        self.cancel()

    @property
    def text_stream(self) -> TextStream:
        """The visible text alone: `async for text in session.text_stream`.

        Text cannot be taken back: where a turn is restarted of which it gave some, it raises the error that the turn
        broke off with. Iterated again it goes on with the turn's new beginning. Only where `Retry(restart=True)` asks
        for it is any turn restarted; read the session itself for its `Reset`.
        """
        return TextStream(self, self._state.voided)

    @property
    def partial(self) -> PartialStream:
        """The output as it grows, as plain JSON data: `async for value in session.partial`.

        Each value is checked as far as it is whole, and goes on from the one before; the last one is all of the output.
        After a `Reset` it begins again.

        Raises:
            ConfigError: The session has no `output_type`, or the extra `output` is not installed.
        """
        if self._plan.output is None:
            raise ConfigError("a session has partial values of its output: give it an output_type")
        return PartialStream(self, self.receive_nowait, self._plan.output)

    @property
    def status(self) -> Status:
        """`init`, `streaming`, or how it ended: `done`, `cancelled`, `error`.

        It ends when the transport does, which may be before everything was read.
        """
        return self._state.status

    @property
    def error(self) -> StreamdError | None:
        """What ended the session, where an error did."""
        return self._state.error

    @property
    def recording_error(self) -> RecordingFailed | None:
        """Why the session could not be recorded, once its block has been left; None where it was, or was not to be."""
        recorder = self._plan.recorder
        return None if recorder is None else recorder.error

    @property
    def snapshot(self) -> Message:
        """The assistant's message so far: all that was decoded of the turn under way, read or not.

        It is put together anew at each call, at a cost in proportion to the message.
        """
        return self._state.snapshot

    @property
    def messages(self) -> tuple[Message, ...]:
        """The turns the session has completed, in conversation order: assistant messages and tool results."""
        return tuple(self._state.messages)

    def statistics(self) -> SessionStatistics:
        """The session's counters at this moment."""
        state = self._state
        return SessionStatistics(
            status=state.status,
            rounds=state.rounds,
            attempts=state.attempts,
            bytes_received=state.bytes_received,
            chunks_decoded=state.chunks_decoded,
            chunks_queued=len(self._edge),
            high_watermark=self._high_watermark,
            tasks_waiting_receive=self._edge.receivers_waiting,
            usage=state.usage_so_far,
            voided_usage=state.voided_usage,
            time_to_first_chunk=state.time_to_first_chunk,
            duration=state.duration,
        )

    def tree(self) -> Tree:
        """The session's task tree at this moment: its actors, what each waits for, and its tools.

        `streamd.supervisors.render` draws it as text.
        """
        return snapshot(self._supervisor)

    async def metadata(self) -> SessionMetadata:
        """What is known of the session once its transport has ended; waits until then.

        A failed session has metadata too, with its `error` and the last usage. The transport ends only when there is
        room for all it sends: read the session in another task, or before. Cancelling stops the wait, nothing else.
        """
        state = self._state
        await state.finished.wait()
        turn = state.turn
        told = turn.told
        return SessionMetadata(
            provider=state.candidate.provider.name,
            model=told.model or state.candidate.model,
            response_id=told.response_id,
            status=state.status,
            status_code=turn.status_code,
            headers=dict(turn.headers),
            usage=state.usage_so_far,
            voided_usage=state.voided_usage,
            stop_reason=state.stop_reason,
            error=state.error,
            time_to_first_chunk=state.time_to_first_chunk,
            duration=state.duration,
        )

    async def response(self) -> Response:
        """Read the rest of the session, and return the whole answer.

        A cancelled session has a response too: what was received of it, with the stop reason `cancelled`. Cancelling
        this call loses nothing: call it again.

        Raises:
            StreamdError: The session failed.
        """
        return await self.collect()

    async def collect(
        self,
        *,
        on_chunk: OnChunk | None = None,
        on_message: OnMessage | None = None,
    ) -> Response:
        """Read the rest of the session with callbacks, and return the whole answer.

        What a callback raises leaves this call as it is, and ends nothing else: the session goes on, and can be
        collected again, until its block is left. Several tasks may collect: each chunk and each message goes to one of
        them.

        Args:
            on_chunk: Given each chunk.
            on_message: Given each message once its last chunk was read: every assistant turn and every tool result, in
                conversation order, the final turn included, and each of them once in a session. They are the
                `messages` of the response but for the prompt; where the session is cancelled, the last of them too.

        Raises:
            StreamdError: The session failed.
        """
        while True:
            try:
                chunk = await self.receive()
            except trio.EndOfChannel:
                break
            except StreamdError:
                await self._transcript.give(on_message)
                raise
            if on_chunk is not None:
                await awaited(on_chunk(chunk))
            if isinstance(chunk, Stop | ToolResult):
                await self._transcript.give(on_message)
        await self._state.finished.wait()
        await self._transcript.give(on_message, over=True)
        return self._transcript.response()

    def _check_open(self) -> None:
        if self._closed:
            raise trio.ClosedResourceError
