"""The transport against a raw server: requests, bodies, and every way in which a response can fail."""

import traceback

import httpx
import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from streamd._http_transport import HTTPTransport
from streamd.errors import ConfigError, ConnectionLost, ProtocolViolation, TransportError
from tests.support.leaks import no_leaks
from tests.support.server import (
    CLOSE,
    FIN,
    HEAD_ONLY,
    KEEP_OPEN,
    RST,
    UNREAD,
    Flood,
    Pause,
    Request,
    Script,
    chunk,
    chunked,
    memory_network,
    response,
    segments,
    serve,
    sse,
    tls_contexts,
)

HEAD = response(200, {"Transfer-Encoding": "chunked"}, None)
CUTS: list[bytes] = [
    response(200, {"X-A": "1"}, b"hello"),
    chunked(b"he", b"llo"),
    b"HTTP/1.1 103 Early Hints\r\n\r\n" + response(200, body=b"hello"),
]


async def send(
    transport: HTTPTransport, url: str, body: bytes = b"prompt", method: str = "POST"
) -> httpx.Response:
    """Send one request."""
    return await transport.handle_async_request(httpx.Request(method, url, content=body))


async def pieces(answer: httpx.Response) -> list[bytes]:
    """The body, one item per network read."""
    assert isinstance(answer.stream, httpx.AsyncByteStream)
    return [piece async for piece in answer.stream]


async def failure(answer: httpx.Response) -> tuple[bytes, TransportError]:
    """The body as far as it comes, and the error after it, which must be the same when asked again."""
    assert isinstance(answer.stream, httpx.AsyncByteStream)
    body = b""
    stream = aiter(answer.stream)
    caught: list[TransportError] = []
    while len(caught) < 2:
        try:
            body += await anext(stream)
        except TransportError as exc:
            caught.append(exc)
    assert caught[0] is caught[1]
    return body, caught[0]


async def test_a_request_and_its_response() -> None:
    """What is sent arrives, and what is answered comes back; the server's own words for its status are dropped."""
    async with serve([response(201, {"X-Reply": "é"}, b"hello", reason="Made")]) as server:
        async with no_leaks(), HTTPTransport() as transport:
            request = httpx.Request(
                "POST", f"{server.url}/a%20b?c=d", headers={"X-Key": "k"}, content=b"prompt"
            )
            answer = await transport.handle_async_request(request)
            assert (answer.status_code, answer.reason_phrase, answer.http_version) == (
                201,
                "Created",
                "HTTP/1.1",
            )
            assert answer.headers["x-reply"] == "é"
            assert await pieces(answer) == [b"hello"]
    (seen,) = server.requests
    assert (seen.method, seen.target, seen.body) == ("POST", "/a%20b?c=d", b"prompt")
    assert seen.headers["x-key"] == "k"
    assert seen.headers["host"] == server.url.removeprefix("http://")
    assert seen.headers["content-length"] == "6"


async def test_it_serves_an_httpx_client() -> None:
    """All of httpx works above it: here JSON, and closing."""
    async with serve([chunked(b'{"a":', b"1}", headers={"Content-Type": "application/json"})]) as server:
        async with no_leaks(), httpx.AsyncClient(transport=HTTPTransport()) as client:
            answer = await client.post(server.url, json={"b": 2})
            assert answer.json() == {"a": 1}
    assert server.requests[0].body == b'{"b":2}'


async def test_a_body_given_as_an_iterator_is_sent_with_its_length() -> None:
    """It is read into memory first, so that nothing half-sent is left behind."""

    class Parts(httpx.AsyncByteStream):
        def __aiter__(self) -> "Parts":
            self.left = [b"ab", b"c"]
            return self

        async def __anext__(self) -> bytes:
            if self.left:
                return self.left.pop(0)
            raise StopAsyncIteration

    async with serve([response()]) as server, HTTPTransport() as transport:
        answer = await transport.handle_async_request(httpx.Request("POST", server.url, stream=Parts()))
        assert await pieces(answer) == []
    assert server.requests[0].body == b"abc"
    assert "transfer-encoding" not in server.requests[0].headers


