"""Faults that try to get at the key: keys that cannot be sent, servers that repeat them, and ways elsewhere.

What else is a matter of security is a fault of another layer: floods and bombs, surplus answers, tools that nobody
declared. That the key is seen nowhere is looked at in every run, whatever its faults.
"""

from __future__ import annotations

from collections.abc import Callable

from msgspec.structs import replace

from streamd.errors import ConfigError

from ._delivery import Delivery
from ._expect import Expect
from ._failures import FAILURES
from ._faults_http_status import refused
from ._kind import FaultKind, Strike
from ._outcomes import either, fails_with, unsent
from ._reply import Edit, Reply
from ._stage import Stage
from ._wire_event import WireEvent

__all__ = ["SEC"]

_TAILS = {"newline": "\n", "crlf": "\r\nX-Own: 1", "nul": "\0", "del": "\x7f", "non_ascii": "é", "wide": "—"}
_ADDRESSES = {
    "query": "{url}/v1?key={key}",
    "user": "http://{key}@{host}",
    "password": "http://me:{key}@{host}",
    "fragment": "{url}/v1#{key}",
}
_TARGETS = {
    "host": "http://elsewhere.test/take",
    "relative": "//elsewhere.test/take",
    "subdomain": "http://memory.test.elsewhere.test/",
    "user": "http://memory.test@elsewhere.test/",
    "port": "http://memory.test:8080/",
    "query": "?next=http://elsewhere.test",
}


def _choice(strike: Strike, table: dict[str, str]) -> str:
    """What the fault's value stands for; the first if it has none."""
    value = strike.fault.value or next(iter(table))
    if value not in table:
        raise ConfigError(f"the fault {strike.fault}: the values are {', '.join(table)}")
    return table[value]


def _bad_key(stage: Stage, strike: Strike) -> Stage:
    return replace(stage, key_tail=_choice(strike, _TAILS))


def _in_url(stage: Stage, strike: Strike) -> Stage:
    return replace(stage, address=_choice(strike, _ADDRESSES))


def _exfiltrate(reply: Reply, strike: Strike) -> Reply:
    return refused(reply, b"{}", 307, location=_choice(strike, _TARGETS))


def _event(reply: Reply, data: bytes) -> Reply:
    return replace(reply, events=(*reply.events[:1], WireEvent(data, "error", fatal=True)))


def _in_error(reply: Reply, key: bytes, strike: Strike) -> Reply:
    told = strike.wire.error(FAILURES["auth"]).data.replace(b"The request failed.", b"Wrong key: " + key)
    return _event(reply, told)


def _in_refusal(reply: Reply, key: bytes, strike: Strike) -> Reply:
    told = strike.wire.refusal(FAILURES["auth"]).replace(b"The request failed.", b"Wrong key: " + key)
    return refused(reply, told, 401)


def _in_page(reply: Reply, key: bytes, _strike: Strike) -> Reply:
    page = WireEvent(b"<html><p>Wrong key: " + key + b"</p></html>\n", "noise", fatal=True)
    return replace(reply, events=(page,), framing="length")


def _in_head(reply: Reply, key: bytes, strike: Strike) -> Reply:
    text = key.decode()
    reply = refused(reply, strike.wire.refusal(FAILURES["auth"]), 401, x_request_id=text, server=text)
    return replace(reply, reason=text)


def _in_garbage(reply: Reply, key: bytes, _strike: Strike) -> Reply:
    return replace(reply, head=b"WRONG " + key + b" 401\r\n\r\n", edits=(*reply.edits, Edit(0)))


def _in_location(reply: Reply, key: bytes, _strike: Strike) -> Reply:
    return refused(reply, b"{}", 302, location=f"http://elsewhere.test/{key.decode()}?key={key.decode()}")


def _in_encoding(reply: Reply, key: bytes, _strike: Strike) -> Reply:
    named = ("Content-Encoding", key.decode())
    return replace(reply, headers=(*reply.headers, named), edits=(*reply.edits, Edit(0)))


_ECHOES: dict[str, Callable[[Reply, bytes, Strike], Reply]] = {
    "refusal": _in_refusal,
    "event": _in_error,
    "malformed": lambda reply, key, _strike: _event(reply, b'data: {"wrong": ' + key + b"}\n\n"),
    "page": _in_page,
    "head": _in_head,
    "status_line": _in_garbage,
    "location": _in_location,
    "encoding": _in_encoding,
}


def _as_echoed(_delivery: Delivery, strike: Strike) -> Expect:
    """The error is the one that it would be without the key."""
    name = strike.fault.value or "refusal"
    if name == "event":
        told = strike.wire.told(FAILURES["auth"])
        return Expect((told,), final=told == "AuthenticationError")
    return Expect(_ECHOED[name], final=name not in ("malformed", "page", "status_line"), once=name == "page")


_ECHOED: dict[str, tuple[str, ...]] = {
    "refusal": ("AuthenticationError",),
    "malformed": ("MalformedEvent", "NotAStream"),
    "page": ("NotAStream",),
    "head": ("AuthenticationError",),
    "status_line": ("ProtocolViolation",),
    "location": ("RedirectRefused",),
    "encoding": ("EncodingRefused",),
}


def _echo(reply: Reply, strike: Strike) -> Reply:
    name = strike.fault.value or "refusal"
    if name not in _ECHOES:
        raise ConfigError(f"the fault {strike.fault}: the values are {', '.join(_ECHOES)}")
    return _ECHOES[name](reply, (strike.key or "sk-none").encode(), strike)


_TEXT_WIRES = (
    *("openai-chat", "openai-responses", "anthropic-messages", "gemini", "gemini-array", "ollama-chat"),
    "cohere-v2",
)

SEC: tuple[FaultKind, ...] = (
    FaultKind(
        name="sec.bad_key",
        summary="The key that the application is given holds a character that no header may hold, as one that was read "
        "from a file with its newline.",
        phase="runtime",
        retry="NO",
        expect=unsent("ConfigError"),
        stage=_bad_key,
        values=tuple(_TAILS),
    ),
    FaultKind(
        name="sec.secret_in_url",
        summary="The address that the application is given holds the key.",
        phase="runtime",
        retry="-",
        expect=either("ConfigError"),
        stage=_in_url,
        values=tuple(_ADDRESSES),
    ),
    FaultKind(
        name="sec.redirect_exfil",
        summary="The server redirects to where the key and the prompt must not go.",
        phase="head",
        retry="NO",
        expect=fails_with("RedirectRefused", final=True),
        apply=_exfiltrate,
        values=tuple(_TARGETS),
    ),
    FaultKind(
        name="sec.key_echoed",
        summary="The server repeats the key: in a refusal, an error event, one that cannot be read, a page, the head, "
        "the status line, a redirect, or the name of an encoding.",
        phase="head",
        retry="NO",
        expect=_as_echoed,
        apply=_echo,
        values=tuple(_ECHOES),
        wires=_TEXT_WIRES,
    ),
)
"""The kinds of the layer `sec`."""
