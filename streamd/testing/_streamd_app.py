"""streamd itself as the application that is tested."""

from __future__ import annotations

from typing import Any

import trio

from streamd import Retry, Session, Stop, StreamdError, Text, Timeouts, open_session
from streamd.providers import Reset

from ._world import App, World

__all__ = ["ConsumerLeft", "streamd_app", "streamd_app_with"]


class ConsumerLeft(Exception):
    """What the consumer of a `use.raises` fault raises inside the session's block."""


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
    given: dict[str, Any] = {"client": world.client, "tools": world.tools, **options}
    try:
        async with open_session(world.model, world.prompt, **given) as session:
            world.said("")
            try:
                await _read(world, session)
            finally:
                world.saw("repr(session)", repr(session))
    except StreamdError as error:
        world.failed(error)
    except ConsumerLeft:
        world.finished("cancelled")


async def _read(world: World, session: Session) -> None:
    stage = world.stage
    reason = None
    count = 0
    async for chunk in session:
        match chunk:
            case Text(text):
                world.said(text)
            case Stop():
                reason = chunk.reason
                world.next_turn()
            case Reset():
                world.took_back()
            case _:
                pass
        count += 1
        if stage.pace:
            await trio.sleep(stage.pace)
        if stage.reading != "eager" and count >= stage.reading_from:
            if stage.reading == "stops":
                await trio.sleep_forever()
            if stage.reading == "raises":
                raise ConsumerLeft
            world.finished("cancelled")
            return
    world.finished(session.snapshot.stop_reason or reason)
