"""The tree of one session: its conversation under a supervisor, for as long as a block runs."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from streamd.supervisors import ChildSpec, RestartLimit, SupervisionError, Supervisor, open_supervisor

from ._conversation import Conversation
from ._edge import ConsumerEdge
from ._http import HTTPClient
from ._pipeline import crashed
from ._session import Session
from ._session_plan import Plan
from ._session_state import SessionState

__all__ = ["Running", "open_plan", "run_plan"]


@dataclass(frozen=True, slots=True)
class Running:
    """A session, and the supervisor of its tree."""

    session: Session
    supervisor: Supervisor


@asynccontextmanager
async def open_plan(plan: Plan, client: HTTPClient, high_watermark: int) -> AsyncGenerator[Session, None]:
    """Run a session while the block runs, and close it. When the block has been left nothing of it is left.

    Raises:
        ConfigError: The provider cannot make such a request; nothing was sent.
    """
    async with run_plan(plan, client, high_watermark) as running:
        try:
            yield running.session
        finally:
            running.session.close()


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
