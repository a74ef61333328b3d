"""The blocks of a Converse turn that are whole only when they end: all but texts and the model's own calls."""

from __future__ import annotations

import base64
from typing import Any

from msgspec import Struct

from ._json import as_list, as_object, as_text
from ._tool_calls import arguments_object
from .chunks import Chunk, Citation, Media, RedactedThinking, ServerToolCall, ServerToolResult, Thinking
from .errors import EventTooLarge

__all__ = ["WIRE", "ConverseBlocks", "citation_of"]

WIRE = "bedrock-converse"

_MAX_OPEN = 128  # they come one after the other; a server that ends none has no more than calls
_MAX_TEXT = 1024 * 1024  # of a signature, or of the arguments of a tool the provider runs
_MAX_DATA = 32 * 1024 * 1024  # of an image, of what is encrypted, or of what such a tool answered


class _Open(Struct):
    """What has come of one block."""

    signature: list[str] = []
    redacted: list[str] = []
    images: list[str] = []
    image_type: str = "image/png"
    call: dict[str, Any] | None = None
    arguments: list[str] = []
    result: dict[str, Any] | None = None
    answers: list[Any] = []
    size: int = 0


class ConverseBlocks:
    """What is told of a block when it ends: by its number, as blocks may come interleaved."""

    def __init__(self) -> None:
        self._open: dict[int | None, _Open] = {}
        self._tools: dict[str, str] = {}  # the names of the provider's own tools, by the ids of their calls

    def sign(self, index: int | None, signature: str) -> None:
        """Take a piece of the signature of a block of reasoning."""
        block = self._block(index)
        _grow(block, len(signature), _MAX_TEXT, "a signature")
        block.signature.append(signature)

    def redact(self, index: int | None, data: str) -> None:
        """Take a piece of a block of reasoning that is encrypted."""
        block = self._block(index)
        _grow(block, len(data), _MAX_DATA, "an encrypted block")
        block.redacted.append(data)

    def draw(self, index: int | None, image: dict[str, Any]) -> None:
        """Take the format of an image, or a piece of it."""
        block = self._block(index)
        block.image_type = f"image/{as_text(image.get('format')) or block.image_type[6:]}"
        if data := as_text(as_object(image.get("source")).get("bytes")):
            _grow(block, len(data), _MAX_DATA, "an image")
            block.images.append(data)

    def call(self, index: int | None, id_: str, name: str, raw: dict[str, Any]) -> None:
        """Begin a call of a tool that the provider runs."""
        self._block(index).call = raw
        if len(self._tools) < _MAX_OPEN:
            self._tools[id_] = name

    def calls(self, index: int | None) -> bool:
        """Whether the block of this number is such a call."""
        block = self._open.get(index)
        return block is not None and block.call is not None

    def ask(self, index: int | None, arguments: str) -> None:
        """Take a piece of the arguments of such a call."""
        block = self._block(index)
        _grow(block, len(arguments), _MAX_TEXT, "what a tool of the provider's is asked")
        block.arguments.append(arguments)

    def answer(self, index: int | None, raw: dict[str, Any]) -> None:
        """Begin what such a tool answered."""
        self._block(index).result = raw

    def add(self, index: int | None, answers: list[Any], size: int) -> None:
        """Take a piece of what such a tool answered, of so many bytes."""
        block = self._block(index)
        _grow(block, size, _MAX_DATA, "what a tool of the provider's answered")
        block.answers += answers

    def end(self, index: int | None, out: list[Chunk]) -> None:
        """Tell what came of the block."""
        block = self._open.pop(index, None)
        if block is None:
            return
        if block.signature:
            out.append(Thinking("", "".join(block.signature)))
        if block.redacted:
            out.append(RedactedThinking(_joined(block.redacted)))
        if block.images:
            data = b"".join(base64.b64decode(piece, validate=True) for piece in block.images)
            out.append(Media(block.image_type, data=data))
        if block.call is not None:
            out.append(self._server_call(block.call, "".join(block.arguments)))
        if block.result is not None:
            out.append(self._server_result(block.result, block.answers))

    def end_all(self, out: list[Chunk]) -> None:
        """Tell what came of blocks of reasoning whose end was not told; nothing else is whole without it."""
        for index in list(self._open):
            block = self._open[index]
            block.call, block.result, block.images = None, None, []
            self.end(index, out)

    def _block(self, index: int | None) -> _Open:
        block = self._open.get(index)
        if block is None:
            if len(self._open) >= _MAX_OPEN:
                raise EventTooLarge(f"the turn has more than {_MAX_OPEN} blocks open at once")
            block = self._open[index] = _Open()
        return block

    def _server_call(self, raw: dict[str, Any], text: str) -> ServerToolCall:
        arguments = as_object(raw.get("input")) or arguments_object(text) or {}
        id_, name = as_text(raw.get("toolUseId")) or "", as_text(raw.get("name")) or ""
        return ServerToolCall(id_, name, arguments, WIRE, {**raw, "input": arguments})

    def _server_result(self, raw: dict[str, Any], answers: list[Any]) -> ServerToolResult:
        content = as_list(raw.get("content")) + answers
        id_ = as_text(raw.get("toolUseId")) or ""
        name = self._tools.get(id_) or as_text(raw.get("type")) or ""
        failed = raw.get("status") == "error"
        return ServerToolResult(id_, name, content, WIRE, {**raw, "content": content}, failed)


def citation_of(given: dict[str, Any]) -> Citation | None:
    """A source as Bedrock names it: a page, or a place in a document or a search result; None where it says nothing."""
    location = as_object(given.get("location"))
    url = as_text(as_object(location.get("web")).get("url")) or as_text(given.get("source"))
    title = as_text(given.get("title"))
    pieces = [as_text(as_object(piece).get("text")) or "" for piece in as_list(given.get("sourceContent"))]
    text = "".join(pieces) or None
    return Citation(url, title, text) if url or title or text else None


def _grow(block: _Open, by: int, limit: int, what: str) -> None:
    block.size += by
    if block.size > limit:
        raise EventTooLarge(f"{what} is larger than {limit} characters")


def _joined(pieces: list[str]) -> str:
    """One text in base64: of one piece as it came, as it goes back byte for byte."""
    if len(pieces) == 1:
        return pieces[0]
    try:
        whole = b"".join(base64.b64decode(piece, validate=True) for piece in pieces)
    except ValueError:
        return "".join(pieces)
    return base64.b64encode(whole).decode()
