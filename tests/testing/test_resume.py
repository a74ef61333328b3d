"""Responses in the background: the server lets them be read on, and a client that does so wrong is found."""

import json
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest

from streamd import Retry
from streamd.errors import ConfigError, ConnectionLost, SequenceGap
from streamd.testing import (
    HELLO,
    NAMED,
    ONE_TOOL,
    THINKING,
    THREE_ROUNDS,
    WIRES,
    Run,
    World,
    assert_survived,
    serve,
    serve_in_thread,
    serve_to,
    simulate,
    streamd_app,
    streamd_app_with,
)
from streamd.testing._wire_paths import wire_of
from tests.faults.loopback import PACE, told

App = Callable[[World], Awaitable[str | None]]
WIRE = "openai-responses"
BACKGROUND: Any = {"background": True}
IN_BACKGROUND = streamd_app_with(extra_body=BACKGROUND)


def asked(run: Run) -> list[str]:
    """What the server was asked for, in order."""
    return [attempt.asked for attempt in run.trace.attempts]


@pytest.mark.parametrize("fault", ["net.fin", "net.reset", "h1.bad_chunk_size", "prov.eof_no_terminal"])
def test_a_break_is_read_on(fault: str) -> None:
    """All of the answer is told, and streamd asks for what it does not have."""
    place = "" if fault == "prov.eof_no_terminal" else "@event:8"
    run = simulate(IN_BACKGROUND, HELLO, f"{fault}{place}", wire=WIRE)
    assert_survived(run)
    assert run.observed.text == HELLO.turns[0].text
    assert asked(run)[0] == "turn 1"
    assert asked(run)[1].startswith("the rest of turn 1 after event ")
    assert len(asked(run)) == 2


@pytest.mark.parametrize("name", NAMED)
def test_a_cut_anywhere_is_read_on(name: str) -> None:
    """Wherever the connection ends or is reset, once: the answer is whole, and nothing is found."""
    scenario = NAMED[name]
    whole = "".join(turn.text for turn in scenario.turns)
    for place in range(0, 3000, 97):
        for fault in ("net.fin", "net.reset"):
            run = simulate(IN_BACKGROUND, scenario, f"{fault}@byte:{place}", wire=WIRE, seed=place)
            assert run.verdict.findings == ()
            assert run.observed.text == whole


def test_it_may_break_again_and_again() -> None:
    """A fault that strikes every request strikes those that read on, too; each brings a little more."""
    app = streamd_app_with(extra_body=BACKGROUND)
    run = simulate(app, HELLO, "net.reset@event:6 x*", wire=WIRE)
    assert run.verdict.findings == ()
    assert asked(run) == ["turn 1", *(f"the rest of turn 1 after event {after}" for after in (5, 11))]
    assert run.observed.text == HELLO.turns[0].text


def test_a_response_that_is_gone_is_the_break_it_was() -> None:
    """It is asked for once, and the error is the break; where nothing was told, another response is asked for."""
    for fault in ("prov.resume_404", "prov.resume_expired"):
        run = simulate(streamd_app, HELLO, f"{fault}@kind:end", wire=WIRE)
        assert run.verdict.findings == ()
        assert isinstance(run.observed.error, ConnectionLost)
        assert len(asked(run)) == 2
        run = simulate(streamd_app, HELLO, f"{fault}@event:2", wire=WIRE)
        assert run.verdict.findings == ()
        assert asked(run) == ["turn 1", "the rest of turn 1 after event 1", "turn 1"]


@pytest.mark.parametrize("fault", ["http.401", "http.403", "http.402", "net.tls_bad_cert"])
def test_a_response_is_not_asked_for_where_its_request_is_refused(fault: str) -> None:
    """What reading on fails with for good, as its request would, is the end, though nothing was told."""
    run = simulate(IN_BACKGROUND, HELLO, "net.fin@event:2", f"{fault} if request:2", wire=WIRE)
    assert run.verdict.findings == ()
    assert isinstance(run.observed.error, ConnectionLost)
    assert len(asked(run)) == 2


RESTARTS = streamd_app_with(retry=Retry(restart=True), extra_body=BACKGROUND)


