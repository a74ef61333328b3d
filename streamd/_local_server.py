"""A model of one's own: a native HTTP server in a supervised process.

    open_local_server()            the block
    └── Supervisor                 restarts it with a growing delay; gives up after 3 restarts in a minute
        └── the server             one process at a time: started, found healthy, then watched until it ends

The process ends with the block, and with this process however that ends: see `_local_process` and `_local_child`.
"""

from __future__ import annotations

import json
import sys
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import trio

from streamd.providers import Provider, resolve
from streamd.supervisors import (
    Backoff,
    ChildFailure,
    ChildSpec,
    ChildStartError,
    RestartLimit,
    RestartLimitExceeded,
    current_child,
    open_supervisor,
)

from . import _local_child
from ._local_model import Progress, fetch_model, require, user_model
from ._local_process import OwnedProcess, open_owned_process
from .errors import ModelUnavailable

__all__ = ["LocalServer", "open_local_server"]

GRACE = 2.0
START_TIMEOUT = 300.0
RESTARTS = RestartLimit(3, per=60.0)
# A big model may take so long to load that the limit's window is never full.
BACKOFF = Backoff(initial=0.1, maximum=5.0, max_consecutive=3)
HEALTH_PERIOD = 0.05
HEALTHY = b"HTTP/1.1 200"

Command = Callable[[int], Sequence[str]]
"""The command that starts a server on a port; 0 is any free one."""


class LocalServer:
    """A running local server. It keeps its address when its process is replaced."""

    def __init__(self, model: str) -> None:
        self.model = model
        """What the server calls the model: the file's name without its ending."""
        self.port = 0
        """The port on 127.0.0.1."""
        self.pid = 0
        """The id of the process that serves now, or served last."""

    @property
    def base_url(self) -> str:
        """Where it answers, such as `http://127.0.0.1:44705`: OpenAI's paths and Anthropic's both begin there."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def provider(self) -> Provider:
        """The provider to ask it with. Keys in the environment are not for this server: none is sent."""
        return resolve(("local", {"base_url": f"{self.base_url}/v1"}), environ={})


@asynccontextmanager
async def open_local_server(
    model: str | Path | None = None,
    *,
    context: int = 8192,
    parallel: int = 4,
    progress: Progress | None = None,
) -> AsyncGenerator[LocalServer, None]:
    """Serve a model on this machine for as long as the block runs.

    The block is entered when the server answers. If its process dies it is started again at the same address; requests
    made meanwhile fail to connect.

    Args:
        model: The path of a GGUF file; `None` for SmolLM2-135M-Instruct, which is fetched on first use (93 MB).
        context: How many tokens the server holds, shared by the requests it answers at a time.
        parallel: How many requests it answers at a time; more wait their turn.
        progress: Called with the bytes come and the bytes expected while the model is fetched.

    Raises:
        ConfigError: The extra `local` is not installed, or `model` is no readable GGUF file. No process was started.
        ModelUnavailable: The model could not be fetched, or the server did not start or did not stay up.

    Leaving the block asks the process to end and kills it after 2 seconds; cancelling kills it at once. Either way it
    is gone when the block is left.
    """
    require("xllamacpp")
    file = await fetch_model(progress=progress) if model is None else user_model(model)

    def command(port: int) -> Sequence[str]:
        settings = {
            "model": str(file),
            "name": file.stem,
            "port": port,
            "context": context,
            "parallel": parallel,
        }
        return [sys.executable, "-P", _local_child.__file__, json.dumps(settings)]

    async with serve(LocalServer(file.stem), command) as server:
        yield server


@asynccontextmanager
async def serve(
    server: LocalServer, command: Command, *, start_timeout: float = START_TIMEOUT
) -> AsyncGenerator[LocalServer, None]:
    """Keep the process that `command` starts running, and `server` told of it, for as long as the block runs.

    Raises:
        ModelUnavailable: It did not start, or failed more often than `RESTARTS` and `BACKOFF` allow.
    """
    child = ChildSpec(
        id=f"local model {server.model}",
        run=run_server,
        args=(server, command, start_timeout),
        shutdown=2 * GRACE,
    )
    left: Exception | None = None
    try:
        async with open_supervisor(child, restarts=RESTARTS, backoff=BACKOFF):
            try:
                yield server
            except Exception as error:  # noqa: BLE001  (the block's own, raised below whatever became of the server)
                left = error
    except (ChildStartError, RestartLimitExceeded) as error:
        match error.failures:
            case [*_, ChildFailure(id=child.id, error=last)] if left is None:
                raise ModelUnavailable(str(last)) from error
            case _ if left is None:
                raise
            case _:
                pass
    if left is not None:
        raise left


async def run_server(
    server: LocalServer,
    command: Command,
    start_timeout: float,
    *,
    task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Run one process of `server`, from its start to its end, as the child of a supervisor.

    Raises:
        ModelUnavailable: The process ended, or was not healthy within `start_timeout` seconds.
    """
    async with open_owned_process(command(server.port)) as process:
        with trio.move_on_after(start_timeout) as starting:
            port = await _listening(process)
            if port is not None and await _healthy(process, port):
                server.port, server.pid = port, process.pid
                task_status.started()
        if starting.cancelled_caught:
            raise _unavailable(server, f"was not ready within {start_timeout:g} s", process)
        with current_child().until_stop() as stop_request:
            while await process.read_line() is not None:
                pass
            await process.wait()
        if not stop_request.cancelled_caught:
            raise _unavailable(server, f"ended with status {await process.wait()}", process)
        await process.stop(GRACE)


async def _listening(process: OwnedProcess) -> int | None:
    """The port of which the process says that it listens there; `None` if it ends before."""
    while (line := await process.read_line()) is not None:
        if line.startswith(_local_child.LISTENING):
            return int(line.rpartition(":")[2])
    return None


async def _healthy(process: OwnedProcess, port: int) -> bool:
    """Ask until the server on `port` says that it is healthy; false if the process ends before."""
    while not process.ended:
        if await _says_healthy(port):
            return True
        await trio.sleep(HEALTH_PERIOD)
    return False


async def _says_healthy(port: int) -> bool:
    answer = b""
    try:
        async with await trio.open_tcp_stream("127.0.0.1", port) as stream:
            await stream.send_all(b"GET /health HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")
            while len(answer) < len(HEALTHY) and (data := await stream.receive_some()):
                answer += data
    except (OSError, trio.BrokenResourceError):
        return False
    return answer.startswith(HEALTHY)


def _unavailable(server: LocalServer, what: str, process: OwnedProcess) -> ModelUnavailable:
    return ModelUnavailable(f"the server of the local model {server.model} {what}; it said:\n{process.tail}")
