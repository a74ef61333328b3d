"""Running the command line: against a scripted server, and on a terminal."""

import os
import pty
import select
import subprocess
import sys
import termios
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager

import trio

from tests.support.server import Script, Server, serve

__all__ = ["CTRL_C", "CTRL_D", "Terminal", "scripted_server"]

# The process must have the terminal as its controlling one, for a typed Ctrl-C to become a signal.
ON_TERMINAL = (
    "import fcntl, os, sys, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); "
    "os.execv(sys.executable, [sys.executable, '-m', 'streamd', *sys.argv[1:]])"
)
PATIENCE = 60.0
CTRL_C, CTRL_D = "\x03", "\x04"


@contextmanager
def scripted_server(*scripts: Script) -> Iterator[Server]:
    """`serve` in a thread, for tests that call `main` or start processes."""
    started: Future[tuple[Server, trio.lowlevel.TrioToken, trio.Event]] = Future()

    async def run() -> None:
        async with serve(*scripts) as server:
            leave = trio.Event()
            started.set_result((server, trio.lowlevel.current_trio_token(), leave))
            await leave.wait()

    thread = threading.Thread(target=trio.run, args=(run,), daemon=True)
    thread.start()
    server, token, leave = started.result(PATIENCE)
    try:
        yield server
    finally:
        token.run_sync_soon(leave.set)
        thread.join()


class Terminal:
    """`python -m streamd` on a pseudo-terminal; use it as a context manager, which kills it in the end."""

    def __init__(self, arguments: Sequence[str], **options: object) -> None:
        self._screen, side = pty.openpty()
        self.seen = ""
        command = [sys.executable, "-c", ON_TERMINAL, *arguments]
        self.process = subprocess.Popen(
            command,
            **{"stdin": side, "stdout": side, "stderr": side, "start_new_session": True, **options},
        )
        os.close(side)

    def __enter__(self) -> "Terminal":
        return self

    def __exit__(self, *exc: object) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self._screen)

    def type(self, text: str) -> None:
        """Type on its keyboard; `CTRL_C` is among its keys."""
        os.write(self._screen, text.encode())

    def read_until(self, words: str) -> str:
        """What it showed since the last call, up to and with `words`."""
        while words not in self.seen:
            data = self._read()
            assert data, f"it ended without {words!r}, after {self.seen!r}"
            self.seen += data
        shown, words, self.seen = self.seen.partition(words)
        return shown + words

    def read_to_end(self) -> tuple[str, int]:
        """All that it shows from here to its end, and its exit code."""
        while data := self._read():
            self.seen += data
        return self.seen, self.process.wait(PATIENCE)

    def modes(self) -> list[object]:
        """Its settings: whether it echoes, whether Ctrl-C is a signal, and so on."""
        return termios.tcgetattr(self._screen)

    def _read(self) -> str:
        deadline = time.monotonic() + PATIENCE
        while not select.select([self._screen], [], [], 0.2)[0]:
            assert time.monotonic() < deadline, f"nothing more came after {self.seen!r}"
        try:
            return os.read(self._screen, 65536).decode(errors="replace")
        except OSError:  # Linux says so where the other side is closed
            return ""
