"""A server on the loopback that plays a run, and what it came to."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, final

import trio

from ._any_wire import AnyWire
from ._canary import broken_logging, captured_logs, full_traceback
from ._connection import Counted
from ._fault import Plan
from ._judge import judge
from ._leaks import tasks
from ._observation import ToolRunSeen
from ._repro import repro_line
from ._run import Run
from ._scenario import Scenario
from ._server import Server
from ._simulate import leaked_tasks, run_app
from ._steps import Request
from ._trace import Trace
from ._wire_paths import base_url
from ._world import App, World

__all__ = ["LoopbackServer", "Served"]


class LoopbackServer(Server):
    """A server whose connections are a run's.

    Args:
        url: Where it is.
        play: The run.
    """

    def __init__(self, url: str, play: AnyWire) -> None:
        super().__init__(url, play)
        self._plays = play

    async def handle(self, stream: trio.abc.Stream, index: int | None = None) -> None:
        """Serve one connection to its end, and write that down; what is no HTTP is refused, and ends it."""
        index = self.admit() if index is None else index
        self._plays.open(index)
        record = self.connections[index]
        try:
            await super().handle(stream, index)
        finally:
            who = "the client" if record.client_closed.is_set() else "the server"
            self._plays.note(f"connection {index + 1} closed by {who} after {record.sent} bytes")

    async def garbled(self, stream: Counted, index: int, error: ValueError) -> None:
        """Refuse what is no request."""
        await stream.send_all(self._plays.garbled(index))
        await stream.send_eof()
        with trio.move_on_after(5):
            await stream.drain()


@final
class Served:
    """A server that plays a scenario with faults to whoever asks, for one run.

    `url` is its root, and `world` what the application reports to: with the sync `said`, `took_back`, `next_turn`,
    `finished` and `failed`, from any thread and any event loop, and `ran_tool` of this. What is reported is judged;
    where nothing is, only what the server saw is.
    """

    def __init__(
        self,
        *,
        url: str,
        world: World,
        trace: Trace,
        plan: Plan,
        wire: str | None,
        seed: int,
        server: Server,
        nursery: trio.Nursery,
        clock: Callable[[], float],
        open_streams: Callable[[], int],
    ) -> None:
        self.url = url
        self.world = world
        self.trace = trace
        self.plan = plan
        self.wire = wire
        self.seed = seed
        self.repro: str | None = None
        """The line that runs the same again, where the caller knows one that is better."""
        self._server = server
        self._nursery = nursery
        self._clock = clock
        self._open_streams = open_streams

    def __repr__(self) -> str:
        return f"<streamd.testing.Served {self.url}>"

    @property
    def scenario(self) -> Scenario:
        """The conversation."""
        return self.world.scenario

    @property
    def key(self) -> str:
        """A key to send, which must be seen nowhere; any other, or none, will do."""
        return self.world.key

    @property
    def requests(self) -> list[Request]:
        """The requests that have come, in order."""
        return self._server.requests

    def base_url(self, wire: str | None = None) -> str:
        """What the clients of a wire take for the server's base URL; of the run's own wire if None."""
        return base_url(self.url, wire or self.world.wire.name)

    def ran_tool(self, id: str, name: str, arguments: dict[str, Any]) -> str:  # noqa: A002 - the providers' own word
        """Report that a tool ran, and get what the scenario says that it answers; from any thread and event loop."""
        calls = (call for turn in self.scenario.turns for call in turn.calls)
        answer = next((call.result for call in calls if call.id == id), "done")
        self.world.observed.tools.append(ToolRunSeen(id, name, dict(arguments), self._clock(), answer))
        self.trace.add(self._clock(), "tool", f"{name} ran for {id}")
        return answer

    async def wait_closed(self) -> None:
        """Wait until every connection made so far has ended, here or there. Cancelling this changes nothing."""
        await self._server.wait_connections_closed()

    def result(self) -> Run:
        """What has happened so far, judged."""
        return self._judged(self.repro or self._line(None, "serve"))

    async def run(self, app: App, *, limit: float = 600.0) -> Run:
        """Run an application in this task, to its end, and judge it, with what it left behind.

        Cancelling this cancels the application, and passes.

        Args:
            app: What is tested; once for a server.
            limit: Seconds after which it hangs.
        """
        observed, stage, start = self.world.observed, self.world.stage, trio.current_time()
        before = tasks()
        with captured_logs() as logs, broken_logging(stage.broken_logging):
            with trio.move_on_after(limit) as most, trio.move_on_after(stage.cancel_after) as scope:
                await run_app(app, self.world)
        observed.took = trio.current_time() - start
        observed.hung = most.cancelled_caught
        observed.cancelled = scope.cancel_called and not observed.hung and not observed.finished
        observed.leaked_tasks += await leaked_tasks(before, self._nursery)
        observed.leaked_sockets = self._open_streams()
        observed.captured += [("what it told", observed.text), *(("a log record", line) for line in logs)]
        own = self.url.partition("//")[2]
        observed.captured += [
            (f"a request to {host}", str(request.headers))
            for request in self.requests
            if (host := request.headers.get("host", own)) != own
        ]
        if observed.error is not None:
            observed.captured.append(("the error's traceback with locals", full_traceback(observed.error)))
        if self.world.refused is not None:
            raise self.world.refused
        return self._judged(self.repro or self._line(app, "serve_to"))

    def check(self) -> None:
        """Fail where anything that has happened so far was wrong.

        Raises:
            AssertionError: It lists the findings, each with how to see it again.
        """
        __tracebackhide__ = True  # pytest shows the caller's line
        self.result().verdict.raise_if_found()

    def _judged(self, repro: str) -> Run:
        observed = self.world.observed
        verdict = judge(observed, self.trace, key=self.key, repro=repro)
        return Run(self.scenario, self.plan, self.world.wire.name, self.seed, observed, self.trace, verdict)

    def _line(self, app: App | None, world: str) -> str:
        return repro_line(app, self.scenario, self.plan, self.wire, self.seed, world)
