"""Errors and exits that may be kept: a live exception keeps alive every frame it passed through."""

import traceback
from collections import deque

from ._errors import describe
from ._exits import Exit

__all__ = ["PastError", "past_error", "past_exit"]

LONGEST = 1000
"""Characters kept of a message."""

DEEPEST = 8
"""Frames kept of a traceback, the innermost ones."""


class PastError(Exception):
    """Stands for an error where it is kept for long: what it said and where, without its frames. Nothing raises it.

    Its `str()` is the type and the message of the error it stands for.

    Attributes:
        type: the name of the error's class.
        stack: where it was raised, outermost frame first, each as `function (file:line)`; the last 8.
    """

    type: str
    stack: tuple[str, ...]

    def __init__(self, description: str, type: str, stack: tuple[str, ...]) -> None:  # noqa: A002 - as the attribute
        super().__init__(description)
        self.type = type
        self.stack = stack


def past_error(error: BaseException) -> PastError:
    """Return what may be kept of an error, in bounded memory."""
    if isinstance(error, PastError):
        return error
    frames = deque(traceback.walk_tb(error.__traceback__), maxlen=DEEPEST)
    stack = tuple(f"{frame.f_code.co_qualname} ({frame.f_code.co_filename}:{line})" for frame, line in frames)
    return PastError(describe(error)[:LONGEST], type(error).__qualname__, stack)


def past_exit(end: Exit) -> Exit:
    """Return what may be kept of the end of a child: neither its error's frames nor the value it returned."""
    return Exit(end.kind, None if end.error is None else past_error(end.error), end.lifetime)
