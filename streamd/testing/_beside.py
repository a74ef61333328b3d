"""Other sessions in one runtime with the one that is looked at."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import trio

from streamd import RetryBudget, Runtime, Session, StreamdError, Timeouts, open_runtime

from ._consumer import ConsumerLeft
from ._stage import Beside
from ._world import World

__all__ = ["open_beside"]

HELD = 5.0
"""Seconds for which the others hold their places, where one is waited for."""


@asynccontextmanager
async def open_beside(world: World, beside: Beside, options: dict[str, Any]) -> AsyncGenerator[Session, None]:
    """Open a session in a runtime that holds others."""

    def observer(_event: object) -> None:
        if world.stage.hook == "observer":
            raise ConsumerLeft

    world.observed.beside = True
    places = beside.sessions if beside.places else None
    failure: Exception | None = None
    async with trio.open_nursery() as nursery:
        try:
            async with open_runtime(
                max_sessions=places,
                on_full=beside.places or "wait",
                connections=world.client,
                drain=1.0,
                retry_budget=RetryBudget(capacity=0) if beside.spent else RetryBudget(),
                observer=observer,
            ) as runtime:
                for _ in range(beside.sessions):
                    await nursery.start(_other, runtime, world, beside)
                async with runtime.open_session(world.model, world.prompt, **options) as session:
                    yield session
                if not beside.live:
                    nursery.cancel_scope.cancel()
        except Exception as error:  # noqa: BLE001 - raised again below, alone
            failure = error
            nursery.cancel_scope.cancel()
    if failure is not None:
        raise failure


async def _other(
    runtime: Runtime, world: World, beside: Beside, *, task_status: trio.TaskStatus[None]
) -> None:
    """Hold a session of our own, that nobody answers."""
    limits = Timeouts(connect=None, first_chunk=None, idle=None, progress=None)
    client = httpx.AsyncClient(transport=_Nowhere(crash=beside.crash), trust_env=False)
    begun = False
    async with client:
        try:
            async with runtime.open_session(
                world.model, world.prompt, client=client, timeouts=limits, retry=None
            ) as session:
                begun = True
                task_status.started()
                with trio.move_on_after(HELD if beside.places == "wait" else 3600):
                    await session.response()
        except StreamdError:
            pass  # it fails as it should, and that is its own affair
        if not begun:
            task_status.started()  # it has no more a key to send than the application has


class _Nowhere(httpx.AsyncBaseTransport):
    """Answers nothing, or fails with what no transport should raise."""

    def __init__(self, *, crash: bool) -> None:
        self._crash = crash

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if self._crash:
            for _ in range(3):
                await trio.lowlevel.checkpoint()
            raise AssertionError("a bug beside")
        await trio.sleep_forever()
        raise AssertionError("not reached")
