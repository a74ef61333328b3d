"""What may stand in a header: keys and header fields are checked before anything is sent.

An HTTP library that meets a bad value tends to print it; here the message names the place and never the value.
Grammar: RFC 9110 §5.1 (names) and §5.5 (values).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from ._secret import Secret
from .errors import ConfigError

__all__ = ["Header", "check_key", "merge_headers", "secret_headers"]

Header = tuple[str, str | Secret]

_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_FRAMING = frozenset({"connection", "content-length", "transfer-encoding", "upgrade"})


def check_key(key: object, source: str) -> Secret:
    """Give back a key that can be sent, as it is.

    Args:
        key: The key or token, wrapped.
        source: Where it came from, for the message: the name of a variable or an option.

    Raises:
        ConfigError: If the key is not wrapped (its holder's repr would show it), is empty, or holds a space, a line
            break or any other character that is not printable ASCII. The message says the position, counted from 0,
            and the source, never the key.
    """
    if not isinstance(key, Secret):
        raise ConfigError(f"the key from {source} is not wrapped: give Secret(...)")
    text = key.reveal()
    if not text:
        raise ConfigError(f"the key from {source} is empty")
    bad = next((at for at, char in enumerate(text) if not "!" <= char <= "~"), None)
    if bad is not None:
        raise ConfigError(f"the key from {source} has an invalid character at position {bad}")
    return key


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
    return tuple(_checked(number, name, value, source) for number, (name, value) in enumerate(fields.items()))


def merge_headers(*layers: Iterable[Header]) -> tuple[Header, ...]:
    """One list of fields, in which a later layer's field replaces an earlier one of the same name."""
    return tuple({name: (name, value) for layer in layers for name, value in layer}.values())


def _checked(number: int, name: object, value: object, source: str) -> Header:
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        # A name that is none may be a whole "name: key" line, so it is not repeated.
        raise ConfigError(f"{source}: the name of field {number} is not a header's name")
    if name.lower() in _FRAMING:
        raise ConfigError(f"{source}: the header {name!r} is set by the transport")
    text = value.reveal() if isinstance(value, Secret) else value
    if not isinstance(text, str):
        raise ConfigError(f"{source}: the value of the header {name!r} is not text")
    bad = next((at for at, char in enumerate(text) if not (" " <= char <= "~" or char == "\t")), None)
    if bad is None and text != text.strip():
        bad = 0 if text[0].isspace() else len(text) - 1
    if bad is not None:
        raise ConfigError(f"{source}: the header {name!r} has an invalid character at position {bad}")
    return name.lower(), value if isinstance(value, Secret) else Secret(text)
