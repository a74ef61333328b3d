"""The tree of one session: its conversation under a supervisor, for as long as a block runs."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from types import TracebackType

import trio

from streamd.supervisors import ChildSpec, RestartLimit, SupervisionError, Supervisor, open_supervisor

from ._conversation import Conversation
from ._edge import ConsumerEdge
from ._http import HTTPClient
from ._pipeline import crashed
from ._session import Session
from ._session_plan import Plan
from ._session_state import SessionState

__all__ = ["Closing", "Running", "run_plan"]


@dataclass(frozen=True, slots=True)
class Running:
    """A session, and the supervisor of its tree."""

    session: Session
    supervisor: Supervisor


class Closing(AbstractAsyncContextManager[Session]):
    """The block of a session that is run by a block: it is closed first, so that nothing of it is left after.

    Args:
        running: Runs the session.
    """

    __slots__ = ("_running", "_session")

    def __init__(self, running: AbstractAsyncContextManager[Running]) -> None:
        self._running = running
        self._session: Session | None = None

    @trio.lowlevel.enable_ki_protection
    async def __aenter__(self) -> Session:
        session = self._session = (await self._running.__aenter__()).session
        return session

    @trio.lowlevel.enable_ki_protection
    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> bool | None:
        session, self._session = self._session, None
        assert session is not None
        session.close()
        return await self._running.__aexit__(kind, error, traceback)


@asynccontextmanager
async def run_plan(plan: Plan, client: HTTPClient, high_watermark: int) -> AsyncGenerator[Running, None]:
    """Run a session while the block runs. When it has been left every task is gone, and the recording written.

    However the tree ends, the session then has an end too; chunks that were received can still be read.

    Raises:
        ConfigError: The provider cannot make such a request; nothing was sent.
    """
    edge = ConsumerEdge(high_watermark)
    state = SessionState(plan.candidates[0])
    conversation = Conversation(plan, client, edge, state)
    try:
        async with open_supervisor(
            ChildSpec(id="conversation", run=conversation.run, restart="transient", shutdown=0),
            restarts=RestartLimit(0),
            name="session",
        ) as supervisor:
            yield Running(Session(plan, state, edge, high_watermark, supervisor), supervisor)
    except SupervisionError as failed:
        conversation.finish(crashed(failed))
        raise
    finally:
        if state.finish("cancelled"):
            edge.end()
        if plan.recorder is not None:
            await plan.recorder.save(
                state.status, stop_reason=state.stop_reason, usage=state.usage_so_far, error=state.error
            )