async def test_a_piece_of_body_is_what_one_read_gave() -> None:
    """The chunks of one read are joined, and each read is passed on as it comes."""
    first, second = Pause(), Pause()
    script: Script = [
        HEAD + chunk(b"a") + chunk(b"b"),
        first,
        chunk(b"c"),
        second,
        chunk(b"d") + b"0\r\n\r\n",
    ]
    async with serve(script) as server, HTTPTransport() as transport:
        stream = aiter((await send(transport, server.url)).stream)  # type: ignore[arg-type]  # httpx: sync or async
        assert await anext(stream) == b"ab"
        first.release()
        assert await anext(stream) == b"c"
        second.release()
        assert await anext(stream) == b"d"
        with pytest.raises(StopAsyncIteration):
            await anext(stream)
        with pytest.raises(StopAsyncIteration):
            await anext(stream)


async def test_a_read_is_at_most_64_kibibytes() -> None:
    """So one piece of body can overshoot a watermark by no more than that."""
    whole = bytes(1_000_000)
    async with serve([response(200, body=whole)]) as server, HTTPTransport() as transport:
        got = await pieces(await send(transport, server.url))
    assert b"".join(got) == whole
    assert max(map(len, got)) <= 64 * 1024


@pytest.mark.parametrize("tls", [False, True])
async def test_segments_of_one_byte_make_no_difference(tls: bool) -> None:
    """Every byte in a segment of its own, over TCP and over TLS."""
    whole = chunked(sse("one", ("named", "two")), sse("three"))
    async with serve(segments(whole), tls=tls) as server:
        async with no_leaks(), HTTPTransport(ssl_context=tls_contexts()[1]) as transport:
            got = await pieces(await send(transport, server.url))
    assert b"".join(got) == sse("one", ("named", "two"), "three")


@pytest.mark.parametrize("tls", [False, True])
async def test_a_body_without_framing_ends_with_the_connection(tls: bool) -> None:
    """Only its content can tell whether it is whole: here it ends as one that is."""
    async with serve([response(200, body=None) + b"hel", b"lo", FIN], tls=tls) as server:
        async with no_leaks(), HTTPTransport(ssl_context=tls_contexts()[1]) as transport:
            got = await pieces(await send(transport, server.url))
    assert b"".join(got) == b"hello"


@pytest.mark.parametrize("tls", [False, True])
async def test_a_body_without_framing_that_is_reset_is_lost(tls: bool) -> None:
    """A reset is no end."""
    pause = Pause()
    async with serve([response(200, body=None) + b"hello", pause, RST], tls=tls) as server:
        async with no_leaks(), HTTPTransport(ssl_context=tls_contexts()[1]) as transport:
            answer = await send(transport, server.url)
            pause.release()
            body, error = await failure(answer)
    assert (body, type(error), error.phase) == (b"hello", ConnectionLost, "stream")
    assert error.__cause__ is not None


@pytest.mark.parametrize("tls", [False, True])
@pytest.mark.parametrize("end", [FIN, CLOSE])
@pytest.mark.parametrize(
    "start", [chunked(b"hello", last=False), response(200, {"Content-Length": "50"}, None) + b"hello"]
)
async def test_an_end_inside_the_body_is_a_lost_connection(start: bytes, end: object, tls: bool) -> None:
    """What came before it is delivered first."""
    async with serve([start, end], tls=tls) as server:  # type: ignore[list-item]  # one of the server's constants
        async with no_leaks(), HTTPTransport(ssl_context=tls_contexts()[1]) as transport:
            body, error = await failure(await send(transport, server.url))
    assert (body, type(error), error.phase) == (b"hello", ConnectionLost, "stream")
    assert error.retryable


@pytest.mark.parametrize("tls", [False, True])
@pytest.mark.parametrize("start", [b"", b"HTTP/1.1 200 OK\r\nX-A"])
@pytest.mark.parametrize("end", [FIN, RST, CLOSE])
async def test_an_end_before_the_body_is_a_lost_connection(start: bytes, end: object, tls: bool) -> None:
    """On a new connection nothing is sent a second time."""
    async with serve([start, end], tls=tls) as server:  # type: ignore[list-item]  # one of the server's constants
        async with no_leaks(), HTTPTransport(ssl_context=tls_contexts()[1]) as transport:
            with pytest.raises(ConnectionLost) as caught:
                await send(transport, server.url)
    assert caught.value.phase == "headers"
    assert len(server.requests) == 1


