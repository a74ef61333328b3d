"""The judge of tools and of retries. It is pure."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterator, Sequence
from email.utils import parsedate_to_datetime

from ._observation import Observation
from ._reply import Reply
from ._reused import free_attempts
from ._shown import shown
from ._trace import Attempt
from ._verdict import FindingName

__all__ = ["judge_retries", "judge_tools", "seconds_asked"]

_PATIENCE = 5.0
"""Seconds."""

_REFUSED = frozenset(("ConnectFailed", "AuthenticationError", "QuotaError"))
"""What a request fails with for good, whatever it asks for."""


def judge_tools(observed: Observation, attempts: Sequence[Attempt]) -> Iterator[tuple[FindingName, str]]:
    """Whether tools ran only on closed and confirmed calls, with what those said, and once for each."""
    deliveries = [attempt.delivery.loose or attempt.delivery for attempt in attempts]
    given = [call for delivery in deliveries for call in delivery.calls]
    closed = {call.id: call for call in given if call.id}
    # A call without an id of its own has whatever id a client gives it.
    nameless = [(call.name, call.arguments) for call in given if not call.id]
    runs: Counter[str] = Counter()
    for run in observed.tools:
        call = closed.get(run.id)
        said = run.name, run.arguments
        if said in nameless and (call is None or said != (call.name, call.arguments)):
            nameless.remove(said)
            continue
        runs[run.id] += 1
        if call is None:
            yield "ran_incomplete_tool", f"{run.name} ran for the call {run.id!r}, which never came whole"
        elif said != (call.name, call.arguments):
            yield (
                "ran_incomplete_tool",
                f"{run.name} ran with {shown(run.arguments)}, not {shown(call.arguments)}",
            )
    for name, count in runs.items():
        if count > 1:
            yield "double_tool", f"the call {name!r} was run {count} times"


def judge_retries(attempts: Sequence[Attempt]) -> Iterator[tuple[FindingName, str]]:
    """Whether it asked again only where that could help, and not before it was asked to wait for."""
    holes: Counter[int | None] = Counter()
    free = free_attempts(attempts)
    for before, after in itertools.pairwise(attempts):
        if before.turn is not None and after.turn is not None and after.turn != before.turn:
            continue
        if after.after is not None and not after.kept:
            yield "retried_non_retryable", f"attempt {after.number} reads on what its provider does not keep"
        if after.after is not None and _has_failed(before):
            yield "retried_non_retryable", f"attempt {after.number} reads on what failed at its provider"
        # Of two faults that struck it, one may hide the other: what either allows is allowed.
        final = {expected.final for expected in before.expect if expected.errors} == {True}
        # A response that cannot be read on can be asked for anew, but where that would be refused, too.
        anew = after.after is None and (before.after is not None or bool(before.broke))
        anew = anew and not _is_refused(before)
        if final and not anew and not _is_slow(before.reply):
            why = f"status {before.reply.status}" if before.reply.status >= 300 else "what was answered"
            yield "retried_non_retryable", f"attempt {after.number} cannot succeed after {why}"
        holes[before.turn] = holes[before.turn] + _has_hole(before) if after.after is not None else 0
        if holes[before.turn] > 1:
            yield "retried_non_retryable", f"attempt {after.number} asks for missing events once more"
        if any(expected.last for expected in before.expect) and before.number not in free:
            yield "retried_non_retryable", f"attempt {after.number} is one more than it may make"
        wanted = seconds_asked(before)
        if wanted is not None and after.at - before.at < wanted - 1e-6:
            waited = after.at - before.at
            yield "retried_too_soon", f"attempt {after.number} came after {waited:g} s, not {wanted:g}"


def _is_slow(reply: Reply) -> bool:
    """Whether it is a refusal for whose words a client need not wait, as it knows the status."""
    return reply.status >= 300 and sum(wait.seconds for wait in reply.waits if wait.at >= 0) >= _PATIENCE


def _is_refused(attempt: Attempt) -> bool:
    """Whether what was answered says nothing of the response that was to be read on, and will be said again."""
    final = [error for expected in attempt.expect if expected.final for error in expected.errors]
    return bool(final) and all(error.partition("/")[0] in _REFUSED for error in final)


def _has_failed(attempt: Attempt) -> bool:
    """Whether the provider said in the stream that the response has failed, where a client comes to that."""
    following = attempt.reply.events[attempt.delivery.events :][:1]
    return attempt.delivery.fatal_first and any(event.kind == "error" for event in following)


def _has_hole(attempt: Attempt) -> bool:
    """Whether events are missing from what was answered, by their own numbers."""
    errors = (error for expected in attempt.expect for error in expected.errors)
    return attempt.delivery.fatal_first and "SequenceGap" in errors


def seconds_asked(attempt: Attempt) -> float | None:
    """The seconds that a refusal asked to wait for; None where it told none. Dates are read against its own."""
    # A head that cannot be read tells nothing, and one that may be refused need not.
    refusable = any(expected.refusable for expected in attempt.expect)
    if attempt.reply.status < 300 or not attempt.delivery.head or refusable:
        return None
    for name, unit in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        value = attempt.reply.header(name)
        if value is not None and value.replace(".", "", 1).isdigit():
            return float(value) * unit
    now, then = attempt.reply.header("date"), attempt.reply.header("retry-after")
    if now is None or then is None or then[:1].isdigit():
        return None
    try:
        return max(0.0, (parsedate_to_datetime(then) - parsedate_to_datetime(now)).total_seconds())
    except ValueError:
        return None