@pytest.mark.parametrize("app", [IN_BACKGROUND, RESTARTS])
@pytest.mark.parametrize("fault", ["net.refuse", "net.tls_bad_cert", "net.blackhole_connect"])
@pytest.mark.parametrize("times", [1, 2, 3])
def test_without_a_connection_nothing_is_read_on(app: App, fault: str, times: int) -> None:
    """The end is the break, with what came before it; or that of a restart, which has taken that back."""
    plan = ["net.fin@event:8", *(f"{fault} if request:{request}" for request in range(2, 2 + times))]
    for wire in (WIRE, "openai-chat"):
        assert simulate(app, HELLO, *plan, wire=wire).verdict.findings == ()


def test_a_hole_is_asked_for_once() -> None:
    """Another one is the error; the same again would not help."""
    run = simulate(IN_BACKGROUND, HELLO, "prov.sequence_gap@event:8", wire=WIRE)
    assert run.verdict.findings == ()
    assert asked(run) == ["turn 1", "the rest of turn 1 after event 7"]
    run = simulate(
        IN_BACKGROUND, HELLO, "prov.sequence_gap@event:8", "sse.dropped_event if request:2", wire=WIRE
    )
    assert run.verdict.findings == ()
    assert isinstance(run.observed.error, SequenceGap)
    assert len(asked(run)) == 2


def test_a_response_that_failed_is_not_made_whole() -> None:
    """What the provider said itself, it says again: its error is the end, however often it is read."""
    run = simulate(IN_BACKGROUND, HELLO, "prov.error_mid=server_error@event:8", "net.fin@event:7", wire=WIRE)
    assert run.verdict.findings == ()
    assert asked(run) == ["turn 1", "the rest of turn 1 after event 6"]
    assert type(run.observed.error).__name__ == "ServerError"


@pytest.mark.parametrize("fault", ["prov.resume_404", "prov.resume_expired", "prov.resume_replays_prefix=3"])
def test_an_application_that_does_not_ask_for_it_has_a_break(fault: str) -> None:
    """Nothing is kept for it: the fault is the end of a connection."""
    run = simulate(streamd_app_with(extra_body={}), HELLO, f"{fault}@kind:end", wire=WIRE)
    assert run.verdict.findings == ()
    assert (type(run.observed.error), asked(run)) == (ConnectionLost, ["turn 1"])


class Gone(Exception):
    """The response is not there any more."""


class Client:
    """A client of responses in the background over plain httpx: the pieces of one answer, and where it stands."""

    def __init__(self, world: World, *, background: bool = True) -> None:
        self.world = world
        self.background = background
        self.number = -1
        self.seen: list[tuple[int, str]] = []
        self.thoughts: list[str] = []
        self.done = False

    async def ask(self) -> None:
        """Ask for a response, and read until it breaks."""
        body = {"input": "Hi", "stream": True, "background": self.background}
        await self._read("POST", "/v1/responses", json=body)

    async def read_on(self, after: int) -> None:
        """Ask for the events after one, and read until they break."""
        await self._read("GET", f"/v1/responses/resp_1?stream=true&starting_after={after}")

    async def _read(self, method: str, path: str, **body: Any) -> None:
        try:
            async with self.world.client.stream(method, f"{self.world.url}{path}", **body) as response:
                if response.status_code != 200:
                    raise Gone(response.status_code)
                async for line in response.aiter_lines():
                    if line.startswith("data: "):
                        self._take(json.loads(line[6:]))
        except httpx.TransportError:
            pass

    def _take(self, event: Any) -> None:
        self.number = event.get("sequence_number", self.number)
        if event["type"] == "response.output_text.delta":
            self.seen.append((self.number, event["delta"]))
        if event["type"] == "response.reasoning_summary_text.delta":
            self.thoughts.append(event["delta"])
        self.done = self.done or event["type"] == "response.completed"

    def tell(self, *, once: bool = False) -> None:
        """Tell what came: all of it, or every piece once."""
        self.world.said("")
        for piece in dict(self.seen).values() if once else [piece for _, piece in self.seen]:
            self.world.said(piece)
        if self.done:
            self.world.finished("stop")
        else:
            self.world.failed(Gone())


async def careful(world: World) -> None:
    """It reads on where it stands, and tells every piece once."""
    client = Client(world)
    await client.ask()
    while not client.done:
        await client.read_on(client.number)
    client.tell(once=True)


async def trusts_the_server(world: World) -> None:
    """It reads on where it stands, and tells whatever comes."""
    client = Client(world)
    await client.ask()
    await client.read_on(client.number)
    client.tell()


