"""The recording of a session: what one JSON document holds, and reading it back."""

from __future__ import annotations

import inspect
import os
from typing import Annotated, Any, Literal, cast

import msgspec
from msgspec import Meta, Struct

from streamd.providers import StopReason, ToolResult, Usage

from .errors import ConfigError, Phase, Timer

__all__ = [
    "VERSION",
    "Asked",
    "Binary",
    "Broken",
    "Complete",
    "Cut",
    "Exchange",
    "Failure",
    "Outcome",
    "Piece",
    "Plain",
    "Recording",
    "Sent",
    "Started",
    "load_recording",
    "recording_schema",
]

VERSION = 1
"""The version of the format. It changes when a reader of the one before would misread a document."""

Seconds = Annotated[float, Meta(ge=0)]
SCHEMA_ID = "https://json-schema.org/draft/2020-12/schema"


class Plain(Struct, frozen=True, tag_field="encoding", tag="utf-8"):
    """Bytes of a body that are UTF-8, as they came with one network read, and when: seconds after the request."""

    at: Seconds
    data: str

    @property
    def raw(self) -> bytes:
        """The bytes."""
        return self.data.encode()


class Binary(Struct, frozen=True, tag_field="encoding", tag="base64"):
    """Bytes of a body that are not UTF-8 by themselves, as they came with one network read, and when."""

    at: Seconds
    data: bytes

    @property
    def raw(self) -> bytes:
        """The bytes."""
        return self.data


Piece = Plain | Binary


class Sent(Struct, frozen=True, kw_only=True):
    """A request: the URL without its query and user, the headers that are known to hold no secret, and the body.

    The body is the JSON value that was sent, or the text where it was none; secrets in it are masked.
    """

    method: str
    url: str
    headers: dict[str, str]
    body: Any


class Started(Struct, frozen=True, kw_only=True):
    """A response: when its head came, in seconds after the request; the head; and the body, read by read."""

    at: Seconds
    status: Annotated[int, Meta(ge=100, le=999)]
    headers: dict[str, str]
    body: tuple[Piece, ...]


class Complete(Struct, frozen=True, tag_field="kind", tag="complete"):
    """The body ended as HTTP says a body ends."""

    at: Seconds


class Cut(Struct, frozen=True, tag_field="kind", tag="cut"):
    """The session let the body go: the turn was complete, could not be read, or nobody wanted more."""

    at: Seconds


class Failure(Struct, frozen=True, kw_only=True):
    """What failed: the class of `streamd.errors`, what it said, and how far the attempt had come.

    `timer` and `seconds` are those of a `Stalled`, and None for every other.
    """

    error: str
    message: str
    phase: Phase | None
    retryable: bool
    timer: Timer | None = None
    seconds: float | None = None


class Broken(Struct, frozen=True, tag_field="kind", tag="broken"):
    """The exchange failed below the provider's own words: on the wire, by a timer, or by a bug."""

    at: Seconds
    failure: Failure


End = Complete | Cut | Broken


class Asked(Struct, frozen=True, kw_only=True):
    """A provider, the name of its wire as in `Recording`, and the model it was asked for."""

    provider: str
    wire: str | None
    model: str


class Exchange(Struct, frozen=True, kw_only=True):
    """One request and what came of it. `at` is in seconds after the session began; retries share their `round`.

    `candidate` tells who was asked: 0 for the recording's own provider, 1 for the first of its `fallbacks`.
    """

    round: Annotated[int, Meta(ge=1)]
    candidate: Annotated[int, Meta(ge=0)] = 0
    at: Seconds
    request: Sent
    response: Started | None
    end: End


class Outcome(Struct, frozen=True, kw_only=True):
    """How a session ended."""

    status: Literal["done", "cancelled", "error"]
    stop_reason: StopReason | None
    usage: Usage
    error: Failure | None
    duration: Seconds


class Recording(Struct, frozen=True, kw_only=True):
    """One session: every exchange in order, the results of each round of tools, and the outcome.

    `wire` is the name of the wire format, one of `streamd.providers.FORMATS`; None where the provider does not tell.
    `origin` is the scheme, host and port that were asked. `fallbacks` are those that would be asked, or were, where
    that failed.
    """

    version: Annotated[int, Meta(ge=1, le=VERSION)]
    streamd: str
    provider: str
    wire: str | None
    model: str
    origin: str
    fallbacks: tuple[Asked, ...] = ()
    exchanges: tuple[Exchange, ...]
    tool_results: tuple[tuple[ToolResult, ...], ...]
    outcome: Outcome


class _Versioned(Struct):
    version: int


def load_recording(path: str | os.PathLike[str]) -> Recording:
    """Read a recording from its file.

    Raises:
        ConfigError: The file cannot be read, is no recording, is damaged (the message names the place), or has a
            version that is not known here.
    """
    if not isinstance(path, str | os.PathLike):  # pyright: ignore[reportUnnecessaryIsInstance] - untyped callers
        raise ConfigError(f"a recording is given by its path, not {type(path).__name__}")
    name = os.fspath(path)
    try:
        with open(name, "rb") as file:
            document = file.read()
    except OSError as exc:
        raise ConfigError(f"the recording {name} cannot be read: {exc.strerror or exc}") from exc
    try:
        version = msgspec.json.decode(document, type=_Versioned).version
        if version > VERSION:
            raise ConfigError(
                f"the recording {name} has version {version}, and this streamd reads {VERSION}: update streamd"
            )
        return msgspec.json.decode(document, type=Recording)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as exc:
        raise ConfigError(f"the recording {name} is damaged: {exc}") from exc


def recording_schema() -> dict[str, Any]:
    """The format as a JSON schema (draft 2020-12)."""
    schema = {"$schema": SCHEMA_ID, "title": "A recording of a streamd session"}
    return {**schema, **_dedented(msgspec.json.schema(Recording))}


def _dedented(schema: Any) -> Any:
    """The same with docstrings as every Python writes them: before 3.13 they keep their indentation."""
    match schema:
        case dict():
            items = cast("dict[str, Any]", schema).items()
            return {name: _dedented(value) for name, value in items}
        case list() | tuple():  # a default is as Python has it
            return [_dedented(each) for each in cast("list[object]", schema)]
        case str():
            return inspect.cleandoc(schema)
        case _:
            return schema
