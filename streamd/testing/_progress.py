"""How far an exploration is, drawn on a terminal."""

from __future__ import annotations

import sys
import time
from collections.abc import Generator, Iterable, Iterator
from contextlib import contextmanager
from typing import TextIO, TypeVar

__all__ = ["progress"]

T = TypeVar("T")

_WIDTH = 30
_EVERY = 0.1


def progress(
    items: Iterable[T], label: str, total: int | None = None, stream: TextIO | None = None
) -> Iterator[T]:
    """Pass these items on, and show how many have passed; nothing is written where the stream is no terminal.

    Args:
        items: What is waited for.
        label: What is being done.
        total: How many items there will be; without it there is a count and no bar.
        stream: Where it is drawn; standard error if None. The line is gone at the end.
    """
    out = sys.stderr if stream is None else stream
    if not out.isatty():
        yield from items
        return
    began = last = time.monotonic()
    with _cleared(out):
        for done, item in enumerate(items, 1):
            yield item
            now = time.monotonic()
            if now - last >= _EVERY:
                last = now
                out.write("\r\x1b[K" + _line(label, done, total, now - began))
                out.flush()


@contextmanager
def _cleared(out: TextIO) -> Generator[None, None, None]:
    try:
        yield
    finally:
        out.write("\r\x1b[K")
        out.flush()


def _line(label: str, done: int, total: int | None, seconds: float) -> str:
    rate = done / seconds if seconds else 0.0
    if not total:
        return f"{label}  {done:,}  {rate:,.0f}/s"
    share = min(1.0, done / total)
    full = int(_WIDTH * share)
    left = (total - done) / rate if rate else 0.0
    bar = "#" * full + "." * (_WIDTH - full)
    return f"{label}  [{bar}] {done:,}/{total:,}  {rate:,.0f}/s  {max(0, left):.0f} s left"
