"""HTTP/1.1 without I/O: a request to bytes, bytes to a response (RFC 9112).

The grammar of responses is that of llhttp, by way of httptools; this file adds what llhttp leaves to its caller: what
the connection's end means, what comes after the response, and limits.
"""

import re
from collections.abc import Iterable
from typing import Literal, final

import httptools
import msgspec

from .errors import ConnectionLost, Phase, ProtocolViolation, TransportError

__all__ = ["HEAD_LIMIT", "ResponseHead", "ResponseReader", "refusal", "request_bytes"]

HEAD_LIMIT = 64 * 1024
"""Bytes: the most a response's head may hold, the informational ones before it included; and the most that may
come, at any place, without a byte of body among it (chunk extensions, trailers)."""

Headers = Iterable[tuple[bytes, bytes]]

_TOKEN = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_TARGET = re.compile(rb"[\x21-\x7e]+")
_NOT_A_VALUE = re.compile(rb"[^\t\x20-\x7e\x80-\xff]")
_FRAMING = frozenset({b"content-length", b"transfer-encoding"})
_WITH_BODY = frozenset({b"POST", b"PUT", b"PATCH"})


def refusal(method: bytes, target: bytes, headers: Headers) -> str | None:
    """Why these cannot be sent, or None if they can.

    A reason is returned rather than raised, so that no traceback's locals hold a header; and it names no value.

    Args:
        method: The method, a token.
        target: The path and query, percent-encoded.
        headers: Names and values.
    """
    if not _TOKEN.fullmatch(method):
        return "the request's method is not a token"
    if not _TARGET.fullmatch(target):
        return "the request's path or query holds a character that must be percent-encoded"
    for name, value in headers:
        if not _TOKEN.fullmatch(name):
            return "a request header's name is empty or holds a character that no name may hold"
        if found := _NOT_A_VALUE.search(value):
            return (
                f"the value of the request header {name.decode()} holds a control character at position "
                f"{found.start()}; a key read from a file often ends in a newline"
            )
    return None


def request_bytes(method: bytes, target: bytes, headers: Headers, body: bytes) -> memoryview:
    """One request as it goes over the wire.

    The framing headers are made from `body`, whatever `headers` say of it. The result is a view, as a view's `repr`
    does not show the bytes: a traceback with locals shows no key.

    Args:
        method: The method; see `refusal`, which must have passed all of these.
        target: The path and query.
        headers: Names and values, in the order they are sent.
        body: The whole body.
    """
    lines = [b"%b %b HTTP/1.1" % (method, target)]
    lines += [b"%b: %b" % (name, value) for name, value in headers if name.lower() not in _FRAMING]
    if body or method in _WITH_BODY:
        lines.append(b"Content-Length: %d" % len(body))
    lines += [b"", body]
    return memoryview(b"\r\n".join(lines))


class ResponseHead(msgspec.Struct, frozen=True):
    """The status line and headers of a response, as they came."""

    status: int
    reason: bytes
    headers: tuple[tuple[bytes, bytes], ...]
    version: str


