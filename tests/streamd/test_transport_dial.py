"""Connecting: names, refusals, TLS, and the connect timer over all of it."""

import errno
import signal
import socket
import ssl

import httpx
import pytest
import trio
import trio.testing
from trio.testing import MockClock

from streamd._http_dial import Origin, connect_tcp, default_ssl_context, dial, is_still, mute
from streamd._http_transport import HTTPTransport
from streamd.errors import ConfigError, ConnectFailed
from tests.support.leaks import no_leaks
from tests.support.server import (
    CLOSE,
    KEEP_OPEN,
    RST,
    UNREAD,
    Pause,
    memory_network,
    response,
    serve,
    tls_contexts,
)


async def fail(transport: HTTPTransport, url: str, connect: float | None = None) -> ConnectFailed:
    """The error that a request to this URL ends in."""
    request = httpx.Request("GET", url, extensions={"timeout": {"connect": connect}})
    with pytest.raises(ConnectFailed) as caught:
        await transport.handle_async_request(request)
    assert caught.value.phase == "connect"
    return caught.value


async def test_a_refused_connection() -> None:
    """The error names the origin and the reason, and another attempt may succeed."""
    listener = (await trio.open_tcp_listeners(0, host="127.0.0.1"))[0]
    port = listener.socket.getsockname()[1]
    await listener.aclose()
    async with no_leaks(), HTTPTransport() as transport:
        error = await fail(transport, f"http://127.0.0.1:{port}")
    assert str(error) == f"no connection to 127.0.0.1:{port}: Connection refused"
    assert error.retryable
    assert isinstance(error.__cause__, OSError)


async def test_every_address_of_a_name_is_tried() -> None:
    """The reasons of all of them are told, each once."""

    async def connect(host: str, port: int) -> trio.abc.Stream:
        await trio.lowlevel.checkpoint()
        refused, unreachable = errno.ECONNREFUSED, errno.ENETUNREACH
        failures = [OSError(refused, "x"), OSError(refused, "x"), OSError(unreachable, "y"), OSError("odd")]
        raise OSError("all attempts failed") from ExceptionGroup("tried", failures)

    async with HTTPTransport(connect=connect) as transport:
        error = await fail(transport, "http://[::1]:8080")
    assert str(error) == "no connection to [::1]:8080: Connection refused; Network is unreachable; odd"


async def test_a_name_that_does_not_exist() -> None:
    """The resolver's own words are told."""

    async def connect(host: str, port: int) -> trio.abc.Stream:
        await trio.lowlevel.checkpoint()
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    async with HTTPTransport(connect=connect) as transport:
        error = await fail(transport, "http://nowhere.invalid")
    assert str(error).startswith("no connection to nowhere.invalid:80: ")
    assert "Name or service not known" in str(error)
    assert error.retryable


@pytest.mark.parametrize("host", ["a" * 64 + ".test", "a..test", "."])
async def test_a_name_that_cannot_be_encoded(host: str) -> None:
    """The URL is at fault, and nothing was sent."""
    async with no_leaks(), HTTPTransport() as transport:
        with pytest.raises(ConfigError, match="is no name that can be looked up") as caught:
            await transport.handle_async_request(httpx.Request("GET", f"http://{host}/"))
    assert host in str(caught.value)
    assert isinstance(caught.value.__cause__, UnicodeError)


async def test_an_error_without_words_is_named() -> None:
    """The message never ends at the colon."""

    async def connect(host: str, port: int) -> trio.abc.Stream:
        await trio.lowlevel.checkpoint()
        raise ConnectionError

    async with HTTPTransport(connect=connect) as transport:
        error = await fail(transport, "http://a.test")
    assert str(error) == "no connection to a.test:80: ConnectionError"


async def test_a_certificate_that_does_not_verify() -> None:
    """Retrying would not help."""
    async with serve([response()], tls=True) as server:
        async with no_leaks(), HTTPTransport() as transport:
            error = await fail(transport, server.url)
    assert "certificate does not verify" in str(error)
    assert not error.retryable
    assert server.requests == []


async def test_a_certificate_for_another_name() -> None:
    """The name is checked, not only the authority."""
    async with memory_network([response()], tls=True) as network:
        transport = HTTPTransport(ssl_context=tls_contexts()[1], connect=network.connect)
        async with no_leaks(), transport:
            error = await fail(transport, "https://other.test")
    assert "other.test" in str(error)
    assert not error.retryable


@pytest.mark.parametrize("end", [CLOSE, RST])
async def test_a_handshake_that_is_cut(end: object) -> None:
    """Another attempt may succeed."""
    async with serve([UNREAD, end]) as server:  # type: ignore[list-item]  # one of the server's constants
        async with no_leaks(), HTTPTransport(ssl_context=tls_contexts()[1]) as transport:
            error = await fail(transport, server.url.replace("http", "https"))
    assert "TLS handshake failed" in str(error)
    assert error.retryable


