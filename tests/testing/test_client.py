"""The client of a run: to an application of httpx it is httpx, with its errors and its time limits."""

import httpx
import pytest
import trio

from streamd import ConnectionLost, open_session
from streamd.testing import HELLO, World, serve_to, simulate

# Whoever stops in the middle of a body leaves generators of httpcore's behind, which trio says.
pytestmark = pytest.mark.filterwarnings("ignore:Async generator:ResourceWarning")

FAILURES: list[tuple[str, type[httpx.HTTPError]]] = [
    ("net.dns_fail", httpx.ConnectError),
    ("net.refuse", httpx.ConnectError),
    ("net.blackhole_connect", httpx.ConnectTimeout),
    ("net.tls_bad_cert", httpx.ConnectError),
    ("net.write_stall", httpx.WriteTimeout),
    ("net.reset_before_headers", httpx.ReadError),
    ("net.fin_before_headers", httpx.RemoteProtocolError),
    ("net.reset@byte:60", httpx.ReadError),
    ("net.fin@byte:60", httpx.RemoteProtocolError),
    ("h1.bad_chunk_size@event:1", httpx.RemoteProtocolError),
    ("http.gzip_corrupt", httpx.DecodingError),
    ("time.stall@event:2", httpx.ReadTimeout),
]


async def reads(world: World) -> bytes:
    """Read one answer whole."""
    body = {"stream": True, "messages": [{"role": "user", "content": "x" * 200_000}]}
    async with world.client.stream("POST", f"{world.url}/v1/chat/completions", json=body) as response:
        return b"".join([piece async for piece in response.aiter_bytes()])


@pytest.mark.parametrize(("fault", "error"), FAILURES)
def test_a_request_fails_as_httpx_fails(fault: str, error: type[httpx.HTTPError]) -> None:
    """What an application of httpx catches is what is raised, at the time that it gave."""

    async def app(world: World) -> None:
        with pytest.raises(httpx.HTTPError) as caught:
            await reads(world)
        assert type(caught.value) is error
        assert trio.current_time() <= 5.0 + 1e-6
        raise CaughtError

    run = simulate(app, HELLO, fault)
    assert isinstance(run.observed.error, CaughtError)
    assert run.verdict.findings == ()


class CaughtError(Exception):
    """The application's own error."""


def test_a_request_of_streamd_fails_as_streamd_does() -> None:
    """The same client, in a session: its timers and errors are the session's."""

    async def app(world: World) -> None:
        async with open_session(world.model, world.prompt, client=world.client, retry=None) as session:
            async for _ in session:
                pass

    run = simulate(app, HELLO, "net.reset@event:2")
    assert isinstance(run.observed.error, ConnectionLost)


def test_an_address_of_tls_is_told_where_to_go() -> None:
    """The server of a run speaks no TLS."""

    async def app(world: World) -> None:
        await world.client.get("https://api.example.com/v1/models")

    error = simulate(app, HELLO).observed.error
    assert isinstance(error, httpx.ConnectError)
    assert "World.url" in str(error)


def test_a_connection_is_kept_and_is_no_leak() -> None:
    """Two requests go over one connection, in memory and on sockets; what the pool keeps is its own."""

    async def app(world: World) -> None:
        for _ in range(2):
            await reads(world)
        raise CaughtError

    for world in (simulate, serve_to):
        run = world(app, HELLO, "net.slice=7 x2")
        assert {finding.name for finding in run.verdict.findings} <= {"lost_finish"}
        assert "connection 2" not in run.trace.text


def test_a_kept_connection_with_something_on_it_is_not_used() -> None:
    """The pool looks at it before it uses it again; what the server closes under a request fails it."""

    async def app(world: World) -> None:
        await reads(world)
        await trio.sleep(1)
        await reads(world)

    run = simulate(app, HELLO, "h1.surplus_response")
    assert run.observed.error is None
    assert "connection 2" in run.trace.text
    stale = simulate(app, HELLO, "h1.keepalive_stale").observed.error
    assert isinstance(stale, httpx.RemoteProtocolError)


def test_a_generator_that_trio_closes_is_no_leak() -> None:
    """An exception in a loop over a body abandons generators of httpx's, which trio closes in a task of its own."""

    async def app(world: World) -> None:
        async with world.client.stream("POST", world.url, json={"messages": []}) as response:
            async for _ in response.aiter_lines():
                raise CaughtError

    for world in (simulate, serve_to):
        run = world(app, HELLO)
        assert "leaked_task" not in {finding.name for finding in run.verdict.findings}


def test_closing_takes_an_application_of_httpx_no_time() -> None:
    """A goodbye is not said: what is waited for while closing cannot be cancelled."""

    async def app(world: World) -> None:
        async with world.client.stream("POST", world.url, json={"messages": []}) as response:
            assert response.status_code == 200

    run = simulate(app, HELLO, "net.slow_close")
    assert (run.observed.took, run.observed.leaked_sockets) == (0.0, 0)
