"""The streams of `tests/data/streams`, cut and split at every byte: in a decoder alone, and in whole sessions.

What a stream says is known from its index; where in it an event ends is where the decoder, fed byte by byte, gives
something.
"""

from __future__ import annotations

import json
import multiprocessing
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from streamd import StreamdError
from streamd.providers import WIRES as DECODERS
from streamd.providers import Chunk, Stop, StopReason, Text, ToolCall
from streamd.testing import (
    WIRES,
    CallPart,
    Finding,
    Outcome,
    Scenario,
    TextPart,
    Turn,
    WireEvent,
    World,
    streamd_app,
)
from streamd.testing._case import Case

__all__ = ["RECORDED", "Recorded", "decoded", "recorded_app", "session_cases"]

FOLDER = Path(__file__).parents[1] / "data" / "streams"
_FRAMINGS = {".json": "gemini-array"}


class Recorded(Struct, frozen=True):
    """One stream: its name, its wire, its bytes, and the text, calls and end it is known to have."""

    id: str
    wire: str
    suffix: str
    body: bytes
    text: str | None
    calls: tuple[tuple[str, Any], ...]
    finish: str | None

    @property
    def spoken(self) -> str:
        """The wire as the harness names it."""
        return _FRAMINGS.get(self.suffix, self.wire)


def _load() -> Iterator[Recorded]:
    for line in (FOLDER / "index.jsonl").read_bytes().splitlines():
        row = json.loads(line)
        path, expect = FOLDER / row["path"], row["expect"]
        calls = tuple((call["name"], call["arguments"]) for call in expect.get("tool_calls") or ())
        yield Recorded(
            row["id"],
            row["wire"],
            path.suffix,
            path.read_bytes(),
            expect.get("text") if "text" in row["gold"] else None,
            calls,
            expect["finish_reason"],
        )


RECORDED: dict[str, Recorded] = {stream.id: stream for stream in _load()}


def _fed(wire: str, *pieces: bytes, closed: bool) -> tuple[list[Chunk], bool, StreamdError | None]:
    """The chunks, whether the turn is complete, and the error; `closed` where HTTP says that the body ends."""
    decoder = DECODERS[wire]()
    chunks: list[Chunk] = []
    try:
        for piece in pieces:
            chunks += decoder.feed(piece)
            if decoder.done:
                return chunks, True, None
        if closed or decoder.terminal:
            chunks += decoder.close()
            return chunks, True, None
    except StreamdError as error:
        return [*chunks, *error.chunks], False, error
    return chunks, False, None


def decoded(stream: Recorded) -> Iterator[Outcome]:
    """Every prefix of a stream, ended politely and not; and all of it in two reads, wherever the first ends."""
    for row, closed in (("net.fin", True), ("net.reset", False)):
        for place in range(len(stream.body) + 1):
            taken = _fed(stream.wire, stream.body[:place], closed=closed)
            yield _judged(stream, f"{stream.id}: {row}", f"cut at byte {place}", *taken)
    whole = _fed(stream.wire, stream.body, closed=True)
    for place in range(1, len(stream.body)):
        split = _fed(stream.wire, stream.body[:place], stream.body[place:], closed=True)
        outcome = _judged(stream, f"{stream.id}: net.split", f"split at byte {place}", *split)
        same = _said(split[0]) == _said(whole[0]) and type(split[2]) is type(whole[2])
        finding = Finding("lost_text", f"split at byte {place} it says something else", stream.id)
        yield outcome if same else replace(outcome, findings=(*outcome.findings, finding))


def _said(chunks: list[Chunk]) -> tuple[str, list[Any], tuple[str | None, ...]]:
    calls = [(chunk.name, chunk.arguments) for chunk in chunks if isinstance(chunk, ToolCall)]
    stop = next(((chunk.reason, chunk.raw_reason) for chunk in chunks if isinstance(chunk, Stop)), ())
    return "".join(chunk.text for chunk in chunks if isinstance(chunk, Text)), calls, stop