@pytest.mark.parametrize("end", [FIN, RST])
@pytest.mark.parametrize("whole", CUTS)
async def test_a_response_cut_at_every_byte(whole: bytes, end: object, autojump_clock: MockClock) -> None:
    """In memory: an exact prefix of the body comes out, then the error of the place; or all of it."""
    head_end = whole.rindex(b"\r\n\r\n", 0, whole.index(b"llo")) + 4
    for cut in range(len(whole) + 1):
        async with memory_network([whole[:cut], end]) as network:  # type: ignore[list-item]  # one of the server's constants
            async with no_leaks(), HTTPTransport(connect=network.connect) as transport:
                if cut < head_end:
                    with pytest.raises(ConnectionLost) as caught:
                        await send(transport, network.url)
                    assert caught.value.phase == "headers"
                    continue
                answer = await send(transport, network.url)
                if cut == len(whole):
                    assert b"".join(await pieces(answer)) == b"hello"
                    continue
                body, error = await failure(answer)
                assert b"hello".startswith(body)
                assert (type(error), error.phase) == (ConnectionLost, "stream")
                await network.wait_connections_closed()


@pytest.mark.parametrize(
    "garbage",
    [
        b"<html>no</html>",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\nx",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\nx",
        b"HTTP/1.1 200 OK\r\n" + b"X: %b\r\n" % (b"y" * 1000) * 200 + b"\r\n",
    ],
)
async def test_a_response_that_is_not_http_is_a_violation(garbage: bytes) -> None:
    """The connection is closed at once, though the server keeps it open."""
    async with serve([garbage, KEEP_OPEN]) as server:
        async with no_leaks(), HTTPTransport() as transport:
            with pytest.raises(ProtocolViolation) as caught:
                await send(transport, server.url)
            await server.wait_connections_closed()
    assert caught.value.phase == "headers"


async def test_a_bad_chunk_comes_after_the_good_ones() -> None:
    """Even when one read brings both."""
    async with serve([chunked(b"good", last=False) + b"zz\r\n", KEEP_OPEN]) as server:
        async with no_leaks(), HTTPTransport() as transport:
            body, error = await failure(await send(transport, server.url))
            await server.wait_connections_closed()
    assert (body, type(error), error.phase) == (b"good", ProtocolViolation, "stream")


@pytest.mark.parametrize("status", [204, 304])
async def test_a_status_without_a_body(status: int) -> None:
    """Nothing follows its head, and its connection is used again."""
    async with serve([response(status, body=None)]) as server, HTTPTransport() as transport:
        for _ in range(2):
            assert await pieces(await send(transport, server.url)) == []
    assert len(server.connections) == 1


async def test_a_response_to_head_has_no_body() -> None:
    """Whatever length its headers give."""
    async with serve([response(200, {"Content-Length": "99"}, None)]) as server:
        async with no_leaks(), HTTPTransport() as transport:
            answer = await send(transport, server.url, b"", "HEAD")
            assert await pieces(answer) == []
    assert answer.headers["content-length"] == "99"


async def test_redirects_and_codings_are_passed_on_as_they_are() -> None:
    """The transport follows nothing and decodes nothing."""
    headers = {"Location": "http://elsewhere.test/", "Content-Encoding": "gzip"}
    async with serve([response(307, headers, b"not gzip")]) as server, HTTPTransport() as transport:
        answer = await send(transport, server.url)
        assert (answer.status_code, await pieces(answer)) == (307, [b"not gzip"])
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    "location",
    ["http://[::1", "https://a:b@c:port/", "http://xn--\x80", "//xn--a/", "mailto:a", "http:a", ":x://y:]"],
)
@pytest.mark.parametrize("status", [300, 302, 307])
async def test_a_redirect_to_an_unreadable_place_has_no_location(status: int, location: str) -> None:
    """The client above could not read it either, and would raise its own error."""
    async with serve([response(status, {"Location": location, "X-A": "1"}, b"moved")]) as server:
        for follow in (False, True):
            async with no_leaks(), httpx.AsyncClient(transport=HTTPTransport()) as client:
                answer = await client.get(server.url, follow_redirects=follow)
                assert (answer.status_code, answer.content) == (status, b"moved")
                assert answer.headers["x-a"] == "1"
                assert "location" not in answer.headers