async def test_a_server_that_does_not_speak_tls() -> None:
    """OpenSSL's reason is told."""
    async with serve([UNREAD, b"HTTP/1.1 400 Bad Request\r\n\r\n", KEEP_OPEN]) as server:
        async with no_leaks(), HTTPTransport(ssl_context=tls_contexts()[1]) as transport:
            error = await fail(transport, server.url.replace("http", "https"))
    assert "TLS handshake failed" in str(error)
    assert isinstance(error.__cause__, trio.BrokenResourceError)
    assert isinstance(error.__cause__.__cause__, ssl.SSLError)


async def test_the_connect_timer_bounds_connecting(autojump_clock: MockClock) -> None:
    """A host that never answers."""

    async def connect(host: str, port: int) -> trio.abc.Stream:
        await trio.sleep_forever()
        raise AssertionError

    async with no_leaks(), HTTPTransport(connect=connect) as transport:
        error = await fail(transport, "http://a.test", connect=10)
    assert str(error) == "no connection to a.test:80: the connect timer fired after 10 s"
    assert trio.current_time() == autojump_clock.current_time()
    assert error.retryable


async def test_the_connect_timer_bounds_the_handshake(autojump_clock: MockClock) -> None:
    """A host that takes the connection and says nothing; the connection is closed."""
    async with memory_network([UNREAD, KEEP_OPEN]) as network:
        transport = HTTPTransport(ssl_context=tls_contexts()[1], connect=network.connect)
        start = trio.current_time()
        async with no_leaks(), transport:
            error = await fail(transport, "https://memory.test", connect=2.5)
            assert trio.current_time() - start == 2.5
            await network.wait_connections_closed()
    assert str(error) == "no connection to memory.test:443: the connect timer fired after 2.5 s"


async def test_the_connect_timer_does_not_bound_the_answer(autojump_clock: MockClock) -> None:
    """Waiting for the response is the caller's to bound."""
    async with memory_network([KEEP_OPEN]) as network:
        async with no_leaks(), HTTPTransport(connect=network.connect) as transport:
            request = httpx.Request("GET", network.url, extensions={"timeout": {"connect": 1, "read": 1}})
            with trio.move_on_after(1000) as scope:
                await transport.handle_async_request(request)
            assert scope.cancelled_caught
            await network.wait_connections_closed()


async def test_a_name_is_encoded_for_the_network() -> None:
    """An international name is looked up in its ASCII form."""
    async with memory_network([response()]) as network, HTTPTransport(connect=network.connect) as transport:
        await transport.handle_async_request(httpx.Request("GET", "http://bücher.test/"))
    assert network.hosts == [("xn--bcher-kva.test", 80)]


class Interrupted(trio.abc.SocketFactory):
    """SIGINT comes as a socket is made."""

    def socket(self, family: int = 0, type: int = 0, proto: int = 0) -> trio.socket.SocketType:
        signal.raise_signal(signal.SIGINT)
        raise AssertionError


def test_an_interrupt_while_connecting_is_no_group() -> None:
    """It comes out as `KeyboardInterrupt`, though the addresses are tried in tasks of their own."""

    async def main() -> None:
        trio.socket.set_custom_socket_factory(Interrupted())
        async with HTTPTransport() as transport:
            await transport.handle_async_request(httpx.Request("GET", "http://127.0.0.1:9"))

    with pytest.raises(KeyboardInterrupt):
        trio.run(main)


async def test_tcp_connects_by_name() -> None:
    """`localhost` may stand for more than one address; the one that answers is taken."""
    async with serve([response()]) as server:
        stream = await connect_tcp("localhost", int(server.url.rpartition(":")[2]))
        await stream.aclose()


def test_the_default_context_verifies_and_is_made_once() -> None:
    """TLS 1.2 at least, certificates and names checked."""
    context = default_ssl_context()
    assert context is default_ssl_context()
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.check_hostname
    assert context.minimum_version >= ssl.TLSVersion.TLSv1_2


def test_an_origin_is_written_as_in_a_url() -> None:
    """With brackets round an IPv6 address."""
    assert str(Origin("http", "a.test", 80)) == "a.test:80"
    assert str(Origin("http", "::1", 80)) == "[::1]:80"


async def test_a_stream_without_a_socket_is_never_still() -> None:
    """Nothing could tell what waits on it."""
    ours, _ = trio.testing.memory_stream_pair()
    assert not await is_still(ours)


async def test_a_muted_tls_stream_sends_nothing_and_can_be_read(autojump_clock: MockClock) -> None:
    """Sending that waited goes on, later sending is dropped, and what the server says is read as before."""
    pause = Pause()
    async with memory_network([UNREAD, b"a", pause, b"b", CLOSE], lockstep=True, tls=True) as network:
        origin = Origin("https", "memory.test", 443)
        stream = await dial(origin, connect=network.connect, ssl_context=tls_contexts()[1], timeout=None)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(stream.send_all, bytes(1_000_000))
            assert await stream.receive_some(10) == b"a"
            assert mute(stream)
        with trio.fail_after(1):
            await stream.send_all(bytes(1_000_000))
        pause.release()
        assert await stream.receive_some(10) == b"b"
        await trio.aclose_forcefully(stream)
        assert network.connections[0].received < 1_000_000


def test_only_tls_can_be_muted() -> None:
    """Sending over anything else can be cancelled."""
    ours, _ = trio.testing.memory_stream_pair()
    assert not mute(ours)
