"""What is counted: fixed conversations with a server in memory, in virtual time, each as long as is asked."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any

import httpx
import msgspec
import trio

from streamd import HTTPTransport, Session, open_runtime, open_session, tool
from tests.perfguard.wire import Line, Wire

__all__ = ["MANY", "SCENES", "Scene"]

Settled = Callable[[], None]
"""Called once in a scene, when all is as it is to be: what is kept is counted then."""

MODEL = ("openai-compatible", {"base_url": "http://perfguard.test/v1", "api_key": "sk-none"}), "tiny-1"
MANY = 50


@dataclass(frozen=True, slots=True)
class Scene:
    """A conversation of some length.

    Args:
        unit: What there is more of in a longer one.
        says: What it is.
        size: How long the shorter of two runs is; the other is twice as long.
        play: Plays it.
        units: How many units one more of `size` makes.
    """

    unit: str
    says: str
    size: int
    play: Callable[[int, Settled], Awaitable[None]]
    units: int = 1


def framed(*events: bytes) -> bytes:
    """Each event as one chunk of a body."""
    return b"".join(b"%x\r\n%b\r\n" % (len(event), event) for event in events)


def event(finish: str | None = None, **delta: Any) -> bytes:
    """One event of chat completions, as servers send them: about 330 bytes."""
    fields = {
        "id": "chatcmpl-perfguard000000000000000000",
        "object": "chat.completion.chunk",
        "created": 1700000000,
        "model": "tiny-1-2023-11-14",
        "service_tier": "default",
        "system_fingerprint": "fp_0123456789",
        "choices": [{"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}],
        "usage": None,
        "obfuscation": "Xk2vQ9sLd0PzRtYw",
    }
    return b"data: " + msgspec.json.encode(fields) + b"\n\n"


HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
ROLE = framed(event(role="assistant", content=""))
WORD = framed(event(content=" water"))
USED = (
    b'data: {"id":"c","choices":[],"usage":{"prompt_tokens":9,"completion_tokens":9,"total_tokens":18}}\n\n'
)
END = framed(event("stop"), USED, b"data: [DONE]\n\n") + b"0\r\n\r\n"
CALL = event(
    tool_calls=[
        {
            "index": 0,
            "id": "call_1",
            "type": "function",
            "function": {"name": "depth", "arguments": '{"at":"b"}'},
        }
    ]
)
CALLED = framed(CALL, event("tool_calls"), USED, b"data: [DONE]\n\n") + b"0\r\n\r\n"


@cache
def one_by_one(n: int) -> list[bytes]:
    """The reads of a reply of so many chunks, each in one of its own; kept, so that they are not counted."""
    return [HEAD, ROLE, *[WORD] * n, END]


@cache
def at_once(n: int) -> list[bytes]:
    """The same in one read."""
    return [HEAD, ROLE + WORD * n + END]


@tool
async def depth(at: str) -> int:
    """How deep the river is.

    Args:
        at: Where.
    """
    return 3


@asynccontextmanager
async def server(*replies: list[bytes]) -> AsyncGenerator[httpx.AsyncClient]:
    """A client that reaches nothing but a server with these replies."""
    line = Line(*replies)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(line.pace)
        async with httpx.AsyncClient(
            transport=HTTPTransport(connect=line.connect), trust_env=False
        ) as client:
            yield client
        nursery.cancel_scope.cancel()


async def read(session: Session) -> None:
    """Read it to its end."""
    async for _ in session:
        pass


async def paced(n: int, settled: Settled) -> None:
    """One session; each chunk comes alone, and is read before the next comes."""
    async with server(one_by_one(n)) as client:
        async with open_session(MODEL, "Hi", client=client) as session:
            await read(session)
            settled()


async def burst(n: int, settled: Settled) -> None:
    """One session; all chunks come in one read."""
    async with server(at_once(n)) as client:
        async with open_session(MODEL, "Hi", client=client) as session:
            await read(session)
            settled()


async def crowd(n: int, settled: Settled) -> None:
    """Many sessions at once, each as the paced one."""
    async with server(one_by_one(n)) as client, open_runtime(connections=client) as runtime:
        async with AsyncExitStack() as stack, trio.open_nursery() as nursery:
            for _ in range(MANY):
                session = await stack.enter_async_context(runtime.open_session(MODEL, "Hi"))
                nursery.start_soon(read, session)
        settled()


async def unread(n: int, settled: Settled) -> None:
    """One session, of which nothing is read until all is in its queue."""
    async with server(one_by_one(n)) as client:
        async with open_session(MODEL, "Hi", client=client, high_watermark=10 * n) as session:
            await session.metadata()
            settled()
            await read(session)


async def tools(n: int, settled: Settled) -> None:
    """One session of so many rounds of a tool, and an answer."""
    replies = [[HEAD, CALLED]] * n + [at_once(1)]
    async with server(*replies) as client:
        async with open_session(MODEL, "Hi", client=client, tools=[depth], max_rounds=n + 1) as session:
            await read(session)
            settled()


async def turns(n: int, settled: Settled) -> None:
    """Sessions one after the other: opened, read, closed."""
    async with server(at_once(1)) as client:
        for _ in range(n):
            async with open_session(MODEL, "Hi", client=client) as session:
                await read(session)
        settled()


async def held(n: int, settled: Settled) -> None:
    """Sessions that are open at once, each with one chunk read and more to come, in a runtime."""
    async with server([HEAD, ROLE + WORD]) as client, open_runtime(connections=client) as runtime:
        async with AsyncExitStack() as stack:
            for _ in range(n):
                session = await stack.enter_async_context(runtime.open_session(MODEL, "Hi"))
                await session.receive()
            await trio.sleep(1)
            settled()


async def take(line: Line) -> None:
    """Read one reply without streamd."""
    wire: Wire = await line.connect("", 0)
    await wire.send_all(b"")
    while not (await wire.receive_some()).endswith(END):
        pass


async def bare(n: int, settled: Settled) -> None:
    """The same reads as the paced session's from the connection itself, without streamd: the floor."""
    await bare_crowd(n, settled, many=1)


async def bare_crowd(n: int, settled: Settled, *, many: int = MANY) -> None:
    """The floor of many sessions at once."""
    line = Line(one_by_one(n))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(line.pace)
        async with trio.open_nursery() as readers:
            for _ in range(many):
                readers.start_soon(take, line)
        settled()
        nursery.cancel_scope.cancel()


SCENES = {
    "bare": Scene("chunk", "paced reads without streamd", 100, bare),
    "paced": Scene("chunk", "one session, a chunk per read", 100, paced),
    "bare-50": Scene("chunk", f"{MANY} paced connections without streamd", 10, bare_crowd, MANY),
    "paced-50": Scene("chunk", f"{MANY} sessions at once, a chunk per read", 10, crowd, MANY),
    "burst": Scene("chunk", "one session, all chunks in one read", 100, burst),
    "unread": Scene("chunk", "one session, nothing read before the end", 100, unread),
    "tools": Scene("round", "one session, rounds of a tool", 4, tools),
    "turns": Scene("session", "sessions opened, read and closed in turn", 5, turns),
    "held": Scene("session", "sessions open at once in a runtime", 20, held),
}
"""By name."""