@pytest.mark.parametrize(
    "location", ["/b?c", "b", "//b.test/c", "https://b\u00fccher.test/", "?", "http://[::1]:80"]
)
async def test_a_redirect_keeps_its_location(location: str) -> None:
    """Absolute or relative, as it came."""
    async with serve([response(307, {"Location": location})]) as server:
        async with no_leaks(), httpx.AsyncClient(transport=HTTPTransport()) as client:
            answer = await client.get(server.url)
            assert answer.headers["location"] == location
            assert answer.next_request is not None


async def refuse_early(stream: trio.abc.Stream, request: Request | None) -> None:
    """Answer 413 with the request half read, and hang up, which resets what is still coming."""
    await stream.send_all(response(413, {"Connection": "close"}, b"too large"))


async def test_an_early_refusal_is_read_though_the_request_could_not_be_sent() -> None:
    """The answer to a request that is too large comes before the connection breaks, and is what the caller gets."""
    async with serve([HEAD_ONLY, refuse_early, CLOSE]) as server:
        async with no_leaks(), HTTPTransport() as transport:
            answer = await send(transport, server.url, bytes(30_000_000))
            assert answer.status_code == 413
            assert await anext(aiter(answer.stream)) == b"too large"  # type: ignore[arg-type]  # httpx: sync or async
            await answer.aclose()
    assert len(server.requests) == 1


@pytest.mark.parametrize("tls", [False, True])
async def test_a_reset_while_sending_is_a_lost_connection(tls: bool) -> None:
    """Its phase says that the request was not sent whole."""
    async with serve([HEAD_ONLY, RST], tls=tls) as server:
        async with no_leaks(), HTTPTransport(ssl_context=tls_contexts()[1]) as transport:
            with pytest.raises(ConnectionLost) as caught:
                await send(transport, server.url, bytes(30_000_000))
    assert caught.value.phase == "send"
    assert caught.value.__cause__ is not None


async def test_garbage_while_sending_is_a_violation() -> None:
    """What the server said counts more than that it hung up."""
    async with serve([HEAD_ONLY, b"<html>", CLOSE]) as server:
        async with no_leaks(), HTTPTransport() as transport:
            with pytest.raises(ProtocolViolation):
                await send(transport, server.url, bytes(30_000_000))


async def test_a_server_that_does_not_read_holds_the_request_until_cancelled() -> None:
    """Cancelling works while sending, and closes the connection."""
    pause = Pause()
    async with serve([UNREAD, pause, KEEP_OPEN]) as server:
        async with no_leaks(), HTTPTransport() as transport:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(send, transport, server.url, bytes(30_000_000))
                await wait_all_tasks_blocked(0.01)
                assert server.connections[0].received == 0
                nursery.cancel_scope.cancel()
            pause.release()


@pytest.mark.parametrize("tls", [False, True])
async def test_a_consumer_that_pauses_stops_the_server(tls: bool) -> None:
    """Nothing is read ahead: what the server sends is bounded by the sockets' buffers."""
    async with serve([HEAD, Flood(chunk(bytes(16384)))], tls=tls) as server:
        async with no_leaks(), HTTPTransport(ssl_context=tls_contexts()[1]) as transport:
            answer = await send(transport, server.url)
            await wait_all_tasks_blocked(0.01)
            assert 0 < server.connections[0].sent < 16_000_000
            await answer.aclose()
            await server.wait_connections_closed()


async def test_closing_is_idempotent_and_final() -> None:
    """After it the body is not silently whole."""
    async with serve([chunked(b"one", last=False), KEEP_OPEN]) as server:
        async with no_leaks(), HTTPTransport() as transport:
            answer = await send(transport, server.url)
            await answer.stream.aclose()  # type: ignore[union-attr]  # httpx: sync or async
            await answer.stream.aclose()  # type: ignore[union-attr]  # httpx: sync or async
            body, error = await failure(answer)
            assert (body, type(error)) == (b"", ConnectionLost)
            await server.wait_connections_closed()


