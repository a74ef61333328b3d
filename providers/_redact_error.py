"""Keys taken out of an error that others are about to see."""

from __future__ import annotations

from collections.abc import Iterable
from json import JSONDecodeError

from ._redact import redact
from ._secret import Secret
from .errors import APIError, StreamdError, StreamError

__all__ = ["redact_error"]

_TOLD = ("message", "code", "request_id")
_DOCUMENTED = (JSONDecodeError, UnicodeError)
"""Errors that hold the whole text they could not read."""


def redact_error(error: StreamdError, secrets: Iterable[Secret]) -> None:
    """Mask every secret in what an error says, in place; so in its causes.

    Of each error in the chain the texts in `args` and the notes are rewritten, of an `APIError` also `message`, `code`
    and `request_id`. A cause that holds a whole document is dropped, and so is a context that would not be printed.
    An `APIError` or a `StreamError` and its causes lose their tracebacks, as the frames hold the bytes that were
    decoded. Called again it changes nothing.

    Args:
        error: What is about to be raised or shown.
        secrets: Everything the request held that must not show, such as the `Secret` values among its headers.
    """
    hidden = tuple(secrets)
    from_decoding = isinstance(error, APIError | StreamError)
    seen: set[int] = set()
    link: BaseException | None = error
    while link is not None and id(link) not in seen:
        seen.add(id(link))
        _redact_one(link, hidden)
        _drop_documents(link)
        if from_decoding:
            link.__traceback__ = None
        link = link.__cause__ or link.__context__


def _redact_one(error: BaseException, hidden: tuple[Secret, ...]) -> None:
    told = tuple(redact(item, hidden) if isinstance(item, str) else item for item in error.args)
    if told != error.args:
        error.args = told
    notes = getattr(error, "__notes__", None)
    if notes:
        notes[:] = [redact(str(note), hidden) for note in notes]
    if isinstance(error, APIError):
        for name in _TOLD:
            value = getattr(error, name)
            if value is not None:
                setattr(error, name, redact(value, hidden))


def _drop_documents(error: BaseException) -> None:
    if isinstance(error.__cause__, _DOCUMENTED):
        error.__cause__ = None
    if error.__suppress_context__ or isinstance(error.__context__, _DOCUMENTED):
        error.__context__ = None
