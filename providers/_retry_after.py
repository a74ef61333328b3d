"""How long a provider asks to wait."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC
from email.utils import parsedate_to_datetime

from ._json import as_list, as_object, as_text

__all__ = ["retry_after", "retry_delay"]

_NUMBER = re.compile(r"(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)")


def retry_after(headers: Mapping[str, str], now: float) -> float | None:
    """The seconds to wait that a response's headers ask for, or None where they ask for nothing readable.

    `retry-after-ms` (milliseconds; OpenAI's and Anthropic's own) is read first, then `retry-after` (RFC 9110
    §10.2.3), as a number of seconds, which may have a fraction, or as an HTTP date. A date that has passed is 0. A
    negative number, a `nan` and anything else are None. A large number is kept, as infinity where no float holds it:
    what is too long is the caller's to say.

    Args:
        headers: The response's headers, with lower-case names.
        now: The present time, in seconds since the epoch. A date is read against the response's own `date`, as this
            clock and the server's may differ, and against this where there is none.
    """
    milliseconds = _number(headers.get("retry-after-ms", ""))
    if milliseconds is not None:
        return milliseconds / 1000
    text = headers.get("retry-after", "")
    seconds = _number(text)
    if seconds is not None:
        return seconds
    then, sent = _moment(text), _moment(headers.get("date", ""))
    return None if then is None else max(0.0, then - (now if sent is None else sent))


def retry_delay(document: object) -> float | None:
    """The seconds to wait that the body of Google's errors asks for; None where it asks for nothing readable.

    They are in one of the error's details, a `google.rpc.RetryInfo`: https://google.aip.dev/193.

    Args:
        document: The body, decoded from JSON: an object with an `error`, or an array of it.
    """
    error = as_object(as_object(next(iter(as_list(document)), document)).get("error"))
    for detail in map(as_object, as_list(error.get("details"))):
        text = as_text(detail.get("retryDelay")) or ""
        seconds = _number(text.removesuffix("s"))
        if seconds is not None:
            return seconds
    return None


def _number(text: str) -> float | None:
    text = text.strip(" \t")
    return float(text) if _NUMBER.fullmatch(text) else None


def _moment(text: str) -> float | None:
    try:
        date = parsedate_to_datetime(text)
        # A date that names no zone is read as UTC, as every HTTP date is.
        return (date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp()
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