def _judged(
    stream: Recorded,
    row: str,
    where: str,
    chunks: list[Chunk],
    complete: bool,
    error: StreamdError | None,
) -> Outcome:
    text, calls, stop = _said(chunks)
    found: list[Finding] = []
    line = f"tests/data/streams: {stream.id}, {where}"
    if stream.text is not None and not stream.text.startswith(text):
        found.append(Finding("invented_text", f"{where} it says {text!r}", line))
    if calls and (not complete or calls != list(stream.calls)):
        found.append(Finding("ran_incomplete_tool", f"{where} it closes the calls {calls!r}", line))
    if complete and (stream.text not in (None, text) or stream.finish not in stop):
        found.append(Finding("fabricated_finish", f"{where} it is complete: {text!r}, {stop}", line))
    return Outcome(
        row=row,
        ended="complete" if complete else "open" if error is None else type(error).__name__,
        findings=tuple(found),
        told=len(text),
        tools=len(calls),
        line=line,
    )


def _events(stream: Recorded) -> tuple[WireEvent, ...] | None:
    """The stream event by event; None where it is not whole, or only if the body ends as HTTP says."""
    decoder = DECODERS[stream.wire]()
    events: list[WireEvent] = []
    start = 0
    try:
        for place in range(len(stream.body)):
            terminal = decoder.terminal
            gives = decoder.feed(stream.body[place : place + 1])
            if gives or decoder.terminal != terminal:
                data = stream.body[start : place + 1]
                events.append(WireEvent(data, "noise", tuple(gives), decoder.terminal))
                start = place + 1
        closing = decoder.close() if decoder.terminal and not decoder.done else []
    except StreamdError:
        return None
    if start < len(stream.body):
        events.append(WireEvent(stream.body[start:], "noise", terminal=decoder.terminal))
    return _settled(events, closing) if events and events[-1].terminal else None


def _settled(events: list[WireEvent], closing: list[Chunk]) -> tuple[WireEvent, ...]:
    """The events with closed calls and the end given by the first that is terminal: a client may stop reading there."""
    first = next(place for place, event in enumerate(events) if event.terminal)
    late = [chunk for event in events for chunk in event.gives if isinstance(chunk, ToolCall | Stop)]
    kept = [
        replace(event, gives=tuple(each for each in event.gives if not isinstance(each, ToolCall | Stop)))
        for event in events
    ]
    kept[first] = replace(kept[first], gives=(*kept[first].gives, *late, *closing))
    return tuple(kept)


def _scenario(stream: Recorded, events: tuple[WireEvent, ...]) -> Scenario:
    calls = [chunk for event in events for chunk in event.gives if isinstance(chunk, ToolCall)]
    parts = [CallPart(call.id, call.name, call.arguments) for call in calls]
    reason: StopReason = next(
        chunk.reason for event in events for chunk in event.gives if isinstance(chunk, Stop)
    )
    first = Turn((TextPart((stream.text or "",)), *parts), reason=reason)
    return Scenario((first, Turn((TextPart(("Done.",)),))) if parts else (first,))


@cache
def session_cases() -> tuple[Case, ...]:
    """A clean run of each stream that can be played; the harness is given a wire for each."""
    cases: list[Case] = []
    for stream in RECORDED.values():
        events = _events(stream)
        if events is None:
            continue
        base, name = WIRES[stream.spoken], f"recorded:{stream.id}"

        def answers(
            turn: Turn, number: int, played: tuple[WireEvent, ...] = events, usual: Any = base.events
        ) -> tuple[WireEvent, ...]:
            return played if number == 1 else usual(turn, number)

        WIRES[name] = replace(base, name=name, events=answers)
        cases.append(Case(_scenario(stream, events), wire=name))
    return tuple(cases)


async def recorded_app(world: World) -> None:
    """The session that is tested; a process that imports it to make runs has the wires of the streams."""
    await streamd_app(world)


if multiprocessing.parent_process() is not None:
    session_cases()
