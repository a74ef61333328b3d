"""What of a reply reaches a client that reads all it can: the harness's expectation, from offsets alone."""

from __future__ import annotations

import math
from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

from streamd.providers import Chunk, Stop, Text, Thinking, ToolCall, ToolCallDelta, Usage

from ._reply import Layout, Reply, layout

__all__ = ["Delivery", "delivery_of"]


End = Literal["clean", "lost", "open", "refused"]
"""How a reply ends: as HTTP says a body ends; with the connection; not at all; without any answer."""


class Delivery(Struct, frozen=True, kw_only=True):
    """What a client has of a reply once nothing more comes.

    Args:
        events: How many events came whole, but for those after a fatal one.
        gives: What they give, in order.
        terminal: Whether the provider's evidence that the turn is complete is among them.
        fatal: Whether something came at which a client must end with an error.
        fatal_first: Whether it came before any terminal evidence.
        end: How it ended: `clean` as HTTP says a body ends, `lost` with the connection, `open` where nothing more comes
            and nothing ends, `refused` where there was no connection or a status of 300 or more.
        head: Whether the head came whole.
        body: How many bytes of the body came.
        loose: What it has if it takes the last event for whole, where only the line ends after that are missing at the
            clean end of the body, or at any end after terminal evidence; None where there is no such event. Either is
            right: the specification of server-sent events drops such an event, and servers end with one.
    """

    events: int
    gives: tuple[Chunk, ...]
    terminal: bool
    fatal: bool
    fatal_first: bool
    end: End
    head: bool
    body: int
    loose: Delivery | None = None

    @property
    def text(self) -> str:
        """The visible text."""
        return "".join(chunk.text for chunk in self.gives if isinstance(chunk, Text))

    @property
    def thinking(self) -> str:
        """The visible reasoning."""
        return "".join(chunk.text for chunk in self.gives if isinstance(chunk, Thinking))

    @property
    def calls(self) -> tuple[ToolCall, ...]:
        """The tool calls that are closed, valid and confirmed by the turn's end: those that may be run."""
        return tuple(chunk for chunk in self.gives if isinstance(chunk, ToolCall))

    @property
    def stop(self) -> Stop | None:
        """The turn's end."""
        return next((chunk for chunk in self.gives if isinstance(chunk, Stop)), None)

    @property
    def usage(self) -> Usage | None:
        """The last count of tokens that came."""
        return next((chunk for chunk in reversed(self.gives) if isinstance(chunk, Usage)), None)

    @property
    def produced(self) -> bool:
        """Whether output came that a consumer may have been given, so that no attempt can follow unseen."""
        shown = Text | Thinking | ToolCallDelta | ToolCall
        return any(isinstance(chunk, shown) for chunk in self.gives)


def delivery_of(reply: Reply) -> Delivery:
    """What of this reply reaches a client that reads until nothing more comes."""
    if reply.connect != "ok":
        return _nothing("refused")
    laid = layout(reply)
    last, end = _stop(reply, laid)
    fatal_edits = [edit.at for edit in reply.edits if edit.fatal]
    broken = min(fatal_edits, default=math.inf)
    fatal = broken < last
    last = int(min(last, broken))
    if last < laid.head:
        return _nothing("lost" if end == "clean" else end, fatal=fatal)
    body = laid.body_of(last)
    if reply.framing == "length" and reply.length is not None:
        if reply.length < body:
            body = reply.length
        elif reply.length > body and end == "clean":
            end = "lost" if reply.after in ("fin", "rst", "close") else "open"
        elif reply.length > body and reply.repeat is not None and last == laid.between(reply.repeat.at):
            end = "clean"  # what is repeated fills it
    if not 200 <= reply.status < 300:
        return _nothing("refused", head=True, body=body)
    strict = _read(reply, body, fatal=fatal, end=end)
    if strict.events and end == "clean" and reply.events[strict.events - 1].loosely:
        return replace(
            strict, loose=replace(strict, gives=strict.gives + reply.events[strict.events - 1].loosely)
        )
    following = reply.events[strict.events : strict.events + 1]
    if (end != "clean" and not strict.terminal) or strict.fatal or not following:
        return strict
    size = reply.offset(strict.events) + len(following[0].data)
    missing = following[0].data[body - size :]
    if not missing or missing.strip(b"\r\n"):
        return strict
    return replace(strict, loose=_read(reply, size, fatal=fatal, end=end))


def _stop(reply: Reply, laid: Layout) -> tuple[int, End]:
    """How many bytes of the raw stream come, and how it ends then."""
    last = whole = len(laid.raw)
    end: End = "clean"
    if reply.cut is not None:
        last = min(whole, reply.cut.at if reply.cut.raw else laid.raw_of(reply.cut.at))
        # The end of the connection is the end of a body only where nothing else tells it.
        if reply.framing == "close":
            ends: dict[str, End] = {"fin": "clean", "close": "clean", "rst": "lost", "stall": "open"}
            end = ends[reply.cut.how]
        elif last < whole:
            end = "open" if reply.cut.how == "stall" else "lost"
    elif reply.framing == "close" and reply.after not in (None, "fin", "close"):
        end = "lost" if reply.after == "rst" else "open"
    if reply.repeat is not None and reply.repeat.times is None:
        place = laid.between(reply.repeat.at)
        if place < last:
            last, end = place, "open"
    return last, end


def _read(reply: Reply, body: int, *, fatal: bool, end: End) -> Delivery:
    gives: list[Chunk] = []
    at = events = 0
    terminal = fatal_event = fatal_first = False
    for event in reply.events:
        at += len(event.data)
        if at > body:
            break
        if event.fatal:
            fatal_event, fatal_first = True, not terminal
            break
        events += 1
        gives += event.gives
        terminal = terminal or event.terminal
    return Delivery(
        events=events,
        gives=tuple(gives),
        terminal=terminal,
        fatal=fatal or fatal_event,
        fatal_first=fatal_first or (fatal and not terminal),
        end=end,
        head=True,
        body=body,
    )


def _nothing(end: End, *, head: bool = False, body: int = 0, fatal: bool = False) -> Delivery:
    return Delivery(
        events=0, gives=(), terminal=False, fatal=fatal, fatal_first=fatal, end=end, head=head, body=body
    )
