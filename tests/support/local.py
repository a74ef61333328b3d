"""One local server for the whole test run: a real model behind a real socket."""

import functools
import threading
from collections.abc import Iterator
from concurrent.futures import Future

import pytest
import trio

from streamd._local_server import LocalServer, open_local_server


class BackgroundServer:
    """`open_local_server` in a thread and a trio run of its own, so that tests of any clock can share it."""

    def __init__(self) -> None:
        self._started: Future[tuple[LocalServer, trio.lowlevel.TrioToken, trio.Event]] = Future()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    @property
    def server(self) -> LocalServer:
        """The server, once it answers; raises what kept it from that."""
        return self._started.result()[0]

    def stop(self) -> None:
        """End the server's process and join the thread; a second call does nothing."""
        if self._thread.is_alive():
            _, token, leave = self._started.result()
            token.run_sync_soon(leave.set)
            self._thread.join()

    def _run(self) -> None:
        try:
            trio.run(self._serve)
        except BaseException as error:
            if self._started.done():
                raise
            self._started.set_exception(error)

    async def _serve(self) -> None:
        async with open_local_server() as server:
            leave = trio.Event()
            self._started.set_result((server, trio.lowlevel.current_trio_token(), leave))
            await leave.wait()


# Cached, so that the fixture may be imported in several places and the server still starts once.
background_server = functools.cache(BackgroundServer)


@pytest.fixture(scope="session")
def local_server() -> Iterator[LocalServer]:
    """The run's local server: see its `base_url`, `model` and `provider`."""
    background = background_server()
    yield background.server
    background.stop()
