"""The judge: what an application should have done, against what it did. It is pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from msgspec.structs import replace

from streamd.providers import StreamdError, Usage

from ._bounds import counts, is_open, told_of_last
from ._canary import leaks_in
from ._delivery import Delivery
from ._expect import Expect, is_among, label
from ._judge_errors import judge_told
from ._judge_keys import judge_keys
from ._judge_promised import judge_promised_retries, judge_second_chances
from ._judge_results import judge_results
from ._judge_tools import judge_retries, judge_tools
from ._observation import Observation
from ._reused import says_more
from ._shown import shown
from ._trace import Attempt, Trace
from ._verdict import Finding, FindingName, Verdict

__all__ = ["judge"]

_LIBRARIES = frozenset(
    (
        *(
            "asyncio",
            "anyio",
            "builtins",
            "concurrent",
            "h11",
            "h2",
            "hpack",
            "http",
            "httpcore",
            "httptools",
        ),
        *("httpx", "httpx2", "json", "msgspec", "socket", "ssl", "trio", "urllib", "_socket", "_ssl"),
    )
)
"""Where the exceptions of the libraries below an application come from. `builtins` are those of Python itself."""

_MEMORY = 32 * 1024 * 1024

Found = Iterator[tuple[FindingName, str]]


def judge(observed: Observation, trace: Trace, *, key: str = "", repro: str = "") -> Verdict:
    """Judge one run.

    Args:
        observed: What the application did.
        trace: What the server did, and what the faults that struck expect.
        key: The canary that must be seen nowhere.
        repro: The line that runs the same again.
    """
    attempts: Sequence[Attempt] = trace.attempts
    if observed.stage.beside is not None and not observed.beside:
        attempts = [_unbound(attempt) for attempt in attempts]
    valid = _valid(observed, attempts)
    found = [*_ending(observed, trace), *_text(observed, valid), *_reasoning(observed, valid)]
    found += [*_usage(observed, attempts), *judge_tools(observed, attempts)]
    found += [*judge_results(observed, attempts)]
    found += [*judge_retries(attempts), *judge_second_chances(attempts)]
    found += [*judge_promised_retries(observed, attempts), *judge_keys(observed, attempts)]
    found += [*_leaks(observed, key)]
    unsent = any(expected.unsent for attempt in attempts for expected in attempt.expect)
    # A place that was held is free once what held it has crashed.
    if unsent and observed.stage.crash is None:
        found.append(("leaked_secret", "a request was made with a key that no header may hold"))
    return Verdict(tuple(Finding(name, detail, repro) for name, detail in dict.fromkeys(found)))


def _ending(observed: Observation, trace: Trace) -> Found:
    """Whether it ended, and as it had to."""
    attempts = trace.attempts
    if observed.hung:
        steps = f", in {observed.steps:,} steps" if observed.steps > 1 else ""
        yield "hung", f"it had not ended after {observed.took:g} s{steps}"
        return
    if observed.error is not None:
        yield from _typed(observed.error)
    if observed.cancelled or observed.stage.cuts_short:
        return
    if not attempts:
        if observed.finished and observed.reason not in (None, "cancelled"):
            yield (
                "fabricated_finish",
                f"it said that the answer was complete ({observed.reason}), and asked nothing",
            )
        elif observed.error is not None and not _is_of_a_library(observed.error):
            yield from _unasked(observed.error, trace.staged)
        return
    if isinstance(observed.error, SystemExit) and any(body == "exits" for _, body in observed.stage.tools):
        return  # what is no `Exception` ends the program, as it would elsewhere
    last = attempts[-1]
    expected = _expected(last)
    delivery = last.delivery
    if delivery.loose is not None and observed.finished:
        delivery = delivery.loose
    complete = delivery.terminal and not delivery.fatal_first
    if observed.error is not None:
        strict = expected.own and not isinstance(observed.error, StreamdError)
        if complete and not (expected.either or strict or _has_refused(observed, last)):
            yield "lost_finish", f"the answer was complete, and it failed with {label(observed.error)}"
        elif isinstance(observed.error, StreamdError) and not is_among(observed.error, expected.errors):
            wanted = ", ".join(expected.errors) or "none"
            yield "wrong_error", f"it failed with {label(observed.error)}; expected: {wanted}"
        else:
            yield from judge_told(observed, attempts)
    elif observed.finished:
        stop = delivery.stop
        if not complete and not expected.either and observed.reason != "cancelled":
            yield "fabricated_finish", f"it said that the answer was complete ({observed.reason})"
        elif complete and stop is not None and observed.reason not in (None, stop.reason, "max_rounds"):
            yield (
                "wrong_finish",
                f"it said that the answer ended for {observed.reason}, not for {stop.reason}",
            )


def _unasked(error: BaseException, staged: Sequence[Expect]) -> Found:
    """Whether it had a reason to fail before it asked anything; an error of its own may stand for any."""
    wanted = [each for expected in staged for each in expected.errors]
    if not (is_among(error, wanted) if isinstance(error, StreamdError) else wanted):
        expected = ", ".join(wanted) or "none"
        yield "wrong_error", f"it failed with {label(error)}, and asked nothing; expected: {expected}"


def _expected(attempt: Attempt) -> Expect:
    """How a run may end whose last attempt was this one: by any of the faults that struck it."""
    told = (error for expected in attempt.expect for error in expected.errors)
    # What else came, or did not, on a connection that was used again after it is not seen.
    unread = ("ConnectionLost", "ProtocolViolation", "Stalled") if says_more(attempt.reply) else ()
    errors = tuple(dict.fromkeys((*told, *attempt.broke, *unread)))
    either = any(expected.either for expected in attempt.expect)
    refusable = any(expected.refusable for expected in attempt.expect)
    return Expect(errors, either, refusable=refusable, own=any(each.own for each in attempt.expect))


def _unbound(attempt: Attempt) -> Attempt:
    """The attempt of an application that is in no runtime, and so not bound by what is spent or taken there."""
    return replace(attempt, expect=tuple(replace(each, unsent=False, last=False) for each in attempt.expect))


def _has_refused(observed: Observation, last: Attempt) -> bool:
    """Whether it did not read the last reply, and might do so; an error of its own may stand for any."""
    expected, error = _expected(last), observed.error
    if not expected.refusable or error is None:
        return False
    return not isinstance(error, StreamdError) or is_among(error, expected.errors)


def _is_of_a_library(error: BaseException) -> bool:
    return type(error).__module__.partition(".")[0] in _LIBRARIES and isinstance(error, Exception)


def _typed(error: BaseException) -> Found:
    if _is_of_a_library(error):
        yield "untyped_error", f"it failed with {type(error).__module__}.{type(error).__qualname__}"
    elif isinstance(error, StreamdError) and error.attempt and error.phase is None:
        yield "untyped_error", f"its {type(error).__name__} does not say in which phase it happened"


def _text(observed: Observation, attempts: Sequence[Attempt]) -> Found:
    """Whether it told the text that came: all of it, once, in order."""
    # What a turn gave is what its last attempt gave: any before that were not to be seen.
    given, loosely = ("".join(each.text for each in turns) for turns in _by_turn(attempts))
    told = observed.text
    if told in (given, loosely):
        return
    cut_short = observed.cancelled or observed.stage.cuts_short or observed.hung
    if given.startswith(told):
        failed = observed.error is not None
        if cut_short or (failed and not observed.streams) or not (observed.finished or failed):
            return
        if _has_refused(observed, attempts[-1]):
            return
        yield "lost_text", f"{shown(given[len(told) :])} came and was not told"
        return
    every = "".join(attempt.alone.text for attempt in attempts)
    if (every.startswith(told) and not _is_in(told, given)) or _is_more_often(told, attempts):
        yield "duplicated_text", f"it told {shown(told)}, where {shown(given)} came"
    else:
        yield (
            "invented_text" if len(told) > len(given) else "lost_text",
            (f"it told {shown(told)}, where {shown(given)} came"),
        )


def _reasoning(observed: Observation, attempts: Sequence[Attempt]) -> Found:
    """Whether it told the reasoning that came, where it tells any: all of it, once, in order."""
    given, loosely = ("".join(each.thinking for each in turns) for turns in _by_turn(attempts))
    told = "".join(observed.thoughts)
    if not observed.thinks or told in (given, loosely):
        return
    if given.startswith(told):
        cut_short = observed.cancelled or observed.stage.cuts_short or observed.hung
        ended = observed.finished or observed.error is not None
        if ended and not cut_short and not _has_refused(observed, attempts[-1]):
            yield "lost_text", f"{given[len(told) :]!r} of the reasoning came and was not told"
        return
    every = "".join(attempt.alone.thinking for attempt in attempts)
    name: FindingName = "duplicated_text" if every.startswith(told) else "invented_text"
    yield name, f"it told {told!r} of the reasoning, where {given!r} came"


def _usage(observed: Observation, attempts: Sequence[Attempt]) -> Found:
    """Whether it kept the last count of every turn, whole or not."""
    counted = observed.usage
    if counted is None or observed.cancelled or observed.stage.cuts_short or observed.hung:
        return
    given = [sum((each.usage or Usage() for each in turns), Usage()) for turns in _by_turn(attempts)]
    told, *came = ((each.input_tokens, each.output_tokens) for each in (counted, *given))
    if any(map(is_open, attempts)):
        if attempts[-1].turn is None:
            return
        came += sorted(counts(attempts, told_of_last(observed, attempts)))
    if told not in came:
        yield (
            "wrong_usage",
            f"it counted {told[0]} and {told[1]} tokens, where {came[0][0]} and {came[0][1]} came",
        )


def _valid(observed: Observation, attempts: Sequence[Attempt]) -> Sequence[Attempt]:
    """Without those at a turn that it took back, and could not ask for again as there was no connection."""
    if not observed.voided or not attempts or attempts[-1].turn is not None:
        return attempts
    last = next((attempt.turn for attempt in reversed(attempts) if attempt.turn is not None), None)
    return [attempt for attempt in attempts if attempt.turn is None or attempt.turn != last]


def _by_turn(attempts: Sequence[Attempt]) -> tuple[list[Delivery], list[Delivery]]:
    """What the last attempt at each turn delivered, taken strictly and loosely."""
    turns = {attempt.turn: attempt.delivery for attempt in attempts if attempt.turn is not None}
    return list(turns.values()), [each.loose or each for each in turns.values()]


def _is_in(told: str, given: str) -> bool:
    """Whether all that was told is in what came, in order, though something between is missing."""
    left = iter(given)
    return all(letter in left for letter in told)


def _is_more_often(told: str, attempts: Sequence[Attempt]) -> bool:
    """Whether some turn's text was told more often than once."""
    texts = {attempt.turn: attempt.delivery.text for attempt in attempts}
    return any(text and told.count(text) > 1 for text in texts.values())


def _leaks(observed: Observation, key: str) -> Found:
    for name, count in Counter(observed.leaked_tasks).items():
        yield "leaked_task", f"{name}" + (f" ({count} times)" if count > 1 else "")
    if observed.leaked_sockets:
        yield "leaked_socket", f"{observed.leaked_sockets} left open"
    for name in observed.leaked_fds:
        yield "leaked_fd", name
    for where, text in observed.captured if key else ():
        for form in leaks_in(text, key)[:1]:
            yield "leaked_secret", f"the key is in {where}, {form}"
    if observed.grown > _MEMORY:
        yield "unbounded_memory", f"the process grew by {observed.grown // 1024} KiB"
