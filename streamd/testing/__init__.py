"""Planned faults at any byte, event, tool or scheduler step, and a verdict on what an application made of them.

    run = simulate(streamd_app, ONE_TOOL, "net.reset@byte:120", seed=7)
    run.verdict.raise_if_found()

A scenario is a good conversation, a fault what goes wrong in it. Three worlds play them: `simulate` in memory and in
virtual time, a real server for any client, and `decode` for a decoder alone.
"""

from ._catalogue import CATALOGUE as CATALOGUE
from ._decode import decode as decode
from ._delivery import Delivery as Delivery
from ._delivery import delivery_of as delivery_of
from ._expect import Expect as Expect
from ._explore import every_byte as every_byte
from ._explore import every_fault as every_fault
from ._explore import pairs as pairs
from ._explore import seeds as seeds
from ._explore import sweep as sweep
from ._explore_steps import every_step as every_step
from ._failures import FAILURES as FAILURES
from ._failures import Failure as Failure
from ._fault import At as At
from ._fault import Fault as Fault
from ._fault import FaultLike as FaultLike
from ._fault import Plan as Plan
from ._fault import parse_plan as parse_plan
from ._fault import plan_of as plan_of
from ._judge import judge as judge
from ._kind import FaultKind as FaultKind
from ._kind import Strike as Strike
from ._leaks import no_leaks as no_leaks
from ._observation import Observation as Observation
from ._observation import ToolRunSeen as ToolRunSeen
from ._outcome import Outcome as Outcome
from ._outcome import less_for_more as less_for_more
from ._outcome import outcome_of as outcome_of
from ._render import WIRES as WIRES
from ._render import render as render
from ._reply import Cut as Cut
from ._reply import Edit as Edit
from ._reply import Repeat as Repeat
from ._reply import Reply as Reply
from ._reply import Wait as Wait
from ._report import Report as Report
from ._report import report_text as report_text
from ._report_html import report_html as report_html
from ._report_json import report_json as report_json
from ._report_junit import report_junit as report_junit
from ._run import Run as Run
from ._scenario import HELLO as HELLO
from ._scenario import NAMED as NAMED
from ._scenario import ONE_TOOL as ONE_TOOL
from ._scenario import THINKING as THINKING
from ._scenario import THREE_ROUNDS as THREE_ROUNDS
from ._scenario import TWO_TOOLS as TWO_TOOLS
from ._scenario import CallPart as CallPart
from ._scenario import Scenario as Scenario
from ._scenario import TextPart as TextPart
from ._scenario import ThinkingPart as ThinkingPart
from ._scenario import Turn as Turn
from ._scenario_file import load_scenario as load_scenario
from ._script import script as script
from ._section import Found as Found
from ._section import Row as Row
from ._section import Section as Section
from ._serve import serve as serve
from ._serve import serve_to as serve_to
from ._serve_thread import serve_in_thread as serve_in_thread
from ._served import Served as Served
from ._shrink import shrink as shrink
from ._simulate import simulate as simulate
from ._stage import Stage as Stage
from ._streamd_app import streamd_app as streamd_app
from ._streamd_app import streamd_app_with as streamd_app_with
from ._survived import assert_survived as assert_survived
from ._trace import Attempt as Attempt
from ._trace import Trace as Trace
from ._trace import TraceEvent as TraceEvent
from ._verdict import Finding as Finding
from ._verdict import Verdict as Verdict
from ._wire import Wire as Wire
from ._wire_event import WireEvent as WireEvent
from ._world import App as App
from ._world import World as World

__all__ = [
    "CATALOGUE",
    "FAILURES",
    "HELLO",
    "NAMED",
    "ONE_TOOL",
    "THINKING",
    "THREE_ROUNDS",
    "TWO_TOOLS",
    "WIRES",
    "App",
    "At",
    "Attempt",
    "CallPart",
    "Cut",
    "Delivery",
    "Edit",
    "Expect",
    "Failure",
    "Fault",
    "FaultKind",
    "FaultLike",
    "Finding",
    "Found",
    "Observation",
    "Outcome",
    "Plan",
    "Repeat",
    "Reply",
    "Report",
    "Row",
    "Run",
    "Scenario",
    "Section",
    "Served",
    "Stage",
    "Strike",
    "TextPart",
    "ThinkingPart",
    "ToolRunSeen",
    "Trace",
    "TraceEvent",
    "Turn",
    "Verdict",
    "Wait",
    "Wire",
    "WireEvent",
    "World",
    "assert_survived",
    "decode",
    "delivery_of",
    "every_byte",
    "every_fault",
    "every_step",
    "judge",
    "less_for_more",
    "load_scenario",
    "no_leaks",
    "outcome_of",
    "pairs",
    "parse_plan",
    "plan_of",
    "render",
    "report_html",
    "report_json",
    "report_junit",
    "report_text",
    "script",
    "seeds",
    "serve",
    "serve_in_thread",
    "serve_to",
    "shrink",
    "simulate",
    "streamd_app",
    "streamd_app_with",
    "sweep",
]