@final
class ResponseReader:
    """Reads one response from bytes cut anywhere.

    Feed it what each read of the connection gave; it returns the body's bytes among them. What is wrong with the
    response is not raised but kept in `fault`, so that the good bytes before it come first.

    Attributes:
        head: The final response's head, once it is whole. Informational responses before it are dropped.
        complete: The response's last byte has come.
        reusable: It ended by its own framing, the server keeps the connection open, and nothing came after it.
        fault: Why the rest cannot be read.
        touched: At least one byte has come.

    Args:
        method: The request's method: a response to `HEAD` has no body, whatever its headers say.
    """

    def __init__(self, method: bytes) -> None:
        self.head: ResponseHead | None = None
        self.complete = False
        self.reusable = False
        self.fault: TransportError | None = None
        self.touched = False
        self._bodiless = method == b"HEAD"
        self._until_end = False
        self._reason = b""
        self._headers: list[tuple[bytes, bytes]] = []
        self._room = HEAD_LIMIT
        self._barren = 0
        self._pieces: list[bytes] = []
        self._last_piece = 0
        # The parser looks its callbacks up once: a list's own `append` costs no Python frame per piece.
        self.on_body = self._pieces.append
        self._parser: httptools.HttpResponseParser | None = httptools.HttpResponseParser(self)

    @property
    def over(self) -> bool:
        """Nothing more will be read: the response is complete, or at fault."""
        return self._parser is None

    @property
    def phase(self) -> Literal["headers", "stream"]:
        """Where an error that happens now happens."""
        return "headers" if self.head is None else "stream"

    def feed(self, data: bytes | bytearray) -> bytes:
        """The bytes of body among `data`; empty when there are none, or when it is `over`.

        Args:
            data: What one read of the connection gave; not empty, as that means its end: see `end`.
        """
        if self._parser is None:
            return b""
        self.touched = True
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError as exc:
            violation = ProtocolViolation(f"what the server sent is not HTTP/1.1: {exc}", phase=self.phase)
            # This frame holds what the server sent, and so perhaps a key that it repeats.
            self._fail(violation, exc.with_traceback(None))
        except httptools.HttpParserUpgrade as exc:
            self._fail(ProtocolViolation("the server switched protocols unasked", phase="headers"), exc)
        if self.complete:
            del self._pieces[self._last_piece :]
            self._parser = None
        if self._pieces and self.head is not None:
            self._barren = 0
            body = self._pieces[0] if len(self._pieces) == 1 else b"".join(self._pieces)
            self._pieces.clear()
            return body
        self._barren += len(data)
        if self._barren > HEAD_LIMIT:
            self._flooded()
        return b""

    def end(self) -> None:
        """The peer closed the connection: that completes a body that has no other end, and cuts any other."""
        if self._until_end and not self.over:
            self.complete = True
            self._parser = None
        self._fail(ConnectionLost(_CUT[self.phase, self.touched], phase=self.phase))

    def lose(self, message: str, cause: BaseException | None = None) -> None:
        """The connection is gone: what had not come will not.

        Args:
            message: What happened.
            cause: What told of it.
        """
        self._fail(ConnectionLost(message, phase=self.phase), cause)

    def _flooded(self) -> None:
        self._fail(
            ProtocolViolation(f"a head, trailer or chunk line of over {HEAD_LIMIT} bytes", phase=self.phase)
        )

    def _fail(self, fault: TransportError, cause: BaseException | None = None) -> None:
        if self.complete:
            self.reusable = False
        elif self.fault is None:
            fault.__cause__ = cause
            self.fault = fault
        # It holds this object's methods, and so itself: without this, each would wait for the cycle collector.
        self._parser = None

    # The rest is called by the parser. All it calls after the last byte of the response is about surplus bytes.

    def on_message_begin(self) -> None:
        """A response begins: the one we wait for, or one that nobody asked for."""
        if self.complete:
            self.reusable = False

    def on_status(self, reason: bytes) -> None:
        """A piece of the reason phrase."""
        if self.head is None:
            self._reason += reason

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header, or after the body a trailer, which is dropped."""
        self._room -= len(name) + len(value) + len(b": \r\n")
        if self._room < 0:
            self._flooded()
        elif self.head is None:
            self._headers.append((name, value.rstrip(b" \t")))

    def on_headers_complete(self) -> None:
        """A head is whole."""
        parser = self._parser
        if parser is None or self.head is not None:
            return
        status, version = parser.get_status_code(), parser.get_http_version()
        if version not in _VERSIONS or status < 100:
            self._fail(
                ProtocolViolation(f"the server answered HTTP/{version} with status {status}", phase="headers")
            )
        elif status == 101:
            self._fail(ProtocolViolation("the server switched protocols unasked", phase="headers"))
        elif status < 200:
            self._reason = b""
            self._headers.clear()
        else:
            self._begin_body(status, version)

    def on_message_complete(self) -> None:
        """The last byte of a response has come."""
        if self._parser is not None and self.head is not None and not self.complete:
            self._finish(reusable=self._parser.should_keep_alive())

    def _begin_body(self, status: int, version: str) -> None:
        codings = [value.lower() for name, value in self._headers if name.lower() == b"transfer-encoding"]
        measured = any(name.lower() == b"content-length" for name, _ in self._headers)
        if codings not in ([], [b"chunked"]):
            # We never offer another (no TE header is sent), and could not find the body's end under it.
            self._fail(
                ProtocolViolation("the response has a transfer coding other than chunked", phase="headers")
            )
            return
        self._until_end = not codings and not measured
        self.head = ResponseHead(status, self._reason, tuple(self._headers), version)
        if self._bodiless:
            self._finish(reusable=False)

    def _finish(self, *, reusable: bool) -> None:
        self.complete = True
        self.reusable = reusable
        self._last_piece = len(self._pieces)


_VERSIONS = frozenset({"1.0", "1.1"})

_CUT: dict[tuple[Phase, bool], str] = {
    ("headers", False): "the server closed the connection without a response",
    ("headers", True): "the server closed the connection inside the response's head",
    ("stream", True): "the server closed the connection inside the response's body",
}
