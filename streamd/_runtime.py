"""The runtime: many sessions under one supervisor, with one connection store, one admission and one retry budget."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager, suppress
from typing import Any, final, get_args

import httpx
import trio
from msgspec import Struct

from streamd.supervisors import DynamicSupervisor, Observer, Tree, open_dynamic_supervisor, snapshot

from ._arguments import check_client, is_whole
from ._http import HTTPClient
from ._http_transport import HTTPTransport
from ._opening import prepare
from ._response import Response
from ._retry_budget import RetryBudget
from ._runtime_sessions import OnFull, Sessions
from ._session import Session
from ._signature import method_takes_arguments_of
from ._turn import Status
from .errors import ConfigError

__all__ = ["Runtime", "RuntimeStatistics", "open_runtime"]


class RuntimeStatistics(Struct, frozen=True, kw_only=True):
    """A runtime's counters at one moment.

    `living` sessions are open and `waiting` ones wait to be admitted; `opened` counts all that were started, and
    `ended` those of them that are over, by how they ended. `connections_used` and `connections_idle` are those of the
    shared store, None where it is a client that was given. `retries_left` tells how many retries the budget allows
    now, by provider; one that was never asked is not there, and none is where there is no budget.
    """

    living: int
    waiting: int
    opened: int
    ended: Mapping[Status, int]
    connections_used: int | None
    connections_idle: int | None
    retries_left: Mapping[str, int]


@final
class Runtime:
    """Sessions that share what can be shared, and nothing of each other's failures. Made by `streamd.open_runtime`."""

    def __init__(
        self, sessions: Sessions, supervisor: DynamicSupervisor, transport: HTTPTransport | None
    ) -> None:
        self._sessions = sessions
        self._supervisor = supervisor
        self._transport = transport

    @method_takes_arguments_of(prepare)
    @asynccontextmanager
    async def open_session(self, *args: Any, **options: Any) -> AsyncGenerator[Session, None]:
        """Open a session in the runtime: `streamd.open_session`, with the same arguments and the same promises.

        It is admitted first, in the order of the calls, and has its place until its block is left or it is cancelled.
        Without a `client` of its own it sends with the runtime's. Should the runtime's block be left before this one,
        the session is cancelled when the runtime's deadline has passed: what it had received can still be read.

        A session that a tool opens has a place of its own: where every place is held by a session that waits for such
        a tool, none is ever free.

        Raises:
            TooManySessions: There is no place, and the runtime refuses.
            SessionExists: A session of this `id` lives in the runtime.
            RuntimeClosed: The runtime's block has been left, or is being left.
            ConfigError: The model, the prompt or an option cannot be used; nothing was sent.
            ToolError: A tool cannot be offered as it is.

        Cancelling the wait for a place gives the turn to the next.
        """
        try:
            opening = prepare(*args, **options)
        finally:
            # They may hold a key, and a traceback through this frame can show them.
            del args, options
        session, ref = await self._sessions.open(opening)
        try:
            yield session
        except Exception:
            with suppress(trio.Cancelled):  # it has hurried the end, and the block's error goes first
                await self._sessions.end(session, ref)
            raise
        finally:
            await self._sessions.end(session, ref)

    @method_takes_arguments_of(prepare)
    async def stream(self, *args: Any, **options: Any) -> Response:
        """Ask a model in the runtime, and return its whole answer: its `open_session`, read to its end.

        It raises what `open_session` and reading that session raise. Cancelling ends the session.
        """
        block = self.open_session(*args, **options)
        # They may hold a key, and a traceback through this frame can show them.
        del args, options
        async with block as session:
            return await session.response()

    def sessions(self) -> dict[str, Session]:
        """The sessions that are open now, by id, in the order they were admitted; a copy, made at each call."""
        return self._sessions.living()

    def get(self, id: str) -> Session | None:  # noqa: A002 - as `Session.id`
        """The open session of an id, or None if there is none now.

        Any task may read it or cancel it; its connection and its tasks end with the block that opened it.
        """
        return self._sessions.find(id)

    def statistics(self) -> RuntimeStatistics:
        """The runtime's counters at this moment."""
        sessions, transport = self._sessions, self._transport
        return RuntimeStatistics(
            living=sessions.opened - sessions.ended.total(),
            waiting=self._supervisor.waiting,
            opened=sessions.opened,
            ended=dict(sessions.ended),
            connections_used=None if transport is None else transport.connections_used,
            connections_idle=None if transport is None else transport.connections_idle,
            retries_left={provider: tokens.left for provider, tokens in sessions.tokens.items()},
        )

    def tree(self) -> Tree:
        """The task tree of all sessions at this moment: see `Session.tree`."""
        return snapshot(self._supervisor)


