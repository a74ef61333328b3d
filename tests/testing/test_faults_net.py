"""The faults of the network: streamd survives every one, on every wire tried, and the harness plays them truly."""

import ssl

import pytest
import trio

from streamd._http_dial import Connect, Origin, dial
from streamd.errors import ConnectFailed
from streamd.testing import HELLO, ONE_TOOL, WIRES, FaultKind, Reply, simulate, streamd_app
from streamd.testing._reply import Connecting
from streamd.testing._simulated import connection_error
from tests.support.faults import check, rows, runs
from tests.support.server import FIN, KEEP_OPEN, UNREAD, Script, memory_network, response

LARGE = ONE_TOOL.ask("x" * 200_000)
"""More than the buffers of a connection hold."""

SENDING = [kind for kind in rows("net") if kind.phase == "request"]


@pytest.mark.parametrize("kind", rows("net"), ids=lambda kind: kind.name)
def test_streamd_survives(kind: FaultKind) -> None:
    """Every fault of the layer, at its places and with its values, in a conversation with a tool."""
    for run in runs(kind):
        check(run, kind)


@pytest.mark.parametrize("kind", SENDING, ids=lambda kind: kind.name)
def test_a_request_that_cannot_be_sent(kind: FaultKind) -> None:
    """A prompt that does not fit into the buffers meets the fault while it is sent."""
    for run in runs(kind, scenario=LARGE):
        check(run, kind)


def test_a_broken_upload_is_told_as_one() -> None:
    """The error's phase is the sending."""
    run = simulate(streamd_app, LARGE, "net.write_reset x*")
    assert getattr(run.observed.error, "phase", None) == "send"


def test_a_slow_name_is_bounded_by_the_connect_timer() -> None:
    """Ten seconds are the limit: the attempts that took longer never came to a connection, and count."""
    run = simulate(streamd_app, HELLO, "net.dns_slow=30 x*")
    assert run.verdict.ok
    assert isinstance(run.observed.error, ConnectFailed)
    assert [attempt.turn for attempt in run.trace.attempts] == [None] * 3
    assert 30 <= run.observed.took < 40


@pytest.mark.parametrize("wire", WIRES)
def test_every_wire_survives(wire: str) -> None:
    """One variant of every fault of the four layers, on a wire of its own."""
    for kind in (each for layer in ("net", "h1", "http", "sec") for each in rows(layer)):
        if kind.on(wire):
            run = simulate(streamd_app, ONE_TOOL, f"{kind.name} x*", wire=wire)
            assert run.verdict.findings == (), kind.name


@pytest.mark.parametrize(
    "fault", ["net.fin", "net.reset", "h1.close_delimited_cut", "h1.content_length_long"]
)
def test_the_last_events_are_cut_at_every_byte(fault: str) -> None:
    """Behind the terminal evidence nothing fails the turn, and an event that only lacks its blank line may count."""
    size = len(Reply(events=WIRES["openai-chat"].events(HELLO.turns[0], 1)).body)
    for place in range(size - 250, size + 1):
        run = simulate(streamd_app, HELLO, f"{fault}@byte:{place}")
        assert run.verdict.findings == ()


def test_a_flipped_bit_is_seen_wherever_it_is() -> None:
    """At every byte of an answer, on every wire whose events are JSON or have a checksum."""
    for name, wire in WIRES.items():
        size = len(Reply(events=wire.events(HELLO.turns[0], 1)).body)
        for place in range(0, size, 41):
            run = simulate(streamd_app, HELLO, f"net.bitflip@byte:{place} x*", wire=name)
            assert run.verdict.findings == ()


async def failure(connect: Connect, context: ssl.SSLContext) -> ConnectFailed:
    """What dialling ends in."""
    with pytest.raises(ConnectFailed) as caught:
        await dial(Origin("https", "localhost", 443), connect=connect, ssl_context=context, timeout=None)
    return caught.value


ALERT = b"\x15\x03\x03\x00\x02\x02\x28"
"""A fatal alert of TLS: `handshake_failure` (RFC 8446 section 6.2)."""

HANDSHAKES: list[tuple[Connecting, Script]] = [
    ("tls_certificate", [response()]),
    ("tls_cut", [UNREAD, FIN]),
    ("tls_alert", [UNREAD, ALERT, KEEP_OPEN]),
]


@pytest.mark.parametrize(("how", "script"), HANDSHAKES)
async def test_a_simulated_handshake_fails_as_a_real_one(how: Connecting, script: Script) -> None:
    """What the harness raises in the place of a handshake has the causes, and so the meaning, of the true one."""

    async def connect(_host: str, _port: int) -> trio.abc.Stream:
        await trio.lowlevel.checkpoint()
        raise connection_error(how)

    context = ssl.create_default_context()
    async with memory_network(script, tls=how == "tls_certificate") as network:
        real = await failure(network.connect, context)
    simulated = await failure(connect, context)
    for error in (real, simulated):
        assert isinstance(error.__cause__, trio.BrokenResourceError)
    causes = [error.__cause__ and error.__cause__.__cause__ for error in (real, simulated)]
    assert type(causes[0]) is type(causes[1])
    assert simulated.retryable is real.retryable
    assert str(simulated).split(": ")[:2] == str(real).split(": ")[:2]
