"""The server on the loopback: it plays what is simulated to any client, and the verdict is the same."""

import asyncio
import socket
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
import trio

from streamd import open_session
from streamd.errors import ConfigError
from streamd.testing import (
    HELLO,
    ONE_TOOL,
    THREE_ROUNDS,
    WIRES,
    World,
    assert_survived,
    serve,
    serve_in_thread,
    serve_to,
    simulate,
    streamd_app,
)
from streamd.testing._wire_paths import example
from tests.faults.cancels import cancelled
from tests.faults.loopback import PACE, PATIENT, pace_of, served, served_cases, told


@pytest.mark.parametrize("fault", list(served()))
def test_the_verdict_is_the_simulated_one(fault: str) -> None:
    """Every fault: on sockets streamd says, runs and retries what it does in memory, and nothing is found."""
    run = serve_to(PATIENT, ONE_TOOL, fault, pace=pace_of(fault), limit=3600)
    assert told(run) == told(simulate(PATIENT, ONE_TOOL, fault))
    assert_survived(run)


@pytest.mark.parametrize("wire", WIRES)
def test_every_wire_is_served(wire: str) -> None:
    """Three rounds with tools, in each wire, cut in the second."""
    faults = "net.fin@byte:100% if turn:1", "net.reset@byte:50% if turn:3"
    run = serve_to(streamd_app, THREE_ROUNDS, *faults, wire=wire, pace=PACE)
    assert told(run) == told(simulate(streamd_app, THREE_ROUNDS, *faults, wire=wire))
    assert_survived(run)


@pytest.mark.parametrize("seed", range(12))
async def test_a_session_that_is_cancelled_leaves_nothing(seed: int) -> None:
    """Cancelled on sockets at a moment drawn from a seed: no task, socket or thread is left."""
    outcome, _ = await cancelled(seed)
    assert outcome.findings == ()


def test_what_is_fast_is_slow_where_it_must_be() -> None:
    """Each fault is served five times, on the drawn wires, with values that a patient application stands."""
    cases = list(served_cases(5))
    assert all(len(case.plan) == 1 for case in cases)
    assert {case.wire for case in cases} == set(WIRES)
    assert {pace_of(str(case.plan[0])) for case in cases} == {1.0, 5.0, PACE}


async def naive(world: World) -> str:
    """An application that takes any end for the end, and asks again at once."""
    said = ""
    for _ in range(2):
        try:
            url = f"{world.url}/v1/chat/completions"
            async with world.client.stream("POST", url, json={"stream": True, "messages": []}) as response:
                async for line in response.aiter_lines():
                    said += line.partition('"content":"')[2].partition('"')[0]
                if response.status_code == 200:
                    break
        except Exception:
            break
    return said


@pytest.mark.parametrize(
    ("fault", "finding"),
    [
        ("net.fin@event:2", "fabricated_finish"),
        ("net.reset@event:2", "fabricated_finish"),
        ("http.status=401", "retried_non_retryable"),
        ("http.429_retry_after=2", "retried_too_soon"),
    ],
)
def test_what_is_found_is_what_is_found_in_a_simulation(fault: str, finding: str) -> None:
    """A bad application gets the same findings from both, and a line that runs the same again."""
    run, simulated = (play(naive, HELLO, fault) for play in (serve_to, simulate))
    assert told(run) == told(simulated)
    assert finding in told(run)["findings"]
    text = fault.partition("=")[0]
    assert f"serve_to(naive, NAMED['hello'], '{text}" in run.verdict.findings[0].repro
    with pytest.raises(AssertionError, match=rf"(?s)after {text}.*{finding}.*attempt 1: turn 1"):
        assert_survived(run)


async def test_one_server_speaks_every_wire() -> None:
    """Each request is answered in the wire of its path, whatever was asked before."""
    async with serve(ONE_TOOL) as server:
        for wire in WIRES.values():
            model = wire.provider(server.url, "none"), wire.model
            async with open_session(model, "Hi", tools=server.world.tools) as session:
                assert (await session.response()).text.endswith("It rains in Oslo.")
        assert [attempt.turn for attempt in server.trace.attempts] == [1, 2] * len(WIRES)


