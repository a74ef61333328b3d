"""Values as a person is shown them."""

from __future__ import annotations

__all__ = ["shown"]

_MOST = 400
_HALF = 160


def shown(value: object) -> str:
    """The `repr` of a value; of a long one its beginning, its end and its length. A flood is not worth printing."""
    if isinstance(value, str) and len(value) > _MOST:
        return f"{value[:_HALF]!r} ... {value[-_HALF:]!r} ({len(value):,} characters)"
    text = repr(value)
    if len(text) <= _MOST:
        return text
    return f"{text[:_HALF]} ... {text[-_HALF:]} ({len(text):,} characters)"
