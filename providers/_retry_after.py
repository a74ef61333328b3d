"""How long a provider asks to wait."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC
from email.utils import parsedate_to_datetime

__all__ = ["retry_after"]

_NUMBER = re.compile(r"(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)")


def retry_after(headers: Mapping[str, str], now: float) -> float | None:
    """The seconds to wait that a response's headers ask for, or None where they ask for nothing readable.

    `retry-after-ms` (milliseconds; OpenAI's and Anthropic's own) is read first, then `retry-after` (RFC 9110
    §10.2.3), as a number of seconds, which may have a fraction, or as an HTTP date. A date that has passed is 0. A
    negative number, a `nan` and anything else are None. A large number is kept, as infinity where no float holds it:
    what is too long is the caller's to say.

    Args:
        headers: The response's headers, with lower-case names.
        now: The present time, in seconds since the epoch, against which a date is read.
    """
    milliseconds = _number(headers.get("retry-after-ms", ""))
    if milliseconds is not None:
        return milliseconds / 1000
    text = headers.get("retry-after", "")
    seconds = _number(text)
    return _until(text, now) if seconds is None else seconds


def _number(text: str) -> float | None:
    text = text.strip(" \t")
    return float(text) if _NUMBER.fullmatch(text) else None


def _until(text: str, now: float) -> float | None:
    try:
        date = parsedate_to_datetime(text)
        # A date that names no zone is read as UTC, as every HTTP date is.
        moment = (date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp()
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    return max(0.0, moment - now)
