"""What may stand in a header: keys and header fields are checked before anything is sent.

An HTTP library that meets a bad value tends to print it; here the message names the place and never the value.
Grammar: RFC 9110 §5.1 (names) and §5.5 (values).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import cast

from ._secret import Secret
from .errors import ConfigError

__all__ = ["Header", "key_fault", "merge_headers", "name_fault", "secret_headers", "secrets_of"]

Header = tuple[str, str | Secret]

_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_FRAMING = frozenset({"connection", "content-length", "transfer-encoding", "upgrade"})


def key_fault(key: object, source: str) -> str | None:
    """Why a key cannot be sent, or None if it can.

    It cannot if it is not wrapped (its holder's repr would show it), is empty, or holds a space, a line break or any
    other character that is not printable ASCII. The reason says the position, counted from 0, and the source, never
    the key; it is returned rather than raised, so that no traceback's locals hold the key.

    Args:
        key: The key or token, wrapped.
        source: Where it came from: the name of a variable or an option.
    """
    if not isinstance(key, Secret):
        return f"the key from {source} is not wrapped: give Secret(...)"
    text = key.reveal()
    if not text:
        return f"the key from {source} is empty"
    bad = next((at for at, char in enumerate(text) if not "!" <= char <= "~"), None)
    return None if bad is None else f"the key from {source} has an invalid character at position {bad}"


def name_fault(name: object, what: str) -> str | None:
    """Why a header's name cannot be sent, or None if it can; `what` is how it is called in the reason."""
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        # A name that is none may be a whole "name: key" line, so it is not repeated.
        return f"{what} is not a header's name"
    return f"the header {name!r} is set by the transport" if name.lower() in _FRAMING else None


def secret_headers(fields: Mapping[str, str | Secret], source: str) -> tuple[Header, ...]:
    """Header fields a caller gave, with lower-case names and their values wrapped, as any of them may be a key.

    Args:
        fields: Names and values.
        source: The option they came from, for the message.

    Raises:
        ConfigError: For a name that is no token, a field that frames the message and so is the transport's own
            (`content-length`, say), or a value that is no text, begins or ends with white space, or holds a
            character other than printable ASCII, space and tab. The value is never repeated.
    """
    fault = _fields_fault(fields)
    if fault is not None:
        del fields  # a traceback with locals shows no header
        raise ConfigError(f"{source}: {fault}")
    return tuple(
        (name.lower(), value if isinstance(value, Secret) else Secret(value))
        for name, value in fields.items()
    )


def merge_headers(*layers: Iterable[Header]) -> tuple[Header, ...]:
    """One list of fields, in which a later layer's field replaces an earlier one of the same name."""
    return tuple({name: (name, value) for layer in layers for name, value in layer}.values())


def secrets_of(fields: Iterable[Header]) -> tuple[Secret, ...]:
    """The values of these fields that must not show."""
    return tuple(value for _name, value in fields if isinstance(value, Secret))


def _fields_fault(fields: object) -> str | None:
    if not isinstance(fields, Mapping):
        return f"header fields are a mapping of names to values, not a {type(fields).__name__}"
    items = cast("Mapping[object, object]", fields).items()
    faults = (_fault(number, name, value) for number, (name, value) in enumerate(items))
    return next((fault for fault in faults if fault is not None), None)


def _fault(number: int, name: object, value: object) -> str | None:
    if fault := name_fault(name, f"the name of field {number}"):
        return fault
    text = value.reveal() if isinstance(value, Secret) else value
    if not isinstance(text, str):
        return f"the value of the header {name!r} is not text"
    bad = next((at for at, char in enumerate(text) if not (" " <= char <= "~" or char == "\t")), None)
    if bad is None and text != text.strip():
        bad = 0 if text[0].isspace() else len(text) - 1
    return None if bad is None else f"the header {name!r} has an invalid character at position {bad}"
