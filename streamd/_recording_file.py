"""The document that a recorded session becomes: its secrets taken out, and put in its place whole."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Literal, NamedTuple

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from streamd.providers import HTTPRequest, Provider, StopReason, ToolResult, Usage, WireFormat

from ._recording import (
    VERSION,
    Asked,
    Binary,
    Broken,
    Cut,
    End,
    Exchange,
    Failure,
    Outcome,
    Piece,
    Plain,
    Recording,
    Started,
)
from ._recording_failure import failure_of
from ._recording_scrub import Scrubber, origin_of, secrets_in
from ._version import __version__
from .errors import StreamdError

__all__ = ["Ended", "Spoken", "Taken", "numbered", "write_recording"]


class Spoken(NamedTuple):
    """Who is asked, and for which model."""

    provider: Provider
    model: str


class Taken:
    """An exchange as it came; nothing is masked yet. Its times are those of the format."""

    __slots__ = ("at", "candidate", "end", "head_at", "headers", "reads", "request", "round", "status")

    def __init__(self, request: HTTPRequest, at: float, round_: int, candidate: int) -> None:
        self.request = request
        self.at = at
        self.round = round_
        self.candidate = candidate
        self.status: int | None = None
        self.headers: Mapping[str, str] = {}
        self.head_at: float = 0.0
        self.reads: list[tuple[float, bytes]] = []
        self.end: End | None = None


class Ended(Struct, frozen=True, kw_only=True):
    """How a session ended, and after how many seconds; nothing is masked yet."""

    status: Literal["done", "cancelled", "error"]
    stop_reason: StopReason | None
    usage: Usage
    error: StreamdError | None
    duration: float


def numbered(path: Path, number: int) -> Path:
    """The file of one of several sessions, counted from 1: `a.json`, `a.2.json`, `a.3.json`."""
    return path if number == 1 else path.with_name(f"{path.stem}.{number}{path.suffix}")


def write_recording(
    path: str,
    asked: Sequence[Spoken],
    exchanges: Sequence[Taken],
    results: Iterable[Sequence[ToolResult]],
    ended: Ended,
) -> None:
    """Put the recording of a session in the place of the file, or of none; it is its owner's alone.

    The file is whole whenever it is seen. It is slow where the session was long: call it in a thread.

    Raises:
        OSError: The file cannot be written; the one that was there is as it was.
    """
    secrets = {
        each.reveal(): each
        for taken in exchanges
        for each in secrets_in(asked[taken.candidate].provider, taken.request)
    }
    scrub = Scrubber(secrets.values())
    first, *others = (
        Asked(provider=scrub.text(provider.name), wire=_wire(provider), model=scrub.text(model))
        for provider, model in asked
    )
    recording = Recording(
        version=VERSION,
        streamd=__version__,
        provider=first.provider,
        wire=first.wire,
        model=first.model,
        fallbacks=tuple(others),
        origin=scrub.text(origin_of(exchanges[0].request.url)) if exchanges else "",
        exchanges=tuple(_exchange(taken, scrub) for taken in exchanges),
        tool_results=tuple(tuple(_result(each, scrub) for each in round_) for round_ in results),
        outcome=_outcome(ended, scrub),
    )
    _put(path, msgspec.json.format(msgspec.json.encode(recording), indent=1))


def _wire(provider: Provider) -> str | None:
    """The name of the wire, where the provider is made of one that is known."""
    wire = getattr(provider, "wire", None)
    name: object = wire.name if isinstance(wire, WireFormat) else wire
    return name if isinstance(name, str) else None


def _outcome(ended: Ended, scrub: Scrubber) -> Outcome:
    error = ended.error
    return Outcome(
        status=ended.status,
        stop_reason=ended.stop_reason,
        usage=replace(ended.usage, raw=scrub.value(ended.usage.raw)),
        error=None if error is None else _failure(failure_of(error), scrub),
        duration=ended.duration,
    )


def _failure(failure: Failure, scrub: Scrubber) -> Failure:
    return replace(failure, message=scrub.text(failure.message))


def _result(result: ToolResult, scrub: Scrubber) -> ToolResult:
    return replace(
        result,
        id=scrub.overwritten(result.id),
        name=scrub.overwritten(result.name),
        content=scrub.text(result.content),
    )


def _exchange(taken: Taken, scrub: Scrubber) -> Exchange:
    end = taken.end or Cut(taken.reads[-1][0] if taken.reads else taken.head_at)
    if isinstance(end, Broken):
        end = Broken(end.at, _failure(end.failure, scrub))
    return Exchange(
        round=taken.round,
        candidate=taken.candidate,
        at=taken.at,
        request=scrub.request(taken.request),
        response=None
        if taken.status is None
        else Started(
            at=taken.head_at,
            status=taken.status,
            headers=scrub.headers(taken.headers),
            body=_pieces(taken.reads, scrub),
        ),
        end=end,
    )


def _pieces(reads: Sequence[tuple[float, bytes]], scrub: Scrubber) -> tuple[Piece, ...]:
    body = scrub.body(b"".join(data for _, data in reads))
    pieces: list[Piece] = []
    start = 0
    for at, data in reads:
        raw = body[start : start + len(data)]
        start += len(data)
        try:
            pieces.append(Plain(at, raw.decode()))
        except UnicodeDecodeError:
            pieces.append(Binary(at, raw))
    return tuple(pieces)


def _put(path: str, document: bytes) -> None:
    number, temporary = tempfile.mkstemp(prefix=f".{os.path.basename(path)}.", dir=os.path.dirname(path))
    try:
        with open(number, "wb") as file:
            file.write(document)
        os.replace(temporary, path)
    except BaseException:
        with suppress(OSError):
            os.unlink(temporary)
        raise
