"""A key that must be seen nowhere, and where it was seen all the same."""

from __future__ import annotations

import base64
import logging
import random
import traceback
from collections.abc import Generator, Iterable, Iterator
from contextlib import contextmanager, suppress
from urllib.parse import quote

__all__ = ["broken_logging", "captured_logs", "full_traceback", "leaks_in", "new_key"]


def new_key(rng: random.Random) -> str:
    """A key of the shape that providers give."""
    return f"sk-canary-{rng.getrandbits(160):040x}"


def leaks_in(text: str, key: str) -> list[str]:
    """How a text shows the key: as it is, percent-encoded, in base64, or by eight characters of its own.

    Args:
        text: What was captured.
        key: The key. Its last part, after the last hyphen, is random.
    """
    own = key.rpartition("-")[2]
    raw = key.encode()
    forms = {
        "as it is": key,
        "percent-encoded": quote(key, safe=""),
        "in base64": base64.b64encode(raw).decode().rstrip("=")[:-2],
        "by its beginning": own[:8],
        "by its end": own[-8:],
    }
    return [form for form, shown in forms.items() if shown in text]


def full_traceback(error: BaseException) -> str:
    """An exception with its causes, and every frame's local variables, as the most talkative of loggers writes it."""
    try:
        return "".join(traceback.TracebackException.from_exception(error, capture_locals=True).format())
    except Exception:  # noqa: BLE001 - the `repr` of an application's variable, before Python 3.13
        return "".join([*traceback.format_exception(error), *_locals(error, set())])


def _locals(error: BaseException, seen: set[int]) -> Iterator[str]:
    """The variables that can be shown, of the frames of an exception and of those that led to it."""
    seen.add(id(error))
    for frame, _line in traceback.walk_tb(error.__traceback__):
        for name, value in frame.f_locals.items():
            with suppress(Exception):
                yield f"{name} = {value!r}\n"
    for cause in (error.__cause__, error.__context__, *getattr(error, "exceptions", ())):
        if isinstance(cause, BaseException) and id(cause) not in seen:
            yield from _locals(cause, seen)


class _Kept(logging.Handler):
    def __init__(self) -> None:
        super().__init__(logging.NOTSET)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep the record as text; but for what httpcore tells of every byte, which nobody has written down unasked."""
        if record.levelno < logging.INFO and record.name.startswith("httpcore."):
            return
        self.lines.append(f"{record.name}: {record.getMessage()}")
        if record.exc_info and record.exc_info[1] is not None:
            self.lines.append(full_traceback(record.exc_info[1]))


@contextmanager
def captured_logs() -> Generator[Iterable[str], None, None]:
    """Every log record of the block, of every logger and level."""
    root, handler = logging.getLogger(), _Kept()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    try:
        yield handler.lines
    finally:
        root.setLevel(level)
        root.removeHandler(handler)


class _Broken(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        """Raise, as a handler should not."""
        raise OSError(f"no space left on device for a record of {record.name}")


@contextmanager
def broken_logging(name: str | None) -> Generator[None, None, None]:
    """Have a logging handler raise at every record of the loggers below this name; at none if it is None."""
    logger, handler = logging.getLogger(name), _Broken(logging.NOTSET)
    if name is not None:
        logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)
