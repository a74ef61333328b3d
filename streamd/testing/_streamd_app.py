"""streamd itself as the application that is tested."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from typing import Any

from msgspec.structs import replace

from streamd import Retry, Session, StreamdError, Timeouts, ToolCall, open_session

from ._beside import open_beside
from ._consumer import ConsumerLeft, read_session
from ._world import App, World

__all__ = ["ConsumerLeft", "streamd_app", "streamd_app_with"]


async def streamd_app(world: World) -> None:
    """Open one session on the world's model with its tools, read it to the end, and report."""
    await _run(world, {})


def streamd_app_with(**options: Any) -> App:
    """The same with options of `streamd.open_session`, such as `retry=None` or `timeouts=streamd.Timeouts(idle=5)`."""

    async def app(world: World) -> None:
        await _run(world, options)

    # What is shown of it reproduces a run; anything that could hold a key is not shown.
    plain = Retry | Timeouts | int | float | None
    shown = (
        f"{name}={value!r}" if isinstance(value, plain) else f"{name}=..." for name, value in options.items()
    )
    app.__qualname__ = f"streamd_app_with({', '.join(shown)})"
    return app


async def _run(world: World, options: dict[str, Any]) -> None:
    retry = options.get("retry", Retry())
    if world.stage.identified and isinstance(retry, Retry):
        options = {**options, "retry": replace(retry, idempotency_header="Idempotency-Key")}
        if "fallback" not in options:
            world.identifies_requests()
    try:
        async with _open(world, options) as session:
            world.ends_with(session.cancel)
            world.said("")
            world.answers_in_order()
            if "fallback" not in options:
                world.asks_again(retry.max_retries if isinstance(retry, Retry) else 0)
            try:
                await read_session(world, session)
            finally:
                world.saw("repr(session)", repr(session))
                world.counted(session.statistics().usage)
    except StreamdError as error:
        world.failed(error)
    except ConsumerLeft:
        world.finished("cancelled")


def _open(world: World, options: dict[str, Any]) -> AbstractAsyncContextManager[Session]:
    stage = world.stage
    given: dict[str, Any] = {"client": world.client, "tools": world.tools}
    if stage.room is not None:
        given["high_watermark"] = stage.room
    if stage.total is not None:
        given["timeouts"] = Timeouts(total=stage.total)
    if stage.hook == "approve":
        given["approve"] = _fail
    if stage.background and world.wire.resuming is not None:
        given["extra_body"] = {"background": True}
    given |= options
    if stage.beside is None:
        return open_session(world.model, world.prompt, **given)
    return open_beside(world, stage.beside, given)


def _fail(_call: ToolCall) -> bool:
    raise ConsumerLeft
