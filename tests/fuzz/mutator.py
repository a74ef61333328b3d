"""Mutations that keep most of a script's form: of its events, of a value in their JSON, or of any bytes."""

from __future__ import annotations

import json
import random
import re
from typing import Any

__all__ = ["mutate"]

_EVENT_END = re.compile(rb"(?<=\n\n)|(?<=\r\n\r\n)|(?<=\n,)|(?<=\}\n)")
_JSON = re.compile(rb"\{.*\}", re.DOTALL)
_ODD: tuple[Any, ...] = (
    *(None, True, False, 0, 1, -1, 2**63, 10**30, 1.5, 1e308, float("nan"), float("-inf")),
    *("", "a", "0", "\ud800", "\u2028", "\x1b[2J", "stop", "error", "null", "{}", "[", "AAEC", "x" * 300),
    *([], {}, [None], [[]], [{}], {"": None}, {"error": {}}, {"type": "error"}, {"message": "no"}),
)
_BYTES = (
    *(b"\n", b"\r", b"\r\n", b"\n\n", b"data: ", b"event: ", b"error: ", b": ", b"[DONE]", b"\xef\xbb\xbf"),
    *(b"\0", b"\xff", b"\xed\xa0\x80", b"\\ud800", b"null", b"NaN", b"[", b"]", b"{", b"}", b'"', b",", b"<"),
    *(b'{"error":{"message":"no"}}', b"data: [DONE]\n\n", b"[" * 600, b'{"a":' * 600),
)


def mutate(script: bytes, longest: int, seed: int) -> bytes:
    """Another script, of at most so many bytes; the same seed gives the same."""
    rng = random.Random(seed)
    for _ in range(rng.choice((1, 1, 1, 2, 3, 6))):
        script = rng.choice((_of_value, _of_value, _of_value, _of_events, _of_bytes))(script, rng)
    return script[:longest]


def _of_bytes(script: bytes, rng: random.Random) -> bytes:
    at = rng.randrange(len(script) + 1)
    lost = rng.choice((0, 0, 1, 1, 2, 5, 40))
    new = rng.choice((b"", rng.choice(_BYTES), rng.randbytes(rng.choice((1, 1, 3)))))
    return script[:at] + new + script[at + lost :]


def _of_events(script: bytes, rng: random.Random) -> bytes:
    events = [event for event in _EVENT_END.split(script) if event]
    if not events:
        return script
    one, other = rng.randrange(len(events)), rng.randrange(len(events))
    match rng.randrange(4):
        case 0:
            events.insert(other, events[one])
        case 1:
            del events[one]
        case 2:
            events[one], events[other] = events[other], events[one]
        case _:
            del events[one:]
    return b"".join(events)


def _of_value(script: bytes, rng: random.Random) -> bytes:
    events = _EVENT_END.split(script)
    place = rng.randrange(len(events))
    found = _JSON.search(events[place])
    if found is None:
        return _of_bytes(script, rng)
    try:
        value = json.loads(found[0])
    except (ValueError, RecursionError):
        return _of_bytes(script, rng)
    holders = [*_holders(value)]
    holder = rng.choice(holders)
    _change(holder, holders, rng)
    try:
        text = json.dumps(value, ensure_ascii=rng.random() < 0.5).encode("utf-8", "surrogatepass")
    except (ValueError, RecursionError):  # it was put into itself
        return script
    events[place] = events[place][: found.start()] + text + events[place][found.end() :]
    return b"".join(events)


def _holders(value: Any) -> list[Any]:
    """Every object and array in it."""
    if not isinstance(value, dict | list):
        return []
    inner = value.values() if isinstance(value, dict) else value
    return [value, *(holder for each in inner for holder in _holders(each))]


def _change(holder: Any, others: list[Any], rng: random.Random) -> None:
    new = rng.choice(others) if rng.random() < 0.15 else rng.choice(_ODD)
    if isinstance(holder, list):
        holder.insert(rng.randrange(len(holder) + 1), new)
        if rng.random() < 0.6:
            del holder[rng.randrange(len(holder))]
        return
    names = [*holder] or [""]
    match rng.randrange(5):
        case 0:
            holder.pop(rng.choice(names), None)
        case 1:
            names += [name for other in others if isinstance(other, dict) for name in other]
            holder[rng.choice(names)] = new
        case 2:
            text = holder.get(rng.choice(names))
            name = rng.choice(names)
            if isinstance(text, str) and isinstance(holder.get(name), str):
                at = rng.randrange(len(holder[name]) + 1)
                holder[name] = (
                    holder[name][:at] + rng.choice(("\ud83d", "é", "}", '"', text)) + holder[name][at:]
                )
            else:
                holder[name] = [new]
        case _:
            holder[rng.choice(names)] = new
