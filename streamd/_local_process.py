"""A process in a group of its own, which is gone when its block is."""

from __future__ import annotations

import os
import signal
import subprocess
from collections import deque
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress

import trio

__all__ = ["OwnedProcess", "open_owned_process"]

LINES_KEPT = 20
LINE_LIMIT = 4096


class OwnedProcess:
    """A running process and what it writes: standard output and error, in one stream of lines.

    Someone must keep calling `read_line`, as the process stops when the pipe between is full.
    """

    def __init__(self, process: trio.Process) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        self._process = process
        self._lifeline = process.stdin
        self._output = process.stdout
        self._buffer = b""
        self._lines: deque[str] = deque(maxlen=LINES_KEPT)

    @property
    def pid(self) -> int:
        """The process id, which is its group's id too."""
        return self._process.pid

    @property
    def tail(self) -> str:
        """The last lines it wrote, at most 20 of at most 4,096 bytes each."""
        return "\n".join(self._lines)

    @property
    def ended(self) -> bool:
        """Whether it has ended."""
        return self._process.poll() is not None

    async def read_line(self) -> str | None:
        """The next line it writes, without its end; `None` when there will be none. Longer lines are cut in pieces."""
        while b"\n" not in self._buffer and len(self._buffer) < LINE_LIMIT:
            data = await self._output.receive_some(65536)
            if not data:
                if not self._buffer:
                    return None
                data = b"\n"
            self._buffer += data
        end = self._buffer.find(b"\n", 0, LINE_LIMIT)
        line, rest = (LINE_LIMIT, LINE_LIMIT) if end < 0 else (end, end + 1)
        text = self._buffer[:line].decode(errors="replace").rstrip()
        self._buffer = self._buffer[rest:]
        if text:
            self._lines.append(text)
        return text

    async def wait(self) -> int:
        """Wait for its end; gives the exit status, negative for a signal, as `subprocess` has it."""
        return await self._process.wait()

    async def stop(self, grace: float) -> None:
        """Ask its group to end by SIGTERM, and wait `grace` seconds for it. Cancelling this ends the wait."""
        self._signal(signal.SIGTERM)
        with trio.move_on_after(grace):
            await self._process.wait()

    async def kill(self) -> None:
        """Kill its group, wait for it and close the pipes, whatever is cancelled meanwhile."""
        self._signal(signal.SIGKILL)
        with trio.CancelScope(shield=True):
            await self._process.wait()
            await self._lifeline.aclose()
            await self._output.aclose()

    def _signal(self, number: signal.Signals) -> None:
        # The group's id can be another's as soon as the process is waited for. macOS refuses to signal a group
        # whose leader has ended and was not yet waited for.
        if self._process.poll() is None:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, number)


@asynccontextmanager
async def open_owned_process(
    command: Sequence[str], *, env: Mapping[str, str] | None = None
) -> AsyncGenerator[OwnedProcess, None]:
    """Run `command` as the leader of a session and group of its own, and kill the group when the block ends.

    Its standard input is a pipe to which nothing is ever written: it reads the end of file when this process is gone,
    however that came. No other process inherits the other end.

    Args:
        command: The program and its arguments.
        env: Its environment; `None` for this process's own.

    Raises:
        OSError: The program cannot be run.

    Cancelling the block kills the group at once and waits for its end.
    """
    process = await trio.lowlevel.open_process(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
        env=env,
    )
    owned = OwnedProcess(process)
    try:
        yield owned
    finally:
        await owned.kill()
