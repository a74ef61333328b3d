"""AWS's Signature Version 4: docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html."""

from __future__ import annotations

import hashlib
import hmac
from datetime import UTC, datetime
from urllib.parse import quote, unquote, urlsplit

from msgspec import Struct
from msgspec.structs import replace

from ._headers import Header
from ._provider import HTTPRequest
from ._secret import Secret

__all__ = ["AWSCredentials", "sign"]

_ALGORITHM = "AWS4-HMAC-SHA256"
_PLAIN = "-_.~"  # what no AWS encoding touches, besides letters and digits

_UNSIGNED = frozenset(
    ("accept-encoding", "authorization", "connection", "expect", "te", "transfer-encoding", "user-agent")
)
"""Fields that what lies between may change."""


class AWSCredentials(Struct, frozen=True):
    """Who asks: an access key, and the token of the session it belongs to where it is a temporary one."""

    access_key_id: Secret
    secret_access_key: Secret
    session_token: Secret | None = None

    @property
    def secrets(self) -> tuple[Secret, ...]:
        """All of it that must not show."""
        given = (self.access_key_id, self.secret_access_key, self.session_token)
        return tuple(each for each in given if each is not None)


def sign(
    request: HTTPRequest, credentials: AWSCredentials, region: str, service: str, at: datetime
) -> HTTPRequest:
    """`request` with the fields that prove who asks: `x-amz-date`, `authorization`, and the session's token if any.

    The same arguments give the same signature. It covers the method, the path, the query, the body and every field
    but those that what lies between may change. Servers take it for some five minutes.

    Args:
        request: A request whose URL is encoded as it is sent.
        credentials: Who asks.
        region: The region that is asked, `us-east-1` say.
        service: The service's name for signatures, `bedrock` say.
        at: The time; an aware one.
    """
    moment = at.astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")
    scope = f"{moment[:8]}/{region}/{service}/aws4_request"
    own: list[Header] = [("x-amz-date", moment)]
    if credentials.session_token is not None:
        own.append(("x-amz-security-token", credentials.session_token))
    replaced = {"authorization", *(name for name, _value in own)}
    headers = [*(field for field in request.headers if field[0].lower() not in replaced), *own]
    canonical, signed = _canonical(request, headers)
    digest = hashlib.sha256(canonical.encode()).hexdigest()
    told = "\n".join((_ALGORITHM, moment, scope, digest))
    signature = hmac.new(_key(credentials, scope), told.encode(), hashlib.sha256).hexdigest()
    who = f"{credentials.access_key_id.reveal()}/{scope}"
    proof = f"{_ALGORITHM} Credential={who}, SignedHeaders={signed}, Signature={signature}"
    return replace(request, headers=(*headers, ("authorization", Secret(proof))))


def _key(credentials: AWSCredentials, scope: str) -> bytes:
    """The key of one day, region and service."""
    key = b"AWS4" + credentials.secret_access_key.reveal().encode()
    for part in scope.split("/"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    return key


def _canonical(request: HTTPRequest, headers: list[Header]) -> tuple[str, str]:
    """The text that is signed for a request, and the names of the fields in it."""
    url = urlsplit(request.url)
    fields = {"host": _host(request.url)}
    for name, value in headers:
        if name.lower() not in _UNSIGNED:
            text = value.reveal() if isinstance(value, Secret) else value
            fields[name.lower()] = " ".join(text.split())
    signed = ";".join(sorted(fields))
    lines = [request.method, _path(url.path), _query(url.query)]
    lines += [f"{name}:{fields[name]}" for name in sorted(fields)]
    lines += ["", signed, hashlib.sha256(request.body).hexdigest()]
    return "\n".join(lines), signed


def _host(url: str) -> str:
    """The host as a request names it: with its port, unless that is the scheme's own."""
    parts = urlsplit(url)
    default = {"http": 80, "https": 443}.get(parts.scheme)
    host = parts.netloc.lower()
    return host if parts.port is None or parts.port != default else host.rpartition(":")[0]


def _path(path: str) -> str:
    """The path without dot segments and doubled slashes, encoded once more than it is sent."""
    kept: list[str] = []
    for segment in path.split("/"):
        if segment == "..":
            del kept[-1:]
        elif segment not in ("", "."):
            kept.append(segment)
    slash = "/" if kept and path.endswith("/") else ""
    return quote("/" + "/".join(kept) + slash, safe="/" + _PLAIN)


def _query(query: str) -> str:
    pairs = [pair.partition("=") for pair in query.split("&") if pair]
    encoded = sorted((_encoded(name), _encoded(value)) for name, _mark, value in pairs)
    return "&".join(f"{name}={value}" for name, value in encoded)


def _encoded(text: str) -> str:
    return quote(unquote(text), safe=_PLAIN)
