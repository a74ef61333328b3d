"""An assertion on what a run came to."""

from __future__ import annotations

from ._run import Run
from ._served import Served

__all__ = ["assert_survived"]

_SHOWN = 30


def assert_survived(subject: Run | Served) -> None:
    """Fail where an application got anything wrong in a run.

    Args:
        subject: A run; or a server, of which all that has happened so far is judged.

    Raises:
        AssertionError: It names each finding, how to see it again, and what happened.
    """
    __tracebackhide__ = True  # pytest shows the caller's line
    run = subject.result() if isinstance(subject, Served) else subject
    findings = run.verdict.findings
    if not findings:
        return
    plan = " + ".join(map(str, run.plan)) or "no fault"
    count = "1 finding" if len(findings) == 1 else f"{len(findings)} findings"
    events = run.trace.events
    left_out = len(events) - _SHOWN
    happened = [f"    ... {left_out} before"] if left_out > 0 else []
    happened += [f"    {event}" for event in events[-_SHOWN:]]
    lines = [f"{count} after {plan} ({run.wire}, seed {run.seed})", *map(str, findings), "", "what happened:"]
    # What the application failed with shows where, and pytest shows it before this.
    raise AssertionError("\n".join([*lines, *happened])) from run.observed.error
