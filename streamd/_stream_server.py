"""The stream server: one HTTP response as an actor that is fed events and asked for chunks."""

from __future__ import annotations

import math
import os
from typing import Self, Unpack, final

import trio

from streamd.providers import Chunk, Context, Decoder, HTTPRequest, Message, ProviderSpec, resolve_model
from streamd.supervisors import AlreadyRunning, ChildSpec, NotRunning, Restart

from ._arguments import check_client, check_request, check_seconds, check_server, conceal_provider
from ._edge import ConsumerEdge
from ._http import HTTPClient
from ._http_events import Call, HTTPEvent, sound_event
from ._pipeline import Pipeline, Told
from ._prompt import Prompt
from ._recorder import Recorder
from ._request_options import RequestOptions, build_request
from ._response import SessionMetadata, SessionStatistics, metadata_of, statistics_of
from ._stream_server_consumers import Consumers
from ._stream_server_followed import Followed, HTTPTask
from ._timers import Timeouts
from ._turn import Status, Turn
from .errors import ConfigError, StreamdError

__all__ = ["StreamServer"]


@final
class StreamServer:
    """One streaming response as an actor: fed HTTP events, asked for chunks (ReqLLM: `StreamServer`).

    It is one turn of a session, the same pipeline, with a queue of its own and without tools or retries. Give its
    `child_spec()` to a supervisor, or open it with `streamd.open_stream_server`. It is fed by `http_event` or by
    `start_http`, and read by `next`; several tasks may read, each chunk goes to one of them, in the order they asked.

    The server stops by itself when its end and its metadata were read; when the metadata was read and nobody asked for
    a chunk in the 30 seconds after; and when every task that has read is gone before the end was read, which also
    cancels the response. A trio task cannot be monitored, so that is looked up every half second. All that was received
    can still be read after that.

    Args:
        provider: A provider's name, instance, `(name, options)` or mapping.
        model: The model's name there.
        high_watermark: How many chunks may be decoded and unread before events are no longer taken in. What one event
            held may come on top.
        fixture_path: Where a recording of the response is written when it has ended.
        timeouts: The timers, which run from the first event or request on; `Timeouts()` if None.
        decoder: What decodes the body, where it continues one that broke off (`Resumable.resume`).
        name: How the server is called in its supervisor and in task names.

    Raises:
        ConfigError: The provider or an option cannot be used.
    """

    def __init__(
        self,
        provider: ProviderSpec,
        model: str,
        *,
        high_watermark: int = 500,
        fixture_path: str | os.PathLike[str] | None = None,
        timeouts: Timeouts | None = None,
        decoder: Decoder | None = None,
        name: str | None = None,
    ) -> None:
        provider = conceal_provider(provider)  # no traceback through here shows its key
        check_server(high_watermark, timeouts, fixture_path, decoder, name)
        self._provider, self._model = resolve_model((provider, model))
        self._name = name or "stream server"
        self._recorder = None
        if fixture_path is not None:
            self._recorder = Recorder(fixture_path, [(self._provider, self._model)])
        self._turn = Turn()
        self._edge = ConsumerEdge(high_watermark)
        self._pipeline = Pipeline(
            self._provider, self._turn, self._edge, timeouts or Timeouts(), self._recorder, decoder
        )
        self._pipeline.clock.hold()
        self._consumers = Consumers()
        self._followed = Followed()
        self._begun = self._requested = self._ran = False

    def __repr__(self) -> str:
        if not hasattr(self, "_followed"):  # in a traceback that shows what is being made
            return "<streamd.StreamServer>"
        return f"<streamd.StreamServer {self._provider.name}:{self._model} {self.status}>"

    def child_spec(self, id: str | None = None, *, restart: Restart = "temporary") -> ChildSpec:  # noqa: A002 - as the spec's field
        """A spec that runs the server as a child of any supervisor; its value is the server.

        A failed response is no failure of the child, and a server runs once.

        Args:
            id: The child's id; the server's name if None.
            restart: As in `ChildSpec`.
        """
        return ChildSpec(id=id or self._name, run=self.run, restart=restart, shutdown=0, ready="task_status")

    async def run(self, *, task_status: trio.TaskStatus[StreamServer] = trio.TASK_STATUS_IGNORED) -> None:
        """Serve until everything was read, or nobody will; see the class. An error is the reader's, and not raised.

        Args:
            task_status: Told `started(server)` when events are taken in.

        Raises:
            AlreadyRunning: It was run before.

        Cancelling it cancels the response; its connection is closed and its tasks are gone when it returns.
        """
        if self._ran:
            raise AlreadyRunning(f"{self._name}: a stream server serves one response, and has been run")
        self._ran = True
        turn, consumers = self._turn, self._consumers
        try:
            await self._pipeline.run(
                ChildSpec(id="consumers", run=consumers.watch, args=(self.cancel,), restart="transient"),
                ChildSpec(
                    id="attached", run=self._followed.run, args=(self._pipeline.events,), restart="transient"
                ),
                name=self._name,
                task_status=Told(task_status, self),
            )
        finally:
            if self._recorder is not None and turn.status != "init" and turn.status != "streaming":
                await self._recorder.save(
                    turn.status, stop_reason=turn.stop_reason, usage=turn.usage, error=turn.error
                )
        await consumers.wait_read()

    async def http_event(self, event: HTTPEvent) -> None:
        """Take in one event of the response; returns when it was decoded and there is room for the next.

        While the queue stands at the high watermark this does not return: that is the backpressure, and so whoever
        feeds is another task than whoever reads. Calls made meanwhile wait in order, their events untouched. All
        return at once when the response ends, fails, is cancelled, or the server's task ends; what is sent after that
        is ignored, so that an error stays as it is.

        Cancelling it takes back an event that was not taken in yet, and only that.

        Raises:
            ConfigError: This is no event, or not what it says.
        """
        event = sound_event(event)
        self._begin()
        if self._turn.ended_at is not None:
            await trio.lowlevel.checkpoint()
            return
        call = Call(event)
        try:
            await self._pipeline.events.send(call)
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            return
        await call.replied.wait()

    async def next(self) -> Chunk:
        """The next chunk, waited for. Cancelling loses no chunk, and there is no timeout: use `trio.fail_after`.

        Raises:
            trio.EndOfChannel: The response is complete, or was cancelled, and everything was read; again and again.
            StreamdError: The response failed, and everything before was read; again and again.
        """
        self._consumers.note_pull()
        try:
            return await self._edge.receive()
        except (trio.EndOfChannel, StreamdError):
            self._consumers.note_end()
            raise

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Chunk:
        try:
            return await self.next()
        except trio.EndOfChannel:
            raise StopAsyncIteration from None

    async def await_metadata(self, *, progress_timeout: float = math.inf) -> SessionMetadata:
        """What is known of the response once its transport has ended, well or not, consumed or not; waits until then.

        A failed or cancelled response has metadata too, with the error and the last usage. The transport ends only when
        there is room for all it sends. Any number of tasks may wait; cancelling one stops its wait, nothing else.

        Args:
            progress_timeout: Seconds without output of the model after which this call gives up. Keep-alives are no
                output. The response goes on, and can be awaited again.

        Raises:
            trio.TooSlowError: The model produced nothing for `progress_timeout` seconds of this call.
        """
        check_seconds("progress_timeout", progress_timeout)
        turn, clock = self._turn, self._pipeline.clock
        began = trio.current_time()
        while turn.ended_at is None:
            due = max(began, clock.progress_at or began) + progress_timeout
            if trio.current_time() >= due:
                raise trio.TooSlowError(f"the model produced nothing for {progress_timeout:g} s")
            with trio.CancelScope(deadline=due):
                await turn.finished.wait()
        await trio.lowlevel.checkpoint_if_cancelled()
        self._consumers.note_metadata()
        return metadata_of(turn, self._provider.name, self._model)

    def attach_http_task(self, task: HTTPTask) -> None:
        """Follow a task that feeds the server: its end is the response's, should that not have ended.

        What it fed comes first. Its failure, or its cancellation, is then the response's error, with the cause kept;
        its normal return is the end of the body, which completes a response only on the provider's terminal evidence.
        A task attached later takes the place of this one.

        Args:
            task: A `TaskHandle` or `ChildRef` of `streamd.supervisors`.
        """
        self._followed.attach(task)
        self._begin()

    async def start_http(
        self,
        prompt: Prompt | Context | HTTPRequest,
        *,
        client: HTTPClient | None = None,
        **options: Unpack[RequestOptions],
    ) -> HTTPRequest:
        """Make the request, and be fed by its response: a child of the server, which ends with it.

        Args:
            prompt: What is to be answered, as for a session; or a whole context, with its system text and tools; or
                a request that is ready, which takes no options.
            client: Who sends it; it is not closed. If None, a connection of its own.
            **options: How it is asked.

        Returns:
            The request that is sent, its secrets wrapped.

        Raises:
            ConfigError: The request cannot be made, or the server has or had a response; it stays as it was.
            NotRunning: The server does not run.
        """
        check_client(client)
        request = build_request(self._provider, self._model, prompt, options)
        if self._turn.status != "init" or self._requested:
            raise ConfigError("a stream server serves one response, and this one has it: make another")
        if (supervisor := self._pipeline.supervisor) is None:
            raise NotRunning(f"{self._name}: the server does not run")
        self._requested = True
        self._begin()
        await supervisor.start_child(self._pipeline.producer(request, client))
        return request

    def set_fixture_context(self, request: HTTPRequest) -> None:
        """Say which request the events are the response to, when somebody else made it.

        It is recorded, and the secrets among its headers are kept out of errors.
        """
        check_request(request)
        self._pipeline.note_request(request)

    def cancel(self) -> None:
        """End the response now, without an error.

        Whoever waits is released. Chunks already received can still be read, and then the stream ends; the partial
        message and the last usage are kept. Calling it again, or after the end, does nothing.
        """
        self._pipeline.cancel()

    @property
    def status(self) -> Status:
        """`init`, `streaming`, or how the response ended: `done`, `cancelled`, `error`."""
        return self._turn.status

    @property
    def error(self) -> StreamdError | None:
        """What ended the response, where an error did."""
        return self._turn.error

    @property
    def decoder(self) -> Decoder:
        """What decodes the body; `Resumable.resume` may continue it, once the response has ended."""
        return self._pipeline.decoder

    @property
    def snapshot(self) -> Message:
        """The message as far as it was decoded, read or not."""
        return self._turn.snapshot

    def statistics(self) -> SessionStatistics:
        """The server's counters at this moment."""
        return statistics_of(self._turn, self._edge)

    def _begin(self) -> None:
        """The first event or request: time is counted from here."""
        if not self._begun:
            self._begun = True
            self._turn.started_at = trio.current_time()
            self._pipeline.clock.begin()