@asynccontextmanager
@trio.lowlevel.enable_ki_protection
async def open_runtime(
    *,
    max_sessions: int | None = None,
    on_full: OnFull = "wait",
    connections: int | HTTPClient = 32,
    drain: float = 30.0,
    retry_budget: RetryBudget | None = RetryBudget(),
    observer: Observer | None = None,
) -> AsyncGenerator[Runtime, None]:
    """Hold many sessions: `async with open_runtime(...) as runtime`.

    Each session is a child of its own under a `DynamicSupervisor`: however it ends, the others do not hear of it, and
    nothing of it leaves this block; its error is raised where it is read. They share one connection store, one
    admission, one registry of ids and one retry budget.

    Leaving the block opens no more sessions and waits for those that other tasks still hold open, at most `drain`
    seconds; then it cancels the rest, and awaits every task of theirs. When an exception or a cancellation leaves the
    block, they are cancelled at once. The connections are closed last.

    Args:
        max_sessions: How many sessions may live at once; None for no bound.
        on_full: Whether one more waits for a place, first come, first served (`"wait"`), or raises `TooManySessions`
            (`"refuse"`).
        connections: How many idle connections are kept for each origin (scheme, host and port); 0 keeps none. Those in
            use are not bounded. Or the client that all sessions send with, which is not closed.
        drain: How many seconds leaving the block waits for living sessions; 0 cancels them at once, `math.inf` waits
            until the last has ended.
        retry_budget: What bounds the retries of all sessions together; None bounds them by each one's `retry` alone.
        observer: Called with every event of the supervisor over the sessions.

    Raises:
        ConfigError: An argument cannot be used.
        KeyboardInterrupt, SystemExit: A tool raised it; all sessions are cancelled. An exception of the
            block leaves it as it is.
    """
    _check(max_sessions, on_full, connections, drain, retry_budget, observer)
    async with (
        _store(connections) as (client, transport),
        open_dynamic_supervisor(max_children=max_sessions, name="runtime", observer=observer) as supervisor,
    ):
        sessions = Sessions(supervisor, client, retry_budget, on_full)
        yield Runtime(sessions, supervisor, transport)
        sessions.close()
        with trio.move_on_after(drain):
            await sessions.drained()


@asynccontextmanager
async def _store(
    connections: int | HTTPClient,
) -> AsyncGenerator[tuple[HTTPClient, HTTPTransport | None], None]:
    """Who sends for all sessions: a client of our own with its transport, closed on exit, or the one given."""
    if not isinstance(connections, int):
        yield connections, None
        return
    transport = HTTPTransport(max_idle=connections)
    async with httpx.AsyncClient(transport=transport, trust_env=False) as client:
        yield client, transport


def _check(
    max_sessions: object,
    on_full: object,
    connections: object,
    drain: object,
    retry_budget: object,
    observer: object,
) -> None:
    if not trio.lowlevel.in_trio_task():
        raise ConfigError("a runtime runs in a trio task: call trio.run(your_main_function)")
    if max_sessions is not None and not is_whole(max_sessions, 1):
        raise ConfigError(f"max_sessions must be a whole number of at least 1, or None, not {max_sessions!r}")
    if on_full not in get_args(OnFull):
        raise ConfigError(f"on_full must be 'wait' or 'refuse', not {on_full!r}")
    if isinstance(connections, int):
        if not is_whole(connections, 0):
            raise ConfigError(
                f"connections must be a whole number of at least 0, or a client, not {connections!r}"
            )
    else:
        check_client(connections, "connections")
    if not (isinstance(drain, int | float) and drain >= 0):
        raise ConfigError(f"drain must be a number of seconds of at least 0, not {drain!r}")
    if not isinstance(retry_budget, RetryBudget | None):
        raise ConfigError(f"retry_budget must be a streamd.RetryBudget or None, not {retry_budget!r}")
    if observer is not None and not callable(observer):
        raise ConfigError(f"observer must be a function of an event, not {observer!r}")