async def begins_again(world: World) -> None:
    """It asks for all events, and tells them after those that it had."""
    client = Client(world)
    await client.ask()
    await client.read_on(-1)
    client.tell()


async def counts_wrong(world: World) -> None:
    """It says to have an event that it has not."""
    client = Client(world)
    await client.ask()
    await client.read_on(client.number + 1)
    client.tell()


async def drops_what_it_had(world: World) -> None:
    """It tells the rest alone."""
    client = Client(world)
    await client.ask()
    client.seen.clear()
    await client.read_on(client.number)
    client.tell()


async def gives_up_quietly(world: World) -> None:
    """Where the response is gone, what came will do."""
    client = Client(world)
    await client.ask()
    try:
        await client.read_on(client.number)
    except Gone:
        client.done = True
    client.tell()


async def insists(world: World) -> None:
    """Where the response is gone, it asks again."""
    client = Client(world)
    await client.ask()
    for _ in range(3):
        try:
            await client.read_on(client.number)
            break
        except Gone:
            pass
    client.tell()


async def reads_on_what_is_not_kept(world: World) -> None:
    """It did not ask for the background, and reads on all the same."""
    client = Client(world, background=False)
    await client.ask()
    try:
        await client.read_on(client.number)
    except Gone:
        pass
    client.tell()


async def reads_on_whatever_happened(world: World) -> None:
    """It asks for the same again, be it that events were missing or that the response had failed."""
    client = Client(world)
    await client.ask()
    for _ in range(2):
        await client.read_on(7)
    client.done = False
    client.tell(once=True)


@pytest.mark.parametrize(
    ("app", "fault", "findings"),
    [
        (careful, "net.fin@event:7", set[str]()),
        (careful, "net.reset@event:6 x*", set[str]()),
        (careful, "prov.resume_replays_prefix@event:8", set[str]()),
        (careful, "prov.resume_replays_prefix=1@event:8", set[str]()),
        (trusts_the_server, "net.fin@event:7", set[str]()),
        (trusts_the_server, "prov.resume_replays_prefix@event:8", {"duplicated_text"}),
        (trusts_the_server, "prov.resume_replays_prefix=1@event:8", {"duplicated_text"}),
        (begins_again, "net.fin@event:8", {"duplicated_text"}),
        (counts_wrong, "net.fin@event:6", {"lost_text"}),
        (drops_what_it_had, "net.fin@event:7", {"lost_text"}),
        (gives_up_quietly, "prov.resume_404@event:7", {"fabricated_finish"}),
        (gives_up_quietly, "prov.resume_expired@event:7", {"fabricated_finish"}),
        (insists, "prov.resume_404@event:7", {"retried_non_retryable"}),
        (
            reads_on_whatever_happened,
            "prov.sequence_gap@event:8 x*",
            {"duplicated_text", "retried_non_retryable"},
        ),
        (reads_on_whatever_happened, "prov.error_mid=server_error@event:8", {"retried_non_retryable"}),
        (reads_on_what_is_not_kept, "net.fin@event:7", {"retried_non_retryable"}),
    ],
)
def test_a_wrong_way_of_reading_on_is_found(app: App, fault: str, findings: set[str]) -> None:
    """In memory and on real sockets alike; a careful client has no finding."""
    runs = [play(app, HELLO, fault, wire=WIRE) for play in (simulate, serve_to)]
    for run in runs:
        assert {finding.name for finding in run.verdict.findings} == findings
    assert asked(runs[0]) == asked(runs[1])


def test_reasoning_that_is_told_again_is_found() -> None:
    """As text is; where nothing breaks there is nothing to be found."""

    async def thinks_twice(world: World) -> None:
        client = Client(world)
        await client.ask()
        if not client.done:
            await client.read_on(-1)
        for thought in client.thoughts:
            world.thought(thought)
        client.tell(once=True)

    assert simulate(thinks_twice, THINKING, wire=WIRE).verdict.findings == ()
    run = simulate(thinks_twice, THINKING, "net.fin@kind:text", wire=WIRE)
    assert [finding.name for finding in run.verdict.findings] == ["duplicated_text"]


