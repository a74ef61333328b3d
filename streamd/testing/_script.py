"""From a reply to the steps a server plays. It is pure: the same reply gives the same steps."""

from __future__ import annotations

import math

from ._reply import Edit, Ending, Layout, Reply, layout
from ._steps import CLOSE, FIN, HEAD_ONLY, KEEP_OPEN, RST, UNREAD, Delay, Flood, Leap, Script, Step, chunk

__all__ = ["opening", "script"]

_OPENINGS: dict[str, Script] = {"whole": (), "head": (HEAD_ONLY,), "none": (UNREAD,)}
_ENDINGS: dict[Ending, Step] = {"fin": FIN, "rst": RST, "stall": KEEP_OPEN, "close": CLOSE}
_ENDLESS = 128 * 1024 * 1024
"""Bytes after which what has no end falls silent: whoever keeps all of them has been found out, and needs memory."""


def opening(reply: Reply) -> Script:
    """The step that says how much of the request is read; none where all of it is."""
    return _OPENINGS[reply.reading]


def script(reply: Reply) -> Script:
    """The steps by which a server gives this reply.

    Each run of bytes is one step, and so as a rule one network read: they end where the reply's events, splits and
    waits are. A reply whose `connect` is not `ok` has no steps, for no request comes.
    """
    laid = layout(reply)
    stop, ending = len(laid.raw), reply.after
    if reply.cut is not None:
        stop = min(stop, reply.cut.at if reply.cut.raw else laid.raw_of(reply.cut.at))
        # Behind the end of a response there is nothing that a server could keep to itself.
        if reply.cut.how != "stall" or stop < len(laid.raw) or reply.framing == "close":
            ending = reply.cut.how
    elif reply.framing == "close" and ending is None:
        ending = "fin"
    inserted = _inserted(reply, laid)
    steps = list(opening(reply))
    at = 0
    for mark in sorted({*_marks(reply, laid), *inserted, stop}):
        if mark > stop:
            break
        if mark > at:
            steps.append(_edited(laid.raw, at, mark, reply.edits))
            at = mark
        for step in inserted.get(mark, ()):
            steps.append(step)
            if isinstance(step, Flood) and math.isinf(step.times):
                return tuple(steps)
    if reply.cut is None and reply.surplus:
        last = steps[-1]
        if reply.surplus_again is not None and isinstance(last, bytes):
            steps[-1:] = [last + reply.surplus, Delay(reply.surplus_again)]
        steps.append(reply.surplus)
    if ending == "stall" and reply.reading != "whole":
        steps.append(Delay(math.inf))  # without reading on
    elif ending in _ENDINGS:
        steps.append(_ENDINGS[ending])
    return tuple(step for step in steps if step != b"")


def _marks(reply: Reply, laid: Layout) -> list[int]:
    """Where a network read ends."""
    marks = [laid.raw_of(at) for at in reply.splits]
    return marks if reply.coalesced else [*marks, laid.head, *laid.frames, laid.end]


def _inserted(reply: Reply, laid: Layout) -> dict[int, list[Step]]:
    """What comes between the bytes, by their place in the raw stream."""
    inserted: dict[int, list[Step]] = {}
    for wait in reply.waits:
        place = 0 if wait.at < 0 else laid.raw_of(wait.at)
        inserted.setdefault(place, []).append(Leap(wait.seconds) if wait.leaps else Delay(wait.seconds))
    if reply.repeat is not None:
        data = reply.repeat.event.data
        data = chunk(data) if reply.framing == "chunked" else data
        times = math.inf if reply.repeat.times is None else reply.repeat.times
        most = math.inf if reply.repeat.every or reply.repeat.times is not None else _ENDLESS
        flood = Flood(data, times, reply.repeat.every, most)
        inserted.setdefault(laid.between(reply.repeat.at), []).append(flood)
    return inserted


def _edited(raw: bytes, start: int, end: int, edits: tuple[Edit, ...]) -> bytes:
    """The raw stream's bytes from `start` to `end` with what is wrong in them."""
    out = bytearray()
    at = start
    for edit in sorted(edits, key=lambda each: each.at):
        # An edit that began before has left less of these bytes.
        at = max(at, min(end, edit.at + edit.remove)) if edit.at < start else at
        if start <= edit.at < end:
            out += raw[at : max(at, edit.at)] + edit.insert
            at = max(at, min(end, edit.at + edit.remove))
    return bytes(out + raw[at:end])
