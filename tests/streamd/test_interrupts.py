"""KeyboardInterrupt between any two lines of what tasks meet in: it leaves as it is, and nothing stays behind."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from types import FrameType
from typing import Any, cast

import pytest
import trio
from trio.testing import MockClock

import streamd
from streamd import HTTPData, HTTPHeaders, HTTPStatus, open_runtime, open_session, open_stream_server
from streamd._http_socket import TCPStream
from tests.support.chat import DONE, answer, text
from tests.support.leaks import open_fds
from tests.support.server import chunked
from tests.support.sessions import chat_model, scripted_network
from tests.support.stream_servers import PROVIDER

HERE = Path(streamd.__file__).parent


class Interrupter:
    """Raises a real SIGINT before the n-th line that is run of some files.

    Attributes:
        struck: Where it did.
    """

    def __init__(self, number: int, *files: str) -> None:
        self.struck: str | None = None
        self._left = number
        self._files = {str(HERE / each) for each in files}

    def __enter__(self) -> Interrupter:
        self._before = sys.gettrace()
        sys.settrace(self._enter)
        return self

    def __exit__(self, *exc: object) -> None:
        sys.settrace(self._before)

    def _enter(self, frame: FrameType, event: str, arg: object) -> Any:
        return self._line if frame.f_code.co_filename in self._files else None

    def _line(self, frame: FrameType, event: str, arg: object) -> Any:
        if event == "line":
            self._left -= 1
            if self._left == 0:
                sys.settrace(None)
                self.struck = f"{os.path.basename(frame.f_code.co_filename)}:{frame.f_lineno}"
                signal.raise_signal(signal.SIGINT)
        return self._line


def leaves(error: BaseException) -> list[BaseException]:
    """An error, or those in a group."""
    if isinstance(error, BaseExceptionGroup):
        group = cast("BaseExceptionGroup[BaseException]", error)
        return [leaf for inner in group.exceptions for leaf in leaves(inner)]
    return [error]


def interrupt_everywhere(main: Callable[[], Awaitable[None]], *files: str) -> int:
    """Run it once for each line of the files that it runs, interrupted there; how many lines that were."""
    number = 0
    while True:
        number += 1
        left: list[BaseException] = []
        with Interrupter(number, *files) as interrupter:
            try:
                trio.run(main, clock=MockClock(autojump_threshold=0))
            except BaseException as exc:
                left = leaves(exc)
        assert all(isinstance(each, KeyboardInterrupt) for each in left), f"{interrupter.struck}: {left}"
        if interrupter.struck is None:
            return number - 1


async def fed_and_read() -> None:
    """One task feeds a stream server, another reads it; an interrupted feeder ends both."""
    with trio.fail_after(100):
        async with (
            open_stream_server(PROVIDER, "tiny-1", high_watermark=1) as server,
            trio.open_nursery() as tasks,
        ):

            async def read() -> None:
                async for _ in server:
                    pass

            tasks.start_soon(read)
            try:
                for event in (HTTPStatus(200), HTTPHeaders({}), HTTPData(text("a")), HTTPData(DONE)):
                    await server.http_event(event)
            except KeyboardInterrupt:
                tasks.cancel_scope.cancel()


async def session_and_on() -> None:
    """A session, and life after it: wherever it was interrupted, it was ended and awaited."""
    task = trio.lowlevel.current_task()
    async with scripted_network([chunked(answer("Hel", "lo"))]) as (network, client):
        before = len(task.child_nurseries)
        try:
            async with open_session(chat_model(network.url), "Hi", client=client) as session:
                async for _ in session:
                    pass
        except KeyboardInterrupt:
            pass
        assert len(task.child_nurseries) == before
        await trio.sleep(1)


async def session_of_a_runtime_and_on() -> None:
    """As much for a session that is hosted elsewhere."""
    task = trio.lowlevel.current_task()
    async with scripted_network([chunked(answer("Hel", "lo"))]) as (network, client):
        before = len(task.child_nurseries)
        try:
            async with (
                open_runtime(connections=client) as runtime,
                runtime.open_session(chat_model(network.url), "Hi") as session,
            ):
                async for _ in session:
                    pass
        except KeyboardInterrupt:
            pass
        assert len(task.child_nurseries) == before
        await trio.sleep(1)


async def connected_and_closed() -> None:
    """A connection that is taken over and closed: no file stays open."""
    ours, theirs = trio.socket.socketpair()
    files = {ours.fileno(), theirs.fileno()}
    theirs.close()
    stream = trio.SocketStream(ours)
    try:
        await TCPStream(stream).aclose()
    finally:
        stream.socket.close()
        assert not files & open_fds()


@pytest.mark.parametrize(
    ("main", "files"),
    [
        (fed_and_read, ("_edge.py", "_handoff.py", "supervisors/_signal.py")),
        (session_and_on, ("_session_tree.py", "supervisors/_open.py")),
        (session_of_a_runtime_and_on, ("_runtime.py", "_runtime_sessions.py", "_session_tree.py")),
        (fed_and_read, ("_open_stream_server.py",)),
        (connected_and_closed, ("_http_socket.py",)),
    ],
)
def test_an_interrupt_at_any_line_leaves_alone_and_leaves_nothing(
    main: Callable[[], Awaitable[None]], files: tuple[str, ...]
) -> None:
    """No task is lost or woken twice, which would break trio itself, and nothing but interrupts comes out."""
    assert interrupt_everywhere(main, *files) > 4