async def test_a_fin_is_a_fin_and_a_reset_is_one() -> None:
    """The request is read whole before the server closes, however large it is."""
    body = b'{"stream": true, "filler": "%s"}' % (b"x" * 3_000_000)
    head = b"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(body)
    ends: list[str] = []
    async with serve(HELLO, "net.fin_before_headers", "net.reset_before_headers if request:2") as server:
        parts = urlsplit(server.url)
        for _ in range(2):
            stream = await trio.open_tcp_stream(parts.hostname or "", parts.port or 0)
            await stream.send_all(head + body)
            try:
                ends.append("fin" if await stream.receive_some() == b"" else "data")
            except trio.BrokenResourceError:
                ends.append("reset")
            await stream.aclose()
    assert ends == ["fin", "reset"]


CHUNKED = b"POST /v1/messages HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"


@pytest.mark.parametrize("body", [b"{", b'{"messages":"\xff"}', b'{"messages":' + b"[" * 200_000])
def test_a_server_of_one_wire_outlives_what_it_cannot_read(body: bytes) -> None:
    """Wherever it goes: the next request is answered."""
    lines: list[str] = []
    with serve_in_thread(HELLO, wire="openai-chat", told=lines.append) as server:
        assert httpx.post(server.url, content=body).status_code == 400
        assert httpx.post(server.url, json={"messages": []}).status_code == 200
        head = httpx.head(f"{server.url}/v1/models")
        assert head.status_code == 200
    with serve_in_thread(HELLO, told=lines.append) as server, httpx.Client() as client:
        for _ in range(2):
            assert client.head(f"{server.url}/v1/models").status_code == 404
    assert lines[0] == "POST /  refused with 400"
    assert lines[-2:] == ["HEAD /v1/models  refused with 404"] * 2


@pytest.mark.parametrize(
    ("sent", "begins"),
    [
        (CHUNKED + b'5;x=y\r\n{"str\r\na\r\neam":true}\r\n0\r\nX: y\r\n\r\n', b"HTTP/1.1 200 OK"),
        (CHUNKED + b"zz\r\n", b"HTTP/1.1 400 Bad Request"),
        (b"hello\r\n\r\n", b"HTTP/1.1 400 Bad Request"),
        (b"POST /v1/messages HTTP/1.1\r\nContent-Length: -5\r\n\r\n", b"HTTP/1.1 400 Bad Request"),
        (CHUNKED + b"30d40\r\n%b\r\n0\r\n\r\n" % (b"[" * 200_000), b"HTTP/1.1 400 Bad Request"),
        (CHUNKED + b'1d\r\n{"stream":true,"messages":"\xff"}\r\n0\r\n\r\n', b"HTTP/1.1 400 Bad Request"),
        (
            b"POST /api/chat HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n{}",
            b"HTTP/1.1 100 Continue\r\n\r\n",
        ),
        (b"POST /api/chat HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\n{", b"HTTP/1.1 400 Bad Request"),
        (
            b'POST /v2/chat HTTP/1.1\r\nHost: x\r\nContent-Length: 16\r\n\r\n{"stream":false}',
            b"HTTP/1.1 400 Bad Request",
        ),
        (
            b"GET /v1/messages HTTP/1.1\r\nHost: x\r\n\r\n",
            b"HTTP/1.1 405 Method Not Allowed\r\nContent-Type: application/json\r\nAllow: POST\r\n",
        ),
        (
            b"POST /v1/responses/resp_1?stream=true HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n",
            b"HTTP/1.1 405 Method Not Allowed\r\nContent-Type: application/json\r\nAllow: GET\r\n",
        ),
        (b"POST /v1/embeddings HTTP/1.1\r\nHost: x\r\n\r\n", b"HTTP/1.1 404 Not Found"),
    ],
)
async def test_what_other_clients_send_is_understood_or_refused(sent: bytes, begins: bytes) -> None:
    """Chunked bodies and expectations are read; what is no request of any wire is told so, or closed."""
    async with serve(HELLO) as server:
        parts = urlsplit(server.url)
        stream = await trio.open_tcp_stream(parts.hostname or "", parts.port or 0)
        await stream.send_all(sent)
        assert (await stream.receive_some())[: len(begins) or 1] == begins
        await stream.aclose()


@pytest.mark.parametrize("sent", [CHUNKED, CHUNKED + b"5\r\nab", CHUNKED + b"0\r\n"])
async def test_a_request_that_ends_early_is_none(sent: bytes) -> None:
    """The server goes on, and nothing was asked."""
    async with serve(HELLO) as server:
        parts = urlsplit(server.url)
        stream = await trio.open_tcp_stream(parts.hostname or "", parts.port or 0)
        await stream.send_all(sent)
        await stream.send_eof()
        assert await stream.receive_some() == b""
        await stream.aclose()
        assert server.requests == []