@pytest.mark.parametrize(
    "faults",
    [
        ("net.fin@event:6",),
        ("prov.resume_404@event:9",),
        ("prov.resume_expired@event:2",),
        ("prov.resume_replays_prefix=3@event:12 x*",),
        ("net.fin@event:6", "http.503 if request:2"),
        ("net.fin@event:6", "http.401 if request:2"),
        ("net.fin@event:6", "net.reset_before_headers if request:2"),
        ("net.fin@event:6", "http.html_200 if request:2"),
    ],
)
def test_it_is_served_as_it_is_simulated(faults: tuple[str, ...]) -> None:
    """On sockets streamd reads on, retries and fails as it does in memory."""
    run = serve_to(IN_BACKGROUND, THREE_ROUNDS, *faults, wire=WIRE, pace=PACE)
    simulated = simulate(IN_BACKGROUND, THREE_ROUNDS, *faults, wire=WIRE)
    assert told(run) == told(simulated)
    assert asked(run) == asked(simulated)
    assert_survived(run)


async def test_a_server_of_every_wire_knows_a_request_for_the_rest() -> None:
    """By its path; what is not kept, or nowhere, is refused, and so is a response that is not to be streamed."""
    async with serve(ONE_TOOL, "net.fin@event:5 if request:1") as server, httpx.AsyncClient() as client:
        body = {"input": "Hi", "stream": True, "background": True}
        with pytest.raises(httpx.RemoteProtocolError):
            await client.post(f"{server.url}/v1/responses", json=body)
        url = f"{server.url}/v1/responses/resp_1"
        rest = await client.get(f"{url}?stream=true&starting_after=4")
        assert rest.headers["content-type"].startswith("text/event-stream")
        assert b'"sequence_number":4' not in rest.content
        assert b'"sequence_number":5' in rest.content
        assert b"response.completed" in rest.content
        whole = await client.get(f"{url}?stream=true")
        assert b"response.created" in whole.content
        assert b'"status":"queued"' in whole.content
        for other in ("resp_2", "resp_9", "resp_x"):
            refused = await client.get(f"{server.url}/v1/responses/{other}?stream=true")
            assert refused.status_code == 404
            assert refused.json()["error"]["type"] == "not_found_error"
        for target in (url, f"{url}?stream=false", f"{url}?stream=true&starting_after=x"):
            assert (await client.get(target)).json()["error"]["type"] == "invalid_request_error"
        assert (await client.post(f"{url}?stream=true", json=body)).status_code == 405
        assert [attempt.asked for attempt in server.trace.attempts][:3] == [
            "turn 1",
            "the rest of turn 1 after event 4",
            "the rest of turn 1 after event -1",
        ]


def test_a_client_in_another_thread_reads_on() -> None:
    """As one in another process does, of `streamd mock`."""
    lines: list[str] = []
    with serve_in_thread(HELLO, "prov.resume_expired@event:6", told=lines.append) as server:
        body = {"input": "Hi", "stream": True, "background": True}
        with pytest.raises(httpx.RemoteProtocolError):
            httpx.post(f"{server.url}/v1/responses", json=body)
        refused = httpx.get(f"{server.url}/v1/responses/resp_1?stream=true&starting_after=5")
        assert (refused.status_code, refused.json()["error"]["type"]) == (400, "invalid_request_error")
    assert lines == [
        "POST /v1/responses  openai-responses, turn 1: prov.resume_expired@event:6",
        "GET /v1/responses/resp_1  openai-responses, the rest of turn 1 after event 5: prov.resume_expired@event:6",
    ]


def test_only_one_wire_has_it() -> None:
    """A request by GET is of no other wire, and the faults strike no other."""
    assert [wire.name for wire in WIRES.values() if wire.resuming is not None] == [WIRE]
    assert wire_of("/v1/responses/resp_1?stream=true", "GET") is WIRES[WIRE]
    assert wire_of("/v1/messages", "GET") is None
    assert wire_of("/v1/responses", "DELETE") is None
    run = simulate(streamd_app, HELLO, "prov.resume_404 x*", wire="openai-chat")
    assert run.verdict.findings == ()
    assert run.trace.attempts[0].faults == ()


def test_a_value_that_is_no_number_is_refused() -> None:
    """The fault's own name is in the message."""
    with pytest.raises(ConfigError, match=r"prov\.resume_replays_prefix=some"):
        simulate(streamd_app, HELLO, "prov.resume_replays_prefix=some@event:5", wire=WIRE)
