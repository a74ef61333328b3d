"""Decodes one wire's stream with streamd, the official SDK or its floor: `decode_play.py WIRE PEER EVENTS SECONDS`.

Prints the median seconds of CPU for each event and each byte, by the size of the reads, as JSON.
"""

from __future__ import annotations

import json
import statistics
import sys
import time
from collections.abc import Callable

import msgspec
from decode_sdks import SDKS
from decode_streams import STREAMS
from decode_words import words

from streamd.providers import WIRES, Text

READS = (65_536, 400)
PACED = "paced"
"""The name of a body that comes event by event, as that of a paced stream does, beside those cut into so many bytes."""


def streamd_reader(wire: str) -> Callable[[list[bytes], list[str]], None]:
    """The same loop over the chunks of streamd's decoder."""

    def read(pieces: list[bytes], texts: list[str]) -> None:
        decoder = WIRES[wire]()
        for piece in pieces:
            for chunk in decoder.feed(piece):
                if isinstance(chunk, Text):
                    texts.append(chunk.text)
        for chunk in decoder.close():
            assert not isinstance(chunk, Text)

    return read


def ollama_floor(pieces: list[bytes], texts: list[str]) -> None:
    """The least that Python can do with lines: cut them, have msgspec read two fields, and make each text a chunk."""
    decode, rest = msgspec.json.Decoder(_Line).decode, b""
    for piece in pieces:
        *lines, rest = (rest + piece).split(b"\n")
        for line in lines:
            if content := decode(line).message.content:
                texts.append(Text(content).text)


FLOORS = {"ollama-chat": ollama_floor}


class _Message(msgspec.Struct, gc=False):
    content: str


class _Line(msgspec.Struct, gc=False):
    message: _Message
    done: bool


def main(wire: str, peer: str, number: int, seconds: float) -> None:
    """Decode the stream again and again for that long, and print the median."""
    read = {"streamd": streamd_reader(wire), "SDK": SDKS[wire][1], "floor": FLOORS.get(wire)}[peer]
    assert read is not None
    events = STREAMS[wire](number)
    body = b"".join(events)
    expected = list(words(number))
    measured: dict[str, float] = {"events": len(events), "bytes": len(body)}
    cuts = {f"{size} event": [body[at : at + size] for at in range(0, len(body), size)] for size in READS}
    for name, pieces in {**cuts, f"{PACED} each": events}.items():
        times: list[float] = []
        until = time.process_time() + seconds
        while time.process_time() < until or len(times) < 3:
            texts: list[str] = []
            start = time.process_time()
            read(pieces, texts)
            times.append(time.process_time() - start)
            assert texts == expected, "the text is not the one that was sent"
        measured[name] = statistics.median(times) / len(events)
        measured[f"{name.partition(' ')[0]} byte"] = statistics.median(times) / len(body)
    print(json.dumps(measured))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), float(sys.argv[4]))
