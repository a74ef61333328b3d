"""Stream servers with a real model: by `start_http`, and fed by a client that is not ours."""

from typing import Any

import httpx
import pytest
import trio

from streamd import (
    HTTPData,
    HTTPDone,
    HTTPHeaders,
    HTTPStatus,
    LocalServer,
    StreamServer,
    Text,
    open_stream_server,
)
from streamd.providers import Context, Message, Options
from streamd.supervisors import open_task_supervisor
from tests.support.leaks import no_leaks
from tests.support.stream_servers import drain

PROMPT = "Name three colours."


@pytest.fixture(params=["openai-chat", "anthropic-messages"])
def provider(request: pytest.FixtureRequest, local_server: LocalServer) -> Any:
    """The real model's server, by one wire after the other."""
    if request.param == "openai-chat":
        return local_server.provider
    return ("anthropic", {"base_url": local_server.base_url, "api_key": "none"})


async def test_a_real_answer_by_start_http(provider: Any, local_server: LocalServer) -> None:
    """Its text comes in pieces, its metadata counts it, and nothing is left."""
    async with no_leaks():
        async with open_stream_server(provider, local_server.model) as server:
            await server.start_http(PROMPT, max_tokens=30, temperature=0.0)
            texts, error = await drain(server)
            told = await server.await_metadata()
        assert (error, told.status, told.status_code) == (None, "done", 200)
        assert len(texts) > 3
        assert "".join(texts) == server.snapshot.text
        assert told.usage.input_tokens > 0
        assert 0 < told.usage.output_tokens <= 30


async def test_a_real_answer_fed_by_httpx(local_server: LocalServer) -> None:
    """A task of the caller's own streams the response with httpx and feeds it, slowed by a low watermark."""
    context = Context((Message.user(PROMPT),))
    request = local_server.provider.request(
        context, Options(model=local_server.model, max_tokens=30, temperature=0.0)
    )

    async def feed(server: StreamServer) -> None:
        headers = [(name, str(value)) for name, value in request.headers if name.lower() != "authorization"]
        async with (
            httpx.AsyncClient(trust_env=False) as client,
            client.stream(request.method, request.url, headers=headers, content=request.body) as response,
        ):
            await server.http_event(HTTPStatus(response.status_code))
            await server.http_event(HTTPHeaders(response.headers))
            async for data in response.aiter_raw():
                await server.http_event(HTTPData(data))
            await server.http_event(HTTPDone())

    async with (
        open_task_supervisor() as tasks,
        open_stream_server(local_server.provider, local_server.model, high_watermark=2) as server,
    ):
        server.set_fixture_context(request)
        server.attach_http_task(tasks.start_soon(feed, server))
        texts, error = await drain(server)
        assert (error, (await server.await_metadata()).status) == (None, "done")
        assert len(texts) > 3


async def test_a_real_answer_is_left_half_way(provider: Any, local_server: LocalServer) -> None:
    """Cancelling stops it: what had come is there, and the connection is gone when the block is."""
    async with no_leaks():
        async with open_stream_server(provider, local_server.model) as server:
            await server.start_http("Count to a thousand in words.", max_tokens=400)
            with trio.fail_after(60):
                while not isinstance(await server.next(), Text):
                    pass
            server.cancel()
            told = await server.await_metadata()
            assert (told.status, told.stop_reason) == ("cancelled", "cancelled")
        assert server.snapshot.text
