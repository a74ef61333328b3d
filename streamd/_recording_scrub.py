"""What of an exchange may stand in a file: headers that are known to be harmless, and the rest without its secrets."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, cast, final
from urllib.parse import parse_qsl, urlsplit

import msgspec

from streamd.providers import HTTPRequest, Secret, redact

from ._recording import Sent

__all__ = ["Scrubber", "origin_of", "secrets_in"]

REQUEST_HEADERS = frozenset(
    {
        "accept",
        "accept-encoding",
        "anthropic-beta",
        "anthropic-version",
        "content-type",
        "http-referer",
        "openai-beta",
        "user-agent",
        "x-title",
    }
)
RESPONSE_HEADERS = frozenset(
    {
        "anthropic-request-id",
        "apim-request-id",
        "cf-ray",
        "content-encoding",
        "content-type",
        "date",
        "openai-processing-ms",
        "openai-version",
        "request-id",
        "retry-after",
        "retry-after-ms",
        "server",
        "x-amzn-requestid",
        "x-generation-id",
        "x-request-id",
        "x-should-retry",
    }
)
RESPONSE_PREFIXES = ("x-ratelimit-", "anthropic-ratelimit-")

SECRET_NAME = re.compile(
    r"(?:key|token|secret|password|passwd|authorization|credentials?|sig|signature)$", re.I
)
CREDENTIAL = re.compile(r"auth|key|token|secret|cookie|pass|cred|sig", re.I)
PLAIN = re.compile(r"[A-Za-z]{1,20}(?: [A-Za-z]{1,20})*|[\d.:_-]{1,15}")
"""Words or a short number: no key, and hiding them everywhere would garble what was said."""

BLOCK = 64 * 1024
"""Bytes that are looked through at a time: other threads wait for as long."""


@final
class Scrubber:
    """Takes the secrets of one session out of what is written down."""

    def __init__(self, secrets: Iterable[Secret]) -> None:
        self._secrets = tuple(secrets)

    def text(self, text: str) -> str:
        """`text` with `***` in the place of secrets and of what looks like a key."""
        return redact(text, self._secrets)

    def value(self, value: Any) -> Any:
        """A JSON value whose texts, names included, hold no secret; a text that is named like a key is one."""
        match value:
            case str():
                return self.text(value)
            case list():
                return [self.value(each) for each in cast("list[object]", value)]
            case dict():
                items = cast("dict[str, Any]", value).items()
                return {self.text(name): self._named(name, each) for name, each in items}
            case _:
                return value

    def _named(self, name: str, value: Any) -> Any:
        return "***" if isinstance(value, str) and value and SECRET_NAME.search(name) else self.value(value)

    def body(self, body: bytes) -> bytes:
        """Bytes of a response with every secret overwritten by as many `*`: the places of all others stay.

        Give it the whole body: a secret may have come in two reads.
        """
        return b"".join(self._block(block) for block in _blocks(body))

    def _block(self, block: bytes) -> bytes:
        # One character a byte, so that a text as long is as many bytes.
        return self.overwritten(block.decode("latin-1")).encode("latin-1")

    def overwritten(self, text: str) -> str:
        """`text` with every secret overwritten as in a body: what was read from one is then the same here."""
        return redact(text, self._secrets, mask=lambda found: "*" * len(found))

    def request(self, request: HTTPRequest) -> Sent:
        """A request as it is written down."""
        try:
            body = msgspec.json.decode(request.body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            body = request.body.decode("utf-8", "replace")
        headers = {
            name.lower(): self.text(value.reveal() if isinstance(value, Secret) else value)
            for name, value in request.headers
            if name.lower() in REQUEST_HEADERS
        }
        return Sent(method=request.method, url=self.url(request.url), headers=headers, body=self.value(body))

    def url(self, url: str) -> str:
        """A URL without user, query and fragment."""
        return origin_of(url) + self.text(urlsplit(url).path)

    def headers(self, headers: Mapping[str, str]) -> dict[str, str]:
        """The headers of a response that may be kept; of where a redirect leads, the origin."""
        kept = {
            self.text(name): self.text(value)
            for name, value in ((name.lower(), value) for name, value in headers.items())
            if name in RESPONSE_HEADERS or name.startswith(RESPONSE_PREFIXES)
        }
        if location := origin_of(headers.get("location", "")):
            kept["location"] = self.text(location)
        return kept


def origin_of(url: str) -> str:
    """The scheme, host and port of a URL; empty where it cannot be read."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        return ""
    if not host:
        return ""
    named = f"[{host}]" if ":" in host else host
    return f"{parts.scheme}://{named}{'' if port is None else f':{port}'}"


def secrets_in(provider: object, request: HTTPRequest) -> Iterator[Secret]:
    """All that must not show of a provider and one of its requests.

    Those are the secret headers, the keys in the body, what the URL holds that it should not, and every `Secret` among
    the provider's own fields. Any header that was given is a `Secret`: those that are known, and plain words that are
    not called a credential, are none.
    """
    for name, value in request.headers:
        if isinstance(value, Secret) and _may_be_key(name, value.reveal()):
            yield value
    yield from request.secrets
    try:
        parts = urlsplit(request.url)
    except ValueError:
        return
    if parts.password:
        yield Secret(parts.password)
    for name, value in parse_qsl(parts.query):
        if SECRET_NAME.search(name):
            yield Secret(value)
    names: Iterable[str] = getattr(provider, "__struct_fields__", getattr(provider, "__dict__", ()))
    for name in names:
        field: object = getattr(provider, name, None)
        if isinstance(field, Secret):
            yield field


def _may_be_key(name: str, value: str) -> bool:
    if name.lower() in REQUEST_HEADERS:
        return False
    return CREDENTIAL.search(name) is not None or PLAIN.fullmatch(value) is None


def _blocks(body: bytes) -> Iterator[bytes]:
    """The body in pieces that end with a line, as no secret goes over the end of one."""
    start = 0
    while start < len(body):
        end = body.find(b"\n", start + BLOCK) + 1 or len(body)
        yield body[start:end]
        start = end
