"""Prints the figures of reliability: `make faults`, or `make faults N=1000` for a night; 1 where anything was found.

The report on standard output has no time in it: the same code gives the same. How long each part took is told on
standard error.
"""

from __future__ import annotations

import argparse
import itertools
import os
import random
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence

import trio
from msgspec import Struct
from msgspec.structs import replace

from streamd.testing import CATALOGUE, NAMED, WIRES, At, Fault, Finding, Outcome, Report, Section, streamd_app
from streamd.testing._case import Case
from streamd.testing._cases import byte_cases, core_faults, drawn_cases, pair_cases
from streamd.testing._explored import compared, explored
from streamd.testing._faults_command import write_report
from streamd.testing._played import played
from streamd.testing._progress import progress
from streamd.testing._report import report_text
from tests.faults.cancels import LIMIT, SESSIONS, cancelled, percentile
from tests.faults.loopback import compared as on_sockets
from tests.faults.loopback import served_cases
from tests.faults.memory import MOST, SCENES, grown
from tests.faults.streams import RECORDED, decoded, recorded_app, session_cases

__all__ = ["main"]

NIGHT = 1000
"""From so many seeds on everything is run that is a choice by day."""


REAL = 5
"""How often each fault is played on real sockets."""

_WIRES = tuple(WIRES)


class Effort(Struct, frozen=True):
    """How much is run: `n` seeds for each fault, in `jobs` processes; `seed` is the first of random cancels."""

    n: int
    jobs: int
    seed: int | None = None

    @property
    def whole(self) -> bool:
        """Whether all scenarios are cut on all wires, not only some of each."""
        return self.n >= NIGHT


def named_cases(effort: Effort, *, world: str = "simulate") -> Iterator[Case]:
    """A clean run of the scenarios on the wires: of all on all, or of all on one and one on all."""
    for name, wire in itertools.product(NAMED, _WIRES):
        if effort.whole or world == "decode" or wire == "openai-chat" or name == "one_tool":
            yield Case(NAMED[name], (), wire, 0, "decode" if world == "decode" else "simulate", name)


def every_fault(effort: Effort, section: Section) -> None:
    """Every fault with n seeds."""
    explored(
        section,
        drawn_cases(range(effort.n)),
        streamd_app,
        jobs=effort.jobs,
        total=len(CATALOGUE) * effort.n,
    )


