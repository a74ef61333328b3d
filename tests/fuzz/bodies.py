"""What a fuzzer mutates: a script, from which a body is made.

A script is the body itself but on the binary wires, where hardly a mutation would pass the checksums: there it is
written as server-sent events, of which each is made a message. What holds no event is a body as it is.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator
from pathlib import Path

from hypothesis import HealthCheck, Phase, given, settings

from streamd.providers import StreamdError
from streamd.providers._aws_event_stream import AWSEventStream
from tests.providers.test_any_cut import BODIES
from tests.support import bedrock

__all__ = ["body_of", "seeds"]

_DATA = Path(__file__).parents[1] / "data"
_EVENT = re.compile(rb"event: ([^\n]*)\ndata: ([^\n]*)\n\n")
_PATIENT = settings(
    database=None,
    deadline=None,
    derandomize=True,
    max_examples=150,
    phases=[Phase.generate],
    suppress_health_check=[*HealthCheck],
)


def body_of(wire: str, script: bytes) -> bytes:
    """The body that a script stands for."""
    events = _EVENT.findall(script) if wire.startswith("bedrock") else []
    return b"".join(_message(name, data) for name, data in events) or script


def seeds(wire: str) -> Iterator[bytes]:
    """Scripts to begin with: bodies as the tests make them, streams of theirs, and what was found before."""
    made: list[bytes] = []

    @_PATIENT
    @given(BODIES[wire])
    def make(body: bytes) -> None:
        made.append(body)

    make()
    for body in dict.fromkeys(made):
        yield _script(body) if wire.startswith("bedrock") else body
    for line in (_DATA / "streams" / "index.jsonl").read_bytes().splitlines():
        row = json.loads(line)
        if row["wire"] == wire:
            yield (_DATA / "streams" / row["path"]).read_bytes()
    for path in sorted((_DATA / "fuzz").glob(f"{wire}.*")):
        yield path.read_bytes()


def _message(name: bytes, data: bytes) -> bytes:
    kind = name.decode("utf-8", "replace")[:80]
    if kind.endswith("Exception"):
        return bedrock.message(data, exception_type=kind, message_type="exception")
    if kind == "chunk":
        data = json.dumps({"bytes": base64.b64encode(data).decode(), "p": "a"}).encode()
    return bedrock.message(data, event_type=kind, message_type="event")


def _script(body: bytes) -> bytes:
    try:
        messages = AWSEventStream().feed(body)
    except StreamdError:
        return body
    script = b""
    for message in messages:
        name = message.text(":event-type") or message.text(":exception-type")
        data = message.payload
        if name == "chunk":
            data = base64.b64decode(json.loads(data)["bytes"] + "==")
        script += b"event: %b\ndata: %b\n\n" % (name.encode(), data)
    return script or body
