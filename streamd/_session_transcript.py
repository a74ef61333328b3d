"""What a session added to the conversation."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable

from streamd.providers import Message, Stop, ToolResult

from ._edge import ConsumerEdge
from ._response import Response
from ._session_plan import Plan
from ._session_state import SessionState

__all__ = ["OnMessage", "Transcript", "awaited"]

OnMessage = Callable[[Message], Awaitable[None] | None]


class Transcript:
    """The messages of a session, and how many of them were given to a callback."""

    __slots__ = ("_edge", "_given", "_plan", "_state")

    def __init__(self, plan: Plan, state: SessionState, edge: ConsumerEdge) -> None:
        self._plan = plan
        self._state = state
        self._edge = edge
        self._given = 0

    async def give(self, on_message: OnMessage | None, *, over: bool = False) -> None:
        """Give the callback each message no callback was given, once its last chunk was read or the session is over."""
        if on_message is None:
            return
        messages = self.all if over else self._state.messages
        end = len(messages) if over else self._read()
        while self._given < end:
            # Counted before, as another task may be here while this one waits.
            message = messages[self._given]
            self._given += 1
            await awaited(on_message(message))

    def _read(self) -> int:
        """How many messages are complete, but for those whose last chunk is still queued."""
        messages = self._state.messages
        end = len(messages)
        coming = sum(isinstance(chunk, Stop | ToolResult) for chunk in self._edge.queued)
        while coming and end:
            end -= 1
            coming -= messages[end].role != "user"  # what asks for an answer again has no chunk
        return end

    @property
    def all(self) -> tuple[Message, ...]:
        """What the session added to the conversation; where it was cancelled, as far as it came."""
        state = self._state
        cut = state.snapshot
        turns = (*state.messages, *((cut,) if state.turn_open and cut.content else ()))
        if state.status == "cancelled" and self._plan.auto_tools and turns:
            # A call without a result could not be sent back.
            results = self._plan.toolbox.results(turns[-1].tool_calls)
            turns += tuple(map(Message.tool, results))
        return turns

    def response(self) -> Response:
        """The answer, as far as it came."""
        state = self._state
        turns = self.all
        last = next((turn for turn in reversed(turns) if turn.role == "assistant"), Message("assistant", ()))
        return Response(
            message=last,
            messages=(*state.prompt, *turns),
            usage=state.usage_so_far,
            stop_reason=state.stop_reason,
            output=state.output,
            provider_state=state.provider_state,
            voided_usage=state.voided_usage,
        )


async def awaited(result: Awaitable[None] | None) -> None:
    """Await what an async callback returned; a plain one has returned nothing."""
    if inspect.isawaitable(result):
        await result
