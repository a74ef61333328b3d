"""The judge: what clients written in a hurry make of the network's faults, and what is found of it.

Each client here speaks chat completions over plain httpx, and has one habit that is often met in the wild.
"""

import json
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing

import pytest
import trio

from streamd.testing import HELLO, World, simulate

Habit = Callable[[World], Awaitable[None]]


class Refused(Exception):
    """A status that is an error."""


async def events(world: World, *, follow: bool = False) -> AsyncGenerator[str, None]:
    """The text of each event of one answer, up to `[DONE]`."""
    request = world.client.build_request(
        "POST",
        f"{world.url}/v1/chat/completions",
        json={"messages": [{"role": "user", "content": world.prompt}], "stream": True},
        headers={"authorization": f"Bearer {world.key}", "x-api-key": world.key},
    )
    response = await world.client.send(request, stream=True, follow_redirects=follow)
    try:
        if response.status_code != 200:
            raise Refused(response.status_code, response.headers, (await response.aread()).decode())
        left = b""
        # Not `aiter_raw`, which leaves a generator of httpx's behind where an event cannot be read.
        async with aclosing(response.stream.__aiter__()) as body:
            async for piece in body:
                *lines, left = (left + piece).split(b"\n")
                for line in lines:
                    if line.startswith(b"data: ") and line != b"data: [DONE]":
                        for choice in json.loads(line[6:])["choices"]:
                            yield choice["delta"].get("content") or ""
    finally:
        await response.aclose()


async def tell(world: World, *, follow: bool = False) -> None:
    """Tell one answer as it comes, and that it is complete when nothing more comes."""
    world.said("")
    async with aclosing(events(world, follow=follow)) as source:
        async for text in source:
            world.said(text)
    world.finished("stop")


async def trusts_any_end(world: World) -> None:
    """When nothing more comes, it is done."""
    await tell(world)


async def swallows_errors(world: World) -> None:
    """What breaks, breaks: what there is will do."""
    try:
        await tell(world)
    except Exception:
        world.finished("stop")


async def repeats_itself(world: World) -> None:
    """A second attempt, whatever was told of the first."""
    try:
        await tell(world)
    except Exception:
        await tell(world)


async def retries_at_once(world: World) -> None:
    """Whatever was refused is asked for again, at once."""
    for _ in range(3):
        try:
            await tell(world)
        except Refused:
            continue
        return


async def waits_a_second(world: World) -> None:
    """Whatever was refused is asked for again after a second, whatever the server says."""
    try:
        await tell(world)
    except Refused:
        await trio.sleep(1)
        await tell(world)


async def follows(world: World) -> None:
    """Redirects are followed, as a browser does."""
    await tell(world, follow=True)


async def logs(world: World) -> None:
    """What the server says is logged."""
    try:
        await tell(world)
    except Refused as error:
        logging.getLogger("app").warning("refused: %s", error.args[2])
        raise


async def reads_all(world: World) -> None:
    """It wants the whole error, however long."""
    await tell(world)


CASES: list[tuple[Habit, str, set[str]]] = [
    (trusts_any_end, "", set()),
    (trusts_any_end, "net.slice=3", set()),
    (trusts_any_end, "h1.close_delimited_cut@byte:50%", {"fabricated_finish"}),
    (trusts_any_end, "h1.content_length_short@byte:50%", {"fabricated_finish"}),
    (trusts_any_end, "h1.bad_chunk_size=fffffffffffffffff", {"untyped_error"}),
    (trusts_any_end, "prov.eof_no_terminal", {"fabricated_finish"}),
    (trusts_any_end, "http.empty_200", {"fabricated_finish"}),
    (trusts_any_end, "http.html_200=stream", {"fabricated_finish"}),
    (trusts_any_end, "net.blackhole_connect", {"untyped_error"}),
    (trusts_any_end, "net.write_stall", {"untyped_error"}),
    (trusts_any_end, "http.json_200", {"lost_text"}),
    (trusts_any_end, "net.bitflip@event:2", {"untyped_error"}),
    (trusts_any_end, "h1.no_last_chunk@event:-1", {"lost_finish", "untyped_error"}),
    (swallows_errors, "net.fin@byte:50%", {"fabricated_finish"}),
    (swallows_errors, "net.refuse", {"fabricated_finish"}),
    (swallows_errors, "http.503", {"fabricated_finish"}),
    (repeats_itself, "net.reset@byte:60%", {"duplicated_text"}),
    (repeats_itself, "net.tls_bad_cert", {"retried_non_retryable"}),
    (repeats_itself, "net.refuse", set()),
    (retries_at_once, "http.401", {"retried_non_retryable"}),
    (retries_at_once, "http.insufficient_quota", {"retried_non_retryable"}),
    (retries_at_once, "http.x_should_retry=false", {"retried_non_retryable"}),
    (retries_at_once, "http.x_should_retry=true", set()),
    (retries_at_once, "http.503 x2", set()),
    (waits_a_second, "http.429_retry_after=7", {"retried_too_soon"}),
    (waits_a_second, "http.429_retry_after=ms:1500", {"retried_too_soon"}),
    (waits_a_second, "http.429_retry_after=date:30", {"retried_too_soon"}),
    (waits_a_second, "http.402_retry_after", {"retried_too_soon"}),
    (waits_a_second, "http.429_retry_after=soon", set()),
    (follows, "http.redirect_307=same", {"retried_non_retryable"}),
    (follows, "http.redirect_307=cross", {"retried_non_retryable", "leaked_secret"}),
    (follows, "sec.redirect_exfil=relative", {"retried_non_retryable", "leaked_secret"}),
    (logs, "sec.key_echoed=refusal", {"leaked_secret"}),
]


# Whoever stops in the middle of a body leaves generators of httpcore's behind, which trio says.
@pytest.mark.filterwarnings("ignore:Async generator:ResourceWarning")
@pytest.mark.parametrize(("habit", "plan", "expected"), CASES)
def test_a_habit_has_its_finding(habit: Habit, plan: str, expected: set[str]) -> None:
    """The fault that shows it earns exactly these findings; one that does not, none."""
    run = simulate(habit, HELLO, *([plan] if plan else []))
    assert {finding.name for finding in run.verdict.findings} == expected


@pytest.mark.parametrize("flood", ["flood", "trickle"])
def test_an_error_without_end_hangs_who_reads_all_of_it(flood: str) -> None:
    """In virtual time, or in steps."""
    run = simulate(reads_all, HELLO, f"http.error_body_endless={flood}", max_steps=20_000)
    assert [finding.name for finding in run.verdict.findings] == ["hung"]


def test_what_has_no_end_falls_silent_once_it_is_enough() -> None:
    """Who keeps all of it is found out, by some ten millions of bytes and not by all of a machine's memory."""
    run = simulate(reads_all, HELLO, "http.error_body_endless=flood")
    assert {finding.name for finding in run.verdict.findings} == {"unbounded_memory", "untyped_error"}
    assert run.observed.grown < 200 * 1024 * 1024
