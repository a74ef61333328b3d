"""What the judge holds an application to that is not streamd, and has errors of its own."""

import pytest

from streamd.testing import HELLO, World, simulate

HELLO_TEXT = "Hello, wörld 👋!"


class AskError(Exception):
    """An error of an application's own."""


def test_an_error_of_its_own_before_anything_was_asked_needs_a_reason_too() -> None:
    """Where a fault of the application's own explains it, it may be of any class."""

    async def app(_world: World) -> None:
        raise AskError("no such model")

    for plan in ((), ("net.slice",), ("time.stall_before_headers x*",)):
        assert [found.name for found in simulate(app, HELLO, *plan).verdict.findings] == ["wrong_error"]
    assert simulate(app, HELLO, "sec.bad_key").verdict.ok


@pytest.mark.parametrize("fault", ["http.gzip", "h1.bad_chunk_size=fffffffffffffffff@event:2"])
def test_what_may_be_refused_may_be_refused_with_an_error_of_its_own(fault: str) -> None:
    """Then it need not tell what it did not read."""

    async def app(world: World) -> None:
        world.said("")
        body = {"messages": [{"role": "user", "content": "Hi"}]}
        async with world.client.stream("POST", f"{world.url}/v1/chat/completions", json=body) as response:
            assert response.status_code == 200
        raise AskError("that is not read")

    assert simulate(app, HELLO, fault).verdict.findings == ()
    assert not simulate(app, HELLO, "net.slice").verdict.ok


async def asks_by_hand(world: World) -> None:
    """An application without a runtime, which asks again once, and is strict about what it cannot read."""
    world.said("")
    url, body = f"{world.url}/v1/chat/completions", {"messages": [{"role": "user", "content": "Hi"}]}
    for _ in range(2):
        async with world.client.stream("POST", url, json=body) as response:
            if response.status_code == 200:
                world.said(HELLO_TEXT)
                raise AskError("that cannot be read")


@pytest.mark.parametrize(
    ("plan", "expected"),
    [
        (("sse.final_event_unterminated@kind:finish",), set[str]()),
        (("tool.args_single_quotes",), set[str]()),
        (("net.slice",), {"lost_finish"}),
        (("rt.retry_budget_spent", "http.503", "tool.args_unclosed x*"), set[str]()),
        (("rt.pool_exhausted=refuse", "tool.args_unclosed"), set[str]()),
        (("sec.bad_key=del", "tool.args_unclosed"), {"leaked_secret"}),
    ],
)
def test_what_only_streamd_promises_is_held_against_streamd_only(
    plan: tuple[str, ...], expected: set[str]
) -> None:
    """Others may be stricter about what is broken, and are not bound by the limits of a runtime they are not in."""
    assert {finding.name for finding in simulate(asks_by_hand, HELLO, *plan).verdict.findings} == expected
