"""What is shown while the local model is fetched."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager

from ._cli_screen import Screen
from ._local_model import Progress

__all__ = ["shown_progress"]


@contextmanager
def shown_progress(screen: Screen) -> Generator[Progress, None, None]:
    """A function to be called with the bytes come and the bytes expected, which shows them.

    On a terminal it draws a bar, which is gone when the block is left; elsewhere it says once that there is something
    to wait for. Nothing is shown before the first call.
    """
    if screen.live:
        try:
            # The extra `cli` need not be installed.
            from rich import progress  # noqa: PLC0415
            from rich.console import Console  # noqa: PLC0415
        except ImportError:
            pass
        else:
            bar = progress.Progress(
                progress.TextColumn("{task.description}"),
                progress.BarColumn(),
                progress.DownloadColumn(),
                progress.TimeRemainingColumn(),
                console=Console(file=screen.err),
                transient=True,
            )
            task = bar.add_task("fetching the model, once", total=None)

            def draw(done: int, total: int) -> None:
                bar.start()
                bar.update(task, completed=done, total=total)

            try:
                yield draw
            finally:
                bar.stop()
            return
    said = False

    def say(_done: int, total: int) -> None:
        nonlocal said
        if not said:
            said = True
            screen.say(f"streamd: fetching the local model, once ({total / 1e6:.0f} MB)")

    yield say