def every_pair(effort: Effort, section: Section) -> None:
    """Every pair of the core faults, with a twentieth of the seeds."""
    core, seeds = core_faults(), range(max(1, effort.n // 20))
    cases = pair_cases(Case(NAMED["one_tool"], source="one_tool"), core, seeds)
    total = len(core) * (len(core) - 1) // 2 * len(seeds)
    explored(section, cases, streamd_app, jobs=effort.jobs, total=total)


def every_byte(effort: Effort, section: Section) -> None:
    """The named scenarios in sessions, cut and split at every byte; by day some of them at a few."""
    given = list(_of_every_byte(named_cases(effort)))
    cases = [
        cut
        for case, cut, size in given
        if effort.whole or (case.source, case.wire) == _WHOLE or _is_chosen(cut, size, _FEW)
    ]
    explored(section, cases, streamd_app, jobs=effort.jobs, total=len(cases))
    _left_out(section, len(cases), sum(1 for _ in _of_every_byte(named_cases(replace(effort, n=NIGHT)))))


def _of_every_byte(cases: Iterable[Case]) -> Iterator[tuple[Case, Case, int]]:
    """Each case with each of its cuts, and the size of the body that is cut."""
    for case in cases:
        for _, cuts in itertools.groupby(byte_cases(case), lambda cut: (cut.plan[0].name, cut.plan[0].when)):
            every = list(cuts)
            for cut in every:
                yield case, cut, len(every) - 1


def _left_out(section: Section, run: int, there_are: int) -> None:
    if run < there_are:
        section.figures.append(
            f"{run:,} of {there_are:,} places, the first and last of each stream among them; N={NIGHT} takes all"
        )


def decoder_bytes(effort: Effort, section: Section) -> None:
    """The named scenarios in decoders, cut and split at every byte."""
    cases = (cut for case in named_cases(effort, world="decode") for cut in byte_cases(case))
    explored(section, cases, streamd_app, jobs=effort.jobs)


def recorded_bytes(_effort: Effort, section: Section) -> None:
    """The recorded streams in a decoder, at every byte."""
    outcomes = itertools.chain.from_iterable(decoded(stream) for stream in RECORDED.values())
    for outcome in progress(compared(outcomes), section.name):
        section.add(replace(outcome, row=outcome.row.partition(": ")[2]))


def recorded_sessions(effort: Effort, section: Section) -> None:
    """The recorded streams in whole sessions, at every byte of the turn that was recorded; by day at some."""
    given = [
        (cut, len(RECORDED[cut.wire.partition(":")[2]].body))
        for case in session_cases()
        for cut in byte_cases(case)
        if cut.plan[0].when in (None, ("turn", 1))
    ]
    cases = [cut for cut, size in given if effort.whole or _is_chosen(cut, size, _SOME)]
    explored(section, cases, recorded_app, jobs=effort.jobs, total=len(cases))
    _left_out(section, len(cases), len(given))


class Choice(Struct, frozen=True):
    """What of a stream is cut by day: one byte in `apart`, and all of the `first` and the `last`."""

    apart: int
    first: int
    last: int


_FEW = Choice(apart=24, first=40, last=80)
_SOME = Choice(apart=12, first=50, last=100)
_WHOLE = "one_tool", "openai-chat"
"""The scenario that is cut at every byte by day, too."""


def _is_chosen(case: Case, size: int, choice: Choice) -> bool:
    at = case.plan[0].at
    assert at is not None
    assert isinstance(at.place, int)
    return at.place % choice.apart == 0 or at.place < choice.first or at.place > size - choice.last


def every_step(effort: Effort, section: Section) -> None:
    """The named scenarios, cancelled before every scheduler step, and again before every step that is left then."""
    whole = list(named_cases(effort))
    steps = [outcome.steps for outcome in played(whole, streamd_app, jobs=effort.jobs)]
    once = [
        replace(case, plan=(_cancel(step),))
        for case, count in zip(whole, steps, strict=True)
        for step in range(1, count + 1)
    ]
    left: list[int] = []

    def twice() -> Iterator[Case]:
        for case, count in zip(once, left, strict=True):
            at = case.plan[0].at
            assert at is not None
            assert isinstance(at.place, int)
            for step in range(at.place + 1, count + 1):
                yield replace(case, plan=(*case.plan, _cancel(step)))

    explored(
        section,
        once,
        streamd_app,
        jobs=effort.jobs,
        total=len(once),
        seen=lambda each: left.append(each.steps),
    )
    explored(section, twice(), streamd_app, jobs=effort.jobs)


def _cancel(step: int) -> Fault:
    return Fault("rt.cancel", At("step", step))


def memory(_effort: Effort, section: Section) -> None:
    """What a process grows by in each scene."""
    for scene in progress(SCENES, section.name, len(SCENES)):
        more = grown(scene)
        detail = f"the process grew by {more / 2**20:.1f} MiB; it may grow by {MOST / 2**20:.0f}"
        line = f'python -m tests.faults.memory "{scene}"'
        found = (Finding("unbounded_memory", detail, line),) if more > MOST else ()
        section.add(
            Outcome(row=scene, ended="bounded" if not found else "unbounded", findings=found, line=line)
        )
    section.figures.append(f"each grows a process by at most {MOST / 2**20:.0f} MiB")


def loopback(effort: Effort, section: Section) -> None:
    """Every fault that can be served on real sockets, five times, beside the same in memory."""
    cases = list(served_cases(REAL))
    same = 0
    for outcome, differs in progress(on_sockets(cases, jobs=effort.jobs), section.name, len(cases)):
        section.add(outcome)
        same += not differs
    section.figures.append(f"the verdict is the simulated one in {same:,} of {len(cases):,}")


def cancels(effort: Effort, section: Section) -> None:
    """Sessions on real sockets, each cancelled at a random moment."""
    first = random.SystemRandom().randrange(10**6) * SESSIONS if effort.seed is None else effort.seed
    took: list[float] = []
    for seed in progress(range(first, first + SESSIONS), section.name, SESSIONS):
        outcome, seconds = trio.run(cancelled, seed)
        section.add(outcome)
        if seconds is not None:
            took.append(seconds)
    middle, most = (1000 * percentile(took, share) for share in (0.5, 0.99))
    limit = 1000 * LIMIT
    section.figures.append(f"seed {first}: --seed {first} draws the same moments")
    section.figures.append(
        f"from cancelling to all sockets closed: p50 {middle:.1f} ms, p99 {most:.1f} ms, limit {limit:.0f} ms"
    )
    if most > limit:
        detail = f"99 of 100 took up to {most:.1f} ms, where {limit:.0f} are allowed"
        line = f"make faults ARGS='--only cancels --seed {first}'"
        section.add(
            Outcome(row="too late", ended="late", findings=(Finding("hung", detail, line),), line=line)
        )


PARTS: dict[str, tuple[str, Callable[[Effort, Section], None]]] = {
    "faults": ("every fault, with {n} seeds each", every_fault),
    "pairs": ("every pair of forty faults", every_pair),
    "bytes": ("every byte of sessions: FIN, RST, split", every_byte),
    "decoders": ("every byte of all scenarios in decoders", decoder_bytes),
    "streams": ("every byte of the recorded streams in decoders", recorded_bytes),
    "recorded": ("every byte of the recorded streams in sessions", recorded_sessions),
    "steps": ("cancelled at every step, once and twice", every_step),
    "loopback": (f"every fault that can be served, {REAL} times on real sockets", loopback),
    "cancels": ("sessions on real sockets, cancelled at random", cancels),
    "memory": ("memory", memory),
}
"""The parts, by the name that `--only` takes."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the parts and print the report; gives the exit code."""
    parser = argparse.ArgumentParser(prog="make faults", description=__doc__)
    parser.add_argument(
        "--n", type=int, default=20, help="seeds for each fault; from 1000 on everything is run"
    )
    parser.add_argument(
        "--only", action="append", choices=list(PARTS), help="these parts; may be given again"
    )
    parser.add_argument("--jobs", type=int, default=min(2, os.cpu_count() or 1), help="processes")
    parser.add_argument("--seed", type=int, help="the first seed of random cancels; drawn if not given")
    parser.add_argument("--rows", action="store_true", help="a line for every fault")
    for kind in ("json", "junit", "html"):
        parser.add_argument(f"--{kind}", metavar="FILE", help=f"write the report as {kind}")
    given = parser.parse_args(arguments)
    effort = Effort(given.n, given.jobs, given.seed)
    report = Report("streamd: the figures of its reliability")
    for name in given.only or PARTS:
        label, part = PARTS[name]
        began = time.monotonic()
        section = report.section(label.format(n=effort.n))
        part(effort, section)
        sys.stderr.write(f"{section.name}: {section.runs:,} in {time.monotonic() - began:.0f} s\n")
    sys.stdout.write(report_text(report, rows=given.rows))
    write_report(report, json=given.json, junit=given.junit, html=given.html)
    return 0 if report.ok else 1


if __name__ == "__main__":
    sys.exit(main())
