"""The tree of one session: its conversation under a supervisor, for as long as a block runs."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from streamd.supervisors import ChildSpec, RestartLimit, open_supervisor

from ._conversation import Conversation, Plan
from ._edge import ConsumerEdge
from ._http import HTTPClient
from ._session import Session
from ._state import SessionState

__all__ = ["open_plan"]


@asynccontextmanager
async def open_plan(plan: Plan, client: HTTPClient, high_watermark: int) -> AsyncGenerator[Session, None]:
    """Run a session while the block runs. When it has been left every task is gone, and the recording written.

    Raises:
        ConfigError: The provider cannot make such a request; nothing was sent.
    """
    edge = ConsumerEdge(high_watermark)
    state = SessionState(plan.context.messages)
    conversation = Conversation(plan, client, edge, state)
    try:
        async with open_supervisor(
            ChildSpec(id="conversation", run=conversation.run, restart="transient", shutdown=0),
            restarts=RestartLimit(0),
            name="session",
        ) as supervisor:
            session = Session(plan, state, edge, high_watermark, supervisor)
            try:
                yield session
            finally:
                session.close()
    finally:
        if plan.recorder is not None:
            await plan.recorder.save(
                state.status, stop_reason=state.stop_reason, usage=state.usage_so_far, error=state.error
            )
