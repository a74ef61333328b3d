"""`streamd faults`, carried out."""

from __future__ import annotations

import itertools
import sys
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import cast

from msgspec.structs import replace

from streamd._cli_args import load_tool
from streamd._cli_faults import FaultsCommand
from streamd.errors import ConfigError

from ._case import Case
from ._cases import drawn_cases
from ._catalogue import CATALOGUE, kind_named
from ._explored import explored
from ._fault import plan_of
from ._outcome import outcome_of
from ._render import WIRES, wire_named
from ._report import Report, report_text
from ._report_html import report_html
from ._report_json import report_json
from ._report_junit import report_junit
from ._scenario import NAMED
from ._scenario_file import scenario_of
from ._streamd_app import streamd_app
from ._world import App

__all__ = ["run_faults", "write_report"]


def run_faults(command: FaultsCommand) -> int:
    """Run the command; gives the exit code: 1 where anything was found.

    Raises:
        ConfigError: There is no such fault, wire, scenario or application.
    """
    if command.catalogue:
        for kind in CATALOGUE.values():
            sys.stdout.write(f"{kind.name:<32} {kind.phase:<9} {kind.retry:<3} {kind.summary}\n")
        return 0
    app = _app(command.app)
    cases = list(_cases(command))
    report = Report("streamd faults")
    section = report.section(" + ".join(command.faults) or "every fault")
    if len(cases) == 1:
        run = cases[0].play(app)
        sys.stdout.write(run.trace.text + "\n")
        error = run.observed.error
        if error is not None and any(found.name == "untyped_error" for found in run.verdict.findings):
            sys.stdout.write("".join(traceback.format_exception(error)) + "\n")
        section.add(outcome_of(run, app, cases[0]))
    else:
        explored(section, cases, app, jobs=command.jobs, total=len(cases))
    sys.stdout.write(report_text(report, rows=bool(command.faults)))
    write_report(report, json=command.json, junit=command.junit, html=command.html)
    return 1 if report.findings else 0


def write_report(
    report: Report, *, json: str | None = None, junit: str | None = None, html: str | None = None
) -> None:
    """Write a report to the files that are given."""
    files: tuple[tuple[str | None, Callable[[Report], bytes]], ...] = (
        (json, report_json),
        (junit, report_junit),
        (html, report_html),
    )
    for path, written in files:
        if path is not None:
            Path(path).write_bytes(written(report))


def _app(reference: str | None) -> App:
    if reference is None:
        return streamd_app
    found = load_tool(reference, "--app")
    return cast("App", found)


def _cases(command: FaultsCommand) -> Iterator[Case]:
    plan = plan_of(command.faults)
    for fault in plan:
        kind_named(fault.name)
    for wire in command.wires:
        wire_named(wire)
    named = {name: scenario_of(name) for name in command.scenarios}
    count = command.n if command.n is not None else 1 if plan else 20
    seeds = range(command.seed, command.seed + count)
    if not plan:
        drawn = drawn_cases(seeds, scenarios=named or NAMED, wires=command.wires or tuple(WIRES))
        yield from (replace(case, world=command.world) for case in drawn)
        return
    scenarios = named or {"one_tool": NAMED["one_tool"]}
    wires = command.wires or ("openai-chat",)
    for wire, fault in itertools.product(wires, plan):
        kind = kind_named(fault.name)
        if not kind.on(wire):
            can = ", ".join(each for each in WIRES if kind.on(each))
            raise ConfigError(f"the fault {fault.name} cannot happen on {wire}; it can on {can}")
    for (name, scenario), wire, seed in itertools.product(scenarios.items(), wires, seeds):
        yield Case(scenario, plan, wire, seed, command.world, name)
