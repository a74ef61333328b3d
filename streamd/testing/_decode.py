"""A run of bytes alone: a decoder, fed what a faulted server would have sent."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Sequence

from streamd.providers import WIRES, Chunk, Decoder, Stop, StreamdError, Text, Thinking, ToolCall

from ._catalogue import kind_named
from ._checked import check_scenario
from ._fault import FaultLike, plan_of
from ._judge import judge
from ._observation import Observation, ToolRunSeen
from ._play import STAGED, Play
from ._render import wire_named
from ._reply import Reply
from ._repro import repro_line
from ._run import Run
from ._scenario import Scenario
from ._trace import Attempt, Trace
from ._unpack import CannotUnpack, unpacked

__all__ = ["decode"]


def decode(
    scenario: Scenario,
    *plan: FaultLike,
    wire: str = "openai-chat",
    seed: int = 0,
    decoder: Callable[[], Decoder] | None = None,
) -> Run:
    """Feed a decoder the bodies of all turns, with these faults, and judge what it gave.

    There is no HTTP and no time: faults of connections count by the bytes that come before them, those of refusals and
    of time by what is left of the body. A body that ends as HTTP says a body ends is closed, one that is cut is not:
    its turn is complete where the decoder says that it is `terminal`. One that is compressed is unpacked as far as
    that goes, and what cannot be is cut. Faults of the application strike nothing, as there is none.

    Args:
        scenario: The conversation. Of several turns the first that fails is the last.
        plan: What goes wrong.
        wire: One of `streamd.testing.WIRES`.
        seed: As in `simulate`; where nothing else cuts the bytes they are cut at places drawn from it.
        decoder: Makes the decoder that is tested; the wire's own if None.

    Raises:
        ConfigError: There is no such wire or fault, or the fault cannot strike where it says.
    """
    faults, spoken, trace = plan_of(plan), wire_named(wire), Trace()
    check_scenario(scenario)
    made = WIRES[spoken.decoder] if decoder is None else decoder
    striking = tuple(fault for fault in faults if kind_named(fault.name).phase not in STAGED)
    play = Play(scenario, striking, spoken, seed, trace, lambda: 0.0)
    observed = Observation(streams=True, thinks=True)
    for turn in range(1, len(scenario.turns) + 1):
        attempt = play.answer(turn)
        if attempt.delivery.end == "refused":
            break
        rng = random.Random(f"{seed}/{turn}")
        _take_in(observed, attempt, made(), _pieces(attempt.reply, attempt.delivery.body, rng))
        if observed.error is not None:
            break
    repro = repro_line(None, scenario, faults, wire, seed, "decode")
    return Run(scenario, faults, wire, seed, observed, trace, judge(observed, trace, repro=repro))


def _pieces(reply: Reply, size: int, rng: random.Random) -> list[bytes]:
    """What comes of the body, in network reads."""
    body = reply.body[:size]
    marks = [at for at in reply.splits if at < len(body)] or rng.sample(
        range(len(body) + 1), min(3, len(body))
    )
    return [body[start:end] for start, end in itertools.pairwise(sorted({0, *marks, len(body)}))]


def _take_in(observed: Observation, attempt: Attempt, decoder: Decoder, pieces: Sequence[bytes]) -> None:
    observed.finished = False
    cut = attempt.delivery.end != "clean" or any(edit.fatal for edit in attempt.reply.edits)
    try:
        try:
            for piece in unpacked(pieces, attempt.reply.header("content-encoding")):
                _note(observed, decoder.feed(piece))
                if decoder.done:
                    return
        except CannotUnpack:
            cut = True
        if decoder.terminal or not cut:
            _note(observed, decoder.close())
    except StreamdError as error:
        _note(observed, error.chunks)
        observed.error = error
    except Exception as error:  # noqa: BLE001 - whatever it raises is what is looked at
        observed.error = error


def _note(observed: Observation, chunks: Sequence[Chunk]) -> None:
    for chunk in chunks:
        match chunk:
            case Text(text):
                observed.said.append(text)
            case Thinking(text):
                observed.thoughts.append(text)
            case ToolCall():
                observed.tools.append(ToolRunSeen(chunk.id, chunk.name, chunk.arguments, 0.0))
            case Stop(reason):
                observed.finished, observed.reason = True, reason
            case _:
                pass