async def test_a_control_character_is_refused_before_anything_is_sent() -> None:
    """The error and its traceback, locals included, show nothing of the key."""
    async with serve([response()]) as server, HTTPTransport() as transport:
        request = httpx.Request("GET", server.url, headers={"x-api-key": "canary-41b7\n"})
        with pytest.raises(ConfigError) as caught:
            await transport.handle_async_request(request)
    assert "x-api-key" in str(caught.value)
    report = "".join(traceback.TracebackException.from_exception(caught.value, capture_locals=True).format())
    assert "canary-41b7" not in report
    assert server.connections == []


@pytest.mark.parametrize("script", [[RST], [HEAD_ONLY, RST], [b"<html>"], [b"HTTP/1.1 200 OK\r\n", FIN]])
async def test_no_failure_shows_a_key(script: Script) -> None:
    """A key that was sent is in no error, nor in the locals of its traceback within the library and trio."""
    async with serve(script) as server, HTTPTransport() as transport:
        request = httpx.Request(
            "POST", server.url, headers={"x-api-key": "canary-41b7"}, content=bytes(5_000_000)
        )
        with pytest.raises(TransportError) as caught:
            await transport.handle_async_request(request)
    report = "".join(traceback.TracebackException.from_exception(caught.value, capture_locals=True).format())
    assert "canary-41b7" not in report


@pytest.mark.parametrize("url", ["ftp://a.test/", "/path", "http:///path", "ws://a.test"])
async def test_a_url_that_leads_nowhere_is_refused(url: str) -> None:
    """Only absolute http and https URLs lead to a server."""
    async with HTTPTransport() as transport:
        with pytest.raises(ConfigError, match="absolute http or https"):
            await transport.handle_async_request(httpx.Request("GET", url))


@pytest.mark.parametrize("port", [0, 65536, 10**9, -1])
async def test_a_port_that_does_not_exist_is_refused(port: int) -> None:
    """Port 0 does not stand for the scheme's own."""
    async with memory_network([response()]) as network, HTTPTransport(connect=network.connect) as transport:
        with pytest.raises(ConfigError, match=f"port {port} "):
            await transport.handle_async_request(httpx.Request("GET", f"http://a.test:{port}/"))
    assert network.hosts == []


async def test_two_readers_of_one_body_do_not_mix() -> None:
    """The second is refused, and the response is given up: neither gets part of the bytes."""
    async with serve([chunked(b"one", last=False), KEEP_OPEN]) as server:
        async with no_leaks(), HTTPTransport() as transport:
            answer = await send(transport, server.url)
            assert isinstance(answer.stream, httpx.AsyncByteStream)
            stream = aiter(answer.stream)
            assert await anext(stream) == b"one"
            outcomes: list[type[BaseException]] = []

            async def read() -> None:
                try:
                    await anext(stream)
                except (TransportError, trio.BusyResourceError) as exc:
                    outcomes.append(type(exc))

            async with trio.open_nursery() as nursery:
                nursery.start_soon(read)
                nursery.start_soon(read)
    assert sorted(each.__name__ for each in outcomes) == ["BusyResourceError", "ConnectionLost"]


async def test_many_requests_at_once() -> None:
    """Each task gets its own response."""

    async def echo(stream: trio.abc.Stream, request: Request | None) -> None:
        assert request is not None
        await stream.send_all(response(200, body=request.body))

    async with serve([echo]) as server:
        async with no_leaks(), HTTPTransport() as transport:

            async def ask(number: int) -> None:
                body = b"%d" % number
                assert await pieces(await send(transport, server.url, body)) == [body]

            async with trio.open_nursery() as nursery:
                for number in range(100):
                    nursery.start_soon(ask, number)
    assert len(server.requests) == 100


async def test_a_body_that_only_a_thread_could_read_is_refused() -> None:
    """A plain iterator could block the event loop."""
    async with HTTPTransport() as transport:
        with pytest.raises(ConfigError, match="async iterator"):
            await transport.handle_async_request(httpx.Request("POST", "http://a.test", content=iter([b"x"])))
