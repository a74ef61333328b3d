"""The line on which the user types: edited, with a history, in a thread of its own."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import trio

from .errors import ConfigError

__all__ = ["LineReader", "history_file"]

MISSING = (
    "a conversation needs the package prompt_toolkit: pip install 'streamd-llm[cli]'. "
    'A single answer does without: streamd chat "prompt"'
)


class LineReader:
    """Reads lines from the terminal.

    Args:
        history: The file in which lines are kept from one run to the next; None for this run only.

    Raises:
        ConfigError: The extra `cli` is not installed.
    """

    def __init__(self, history: Path | None) -> None:
        try:
            # The extra `cli` need not be installed.
            from prompt_toolkit import PromptSession  # noqa: PLC0415
            from prompt_toolkit.history import FileHistory, InMemoryHistory  # noqa: PLC0415
        except ImportError as exc:
            raise ConfigError(MISSING) from exc
        past = InMemoryHistory() if history is None else FileHistory(history)
        self._session: PromptSession[str] = PromptSession("> ", history=past)
        self._leaving = False

    async def read(self) -> str | None:
        """The next line; None at the end of the input (Ctrl-D).

        Cancelling it gives the terminal back as it was before it returns.

        Raises:
            KeyboardInterrupt: Ctrl-C was typed; in a group.
        """
        self._leaving = False
        line: str | None = None
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._leave_when_cancelled)
            line = await trio.to_thread.run_sync(self._read_line)
            nursery.cancel_scope.cancel()
        return line

    def _read_line(self) -> str | None:
        try:
            return self._session.prompt(pre_run=self._leave_if_asked)
        except EOFError:
            return None

    async def _leave_when_cancelled(self) -> None:
        try:
            await trio.sleep_forever()
        finally:
            self._leaving = True
            # The thread sees the mark when it begins to wait for keys; if it has begun, it must be woken.
            loop = self._session.app.loop
            if loop is not None:
                with suppress(RuntimeError):  # the loop has just been closed: the line was entered
                    loop.call_soon_threadsafe(self._leave_if_asked)

    def _leave_if_asked(self) -> None:
        app = self._session.app
        if self._leaving and app.is_running and not app.is_done:
            app.exit(exception=EOFError)


def history_file(directory: Path) -> Path | None:
    """The file of past prompts in `directory`, readable by its owner alone; None where none can be kept."""
    file = directory / "history"
    try:
        directory.mkdir(parents=True, exist_ok=True)
        file.touch(mode=0o600)
    except OSError:
        return None
    return file