@pytest.mark.parametrize(
    ("fault", "why"),
    [
        ("net.refuse", "client's end"),
        ("rt.cancel@step:3", "steps"),
        ("time.clock_jump", "clock"),
        ("use.slow", "application itself"),
    ],
)
def test_a_fault_for_simulations_alone_is_refused(fault: str, why: str) -> None:
    """The message says why, and where it can be played."""
    with pytest.raises(ConfigError, match=f"{why}.*simulated"), serve_in_thread(HELLO, fault):
        pass  # pragma: no cover - entering is refused


def test_only_the_loopback_can_be_listened_on() -> None:
    """Any other host is refused."""
    with pytest.raises(ConfigError, match=r"not on '0\.0\.0\.0'"), serve_in_thread(HELLO, host="0.0.0.0"):
        pass  # pragma: no cover - entering is refused
    with serve_in_thread(HELLO, host="localhost") as server:
        assert server.url.startswith("http://127.0.0.1:")
        assert repr(server) == f"<streamd.testing.Served {server.url}>"
        with pytest.raises(OSError):
            with serve_in_thread(HELLO, port=urlsplit(server.url).port or 0):
                pass  # pragma: no cover - entering is refused


def test_an_asyncio_application_is_judged_by_what_it_reports() -> None:
    """It reports from its own thread and loop: text, tools, turns and the end."""

    async def app(url: str, report: Any) -> None:
        messages: list[Any] = [{"role": "user", "content": "Hi"}]
        async with httpx.AsyncClient() as client:
            first = await client.post(url, json={"stream": True, "messages": messages})
            report.world.said("Let me look.")
            assert "call_1_1" in first.text
            assert report.ran_tool("call_1_1", "weather", {"city": "Oslo", "days": 2}) == "rain, 8 °C"
            report.world.next_turn()
            messages.append({"role": "assistant", "tool_calls": [{"id": "call_1_1"}]})
            messages.append({"role": "tool", "tool_call_id": "call_1_1", "content": "rain, 8 °C"})
            await client.post(url, json={"stream": True, "messages": messages})
            report.world.said("It rains")
            report.world.finished("stop")

    with serve_in_thread(ONE_TOOL, "net.slice=3", "net.latency=2", pace=50) as server:
        asyncio.run(app(f"{server.base_url('openai-chat')}/chat/completions", server))
        with pytest.raises(AssertionError, match=r"lost_text: ' in Oslo\.'"):
            server.check()
        server.world.said(" in Oslo.")
        server.check()
        assert server.base_url("ollama-chat") == server.url
        assert len(server.requests) == 2


def test_what_was_left_open_is_found() -> None:
    """A connection that the application forgets, a task it leaves behind, and a key it sends elsewhere."""

    async def app(world: World) -> None:
        async def forever() -> None:
            await trio.sleep_forever()

        trio.lowlevel.spawn_system_task(forever, name="forgotten")
        response = await world.client.send(
            httpx.Request("POST", "http://elsewhere.test/v1/messages", headers={"x-key": world.key}),
            stream=True,
        )
        assert response.status_code == 200
        world.failed(ValueError(world.key))

    run = serve_to(app, HELLO)
    found = {finding.name for finding in run.verdict.findings}
    assert found >= {"leaked_socket", "leaked_task", "leaked_secret"}


def test_an_application_that_does_not_end_hangs() -> None:
    """After the limit it is cancelled."""

    async def app(world: World) -> None:
        await trio.sleep_forever()

    run = serve_to(app, HELLO, limit=10, pace=100)
    assert [finding.name for finding in run.verdict.findings] == ["hung"]


async def test_the_blocks_own_exception_leaves_it_bare() -> None:
    """Not in a group; and the port is free then."""
    with pytest.raises(KeyError):
        async with serve(HELLO) as server:
            parts = urlsplit(server.url)
            raise KeyError
    with pytest.raises(OSError):
        socket.create_connection((parts.hostname, parts.port), 1).close()


@pytest.mark.parametrize("wire", WIRES)
def test_an_example_asks_in_its_wire(wire: str) -> None:
    """What is shown as an example is a request of that wire."""
    with serve_in_thread(HELLO) as server:
        words = example(server.url, wire).split("'")
        response = httpx.post(words[1], content=words[5])
        assert response.status_code == 200
        assert response.headers["content-type"] == WIRES[wire].content_type
