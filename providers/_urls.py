"""Where a request goes: a base URL and a path, joined without saying a segment twice."""

from __future__ import annotations

from urllib.parse import SplitResult, parse_qsl, quote, urlsplit, urlunsplit

from .errors import ConfigError

__all__ = ["check_base_url", "has_path", "join_url"]

_SECRET_PARAMETERS = frozenset(
    {
        "access_token",
        "api-key",
        "api_key",
        "apikey",
        "auth",
        "key",
        "password",
        "secret",
        "subscription-key",
        "token",
    }
)


def check_base_url(base: str) -> SplitResult:
    """Split a base URL, or say what is wrong with it.

    Raises:
        ConfigError: For a URL without `http://` or `https://` and a host, with a character no URL holds, with a user
            or password, or with a key in its query. A URL that may hold a secret is not repeated in the message.
    """
    bad = next((at for at, char in enumerate(base) if not "!" <= char <= "~"), None)
    if bad is not None:
        raise ConfigError(f"the base URL has an invalid character at position {bad}")
    try:
        parts = urlsplit(base)
        host, _port = parts.hostname, parts.port
    except ValueError:
        raise ConfigError("the base URL cannot be read: its host or port is malformed") from None
    if "@" in parts.netloc + parts.path:  # a slash in a password ends the host early
        raise ConfigError("the base URL holds a user or password: give the key as `api_key` instead")
    _refuse_secret_query(parts.query, "base URL")
    if parts.scheme not in {"http", "https"} or not host:
        plain = base.partition("?")[0]
        raise ConfigError(
            f"the base URL {plain!r} needs a scheme and a host, such as 'https://example.com/v1'"
        )
    return parts


def has_path(base: str) -> bool:
    """Whether a base URL names more than a host."""
    return bool(check_base_url(base).path.strip("/"))


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
        ConfigError: For a base URL as in `check_base_url`, a key in the query of the path, or a model's name that
            would change the path's meaning.
    """
    parts = check_base_url(base)
    tail = urlsplit("//host/" + path.lstrip("/"))
    _refuse_secret_query(tail.query, "path")
    if "{model}" in base + path and model in {"", ".", ".."}:
        raise ConfigError(f"the model's name {model!r} cannot stand in a URL")
    above, below = _segments(parts.path), _segments(tail.path)
    overlap = next(
        size for size in range(min(len(above), len(below)), -1, -1) if _overlaps(above, below, size)
    )
    joined = "/".join(["", *above, *below[overlap:]])
    url = urlunsplit(
        (parts.scheme, parts.netloc, joined, tail.query or parts.query, tail.fragment or parts.fragment)
    )
    return url.replace("{model}", quote(model, safe=""))


def _segments(path: str) -> list[str]:
    trimmed = path.strip("/")
    return trimmed.split("/") if trimmed else []


def _overlaps(above: list[str], below: list[str], size: int) -> bool:
    return above[len(above) - size :] == below[:size]


def _refuse_secret_query(query: str, where: str) -> None:
    for name, _value in parse_qsl(query, keep_blank_values=True):
        if name.lower() in _SECRET_PARAMETERS:
            raise ConfigError(
                f"the {where} holds a key in its query: URLs end up in logs; give it as `api_key` or a header"
            )
