"""Where a request goes: a base URL and a path, joined without saying a segment twice."""

from __future__ import annotations

import re
from urllib.parse import parse_qsl, quote, urlsplit, urlunsplit

from ._redact import redact
from .errors import ConfigError

__all__ = ["has_path", "join_url", "path_fault", "url_fault"]

_SECRET_NAME = re.compile(r"key|token|secret|sig|auth|pass|pwd|cred|^code$", re.IGNORECASE)

_NOT_OF_A_URL = re.compile(r"[^!-~]")


def url_fault(base: object) -> str | None:
    """Why a base URL cannot be used, or None if it can.

    It needs `http://` or `https://` and a host, and holds no character that no URL holds, no user or password, and no
    key in its query or fragment. The reason is returned rather than raised, so that no traceback's locals hold the
    URL; and a URL that may hold a secret is not repeated in it.
    """
    if not isinstance(base, str):
        return f"the base URL is text, not a {type(base).__name__}"
    if bad := _NOT_OF_A_URL.search(base):
        return f"the base URL has an invalid character at position {bad.start()}"
    try:
        parts = urlsplit(base)
        host, _port = parts.hostname, parts.port
    except ValueError:
        return "the base URL cannot be read: its host or port is malformed"
    if "@" in parts.netloc + parts.path:  # a slash in a password ends the host early
        return "the base URL holds a user or password: give the key as `api_key` instead"
    if _holds_key(parts.query) or _holds_key(parts.fragment):
        return _key_in_query("base URL")
    if parts.scheme not in {"http", "https"} or not host:
        plain = redact(re.split("[?#]", base)[0])
        return f"the base URL {plain!r} needs a scheme and a host, such as 'https://example.com/v1'"
    return None


def path_fault(path: object) -> str | None:
    """Why a method's path cannot be used, or None if it can; None is a path that was not given."""
    if path is None:
        return None
    if not isinstance(path, str):
        return f"the path is text, not a {type(path).__name__}"
    tail = urlsplit("//host/" + path.lstrip("/"))
    return _key_in_query("path") if _holds_key(tail.query) or _holds_key(tail.fragment) else None


def has_path(base: str) -> bool:
    """Whether a base URL that has no fault names more than a host."""
    return bool(urlsplit(base).path.strip("/"))


def join_url(base: str, path: str, model: str = "") -> str:
    """Put `path` below `base`, where the end of one may overlap with the start of the other.

    The longest run of segments that ends the base and begins the path is written once, so `https://x/v1` and
    `https://x` both give `https://x/v1/chat/completions` for the path `/v1/chat/completions`. A query or fragment of
    the path wins over the base's. Trailing slashes do not matter. `{model}` in either is replaced by the model's
    name, percent-encoded whole.

    Args:
        base: An absolute `http` or `https` URL.
        path: The path of one method, with or without a leading slash.
        model: The model's name.

    Raises:
        ConfigError: For a base URL as in `url_fault`, a key in the query of the path, or a model's name that
            would change the path's meaning.
    """
    fault = url_fault(base) or path_fault(path) or _model_fault(base + path, model)
    if fault is not None:
        del base, path, model  # a traceback with locals does not show what was refused
        raise ConfigError(fault)
    parts = urlsplit(base)
    tail = urlsplit("//host/" + path.lstrip("/"))
    above, below = _segments(parts.path), _segments(tail.path)
    overlap = next(
        size for size in range(min(len(above), len(below)), -1, -1) if _overlaps(above, below, size)
    )
    joined = "/".join(["", *above, *below[overlap:]])
    url = urlunsplit(
        (parts.scheme, parts.netloc, joined, tail.query or parts.query, tail.fragment or parts.fragment)
    )
    return url.replace("{model}", quote(model, safe="")) if "{model}" in url else url


def _segments(path: str) -> list[str]:
    trimmed = path.strip("/")
    return trimmed.split("/") if trimmed else []


def _overlaps(above: list[str], below: list[str], size: int) -> bool:
    return above[len(above) - size :] == below[:size]


def _model_fault(url: str, model: str) -> str | None:
    if "{model}" not in url:
        return None
    try:
        model.encode()
    except UnicodeEncodeError:
        return "the model's name has a lone surrogate: it cannot stand in a URL"
    return f"the model's name {model!r} cannot stand in a URL" if model in {"", ".", ".."} else None


def _holds_key(query: str) -> bool:
    if not query:
        return False
    named = any(_SECRET_NAME.search(name) for name, _value in parse_qsl(query, keep_blank_values=True))
    return named or redact(query) != query


def _key_in_query(where: str) -> str:
    return f"the {where} holds a key in its query: URLs end up in logs; give it as `api_key` or a header"
