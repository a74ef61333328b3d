"""The conversation: the actor that takes a session from its prompt to its answer, round by round."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import trio

from streamd.providers import KeepsState, Message, ToolCall, redact_error
from streamd.supervisors import open_task_supervisor

from ._attempts import Attempts
from ._edge import ConsumerEdge
from ._http import HTTPClient
from ._output import Output
from ._pipeline import crashed
from ._session_plan import Plan
from ._session_state import SessionState
from .errors import OutputError, Stalled, StreamdError

__all__ = ["Conversation"]


class Conversation:
    """Rounds of a request, its answer and the tools the answer calls."""

    __slots__ = ("_attempts", "_edge", "_plan", "_state")

    def __init__(self, plan: Plan, client: HTTPClient, edge: ConsumerEdge, state: SessionState) -> None:
        self._plan = plan
        # It makes the requests here: one that cannot be made is the caller's error before anything runs.
        self._attempts = Attempts(plan, client, edge, state)
        self._edge = edge
        self._state = state

    async def run(self) -> None:
        """Run to the end. However it ends, the consumer is told after the last chunk.

        Cancelling ends it at once; the state keeps what was received.
        """
        try:
            total = self._plan.timeouts.total
            if total is None:
                await self._rounds()
            else:
                with trio.move_on_after(total) as limit:
                    await self._rounds()
                if limit.cancelled_caught:
                    raise Stalled("total", total)
        except Exception as exc:  # noqa: BLE001  (told to the consumer, whatever it is)
            self.finish(crashed(exc))
        else:
            self.finish(None)

    def finish(self, error: StreamdError | None) -> None:
        """Note how the session ended, and tell the consumer; what ended before stays as it ended."""
        if error is not None:
            # Servers repeat keys, in their errors and in what they send for an answer.
            redact_error(error, self._attempts.secrets)
        if self._state.finish("done" if error is None else "error", error):
            self._edge.push(tuple(self._state.turn.held.values()))
            self._edge.end(error)

    async def _rounds(self) -> None:
        plan, state = self._plan, self._state
        while True:
            await self._attempts.turn()
            provider = state.candidate.provider
            if isinstance(provider, KeepsState):
                state.provider_state = dict(provider.state(state.turn.told))
            answer = state.messages[-1]
            calls = answer.tool_calls
            if answer.stop_reason == "pause" and not calls and plan.auto_tools:
                # The provider's own tools take longer than one turn: sent back as it is, the turn goes on.
                if self._rounds_are_over(answer):
                    return
            elif plan.output is not None and len(plan.output.calls(answer)) == len(calls):
                if self._take_output(plan.output, answer):
                    return
            elif not calls or not plan.auto_tools:
                return
            else:
                await self._run_tools(calls)
                if self._rounds_are_over(answer):
                    return
            await self._edge.room()
            self._attempts.ask(state.messages, state.provider_state)

    def _rounds_are_over(self, answer: Message) -> bool:
        """Whether no further request may be made; where an output was asked for, it will then never be given."""
        plan, state = self._plan, self._state
        if state.rounds < plan.max_rounds:
            return False
        state.stop_reason = "max_rounds"
        if plan.output is not None:
            raise plan.output.never_given(answer, plan.max_rounds)
        return True

    async def _run_tools(self, calls: Sequence[ToolCall]) -> None:
        """Run the calls of a round, and say their results, in the calls' order."""
        plan, state = self._plan, self._state
        early = {} if plan.output is None else plan.output.refused_early(calls)
        async with open_task_supervisor(name="tools") as tasks:
            results = await plan.toolbox.run(
                [call for call in calls if call.index not in early],
                tasks,
                messages=(*state.history, *state.messages),
                number=state.rounds,
            )
        others = iter(results)
        given = [early.get(call.index) or next(others) for call in calls]
        if plan.recorder is not None:
            plan.recorder.results(given)
        self._say(map(Message.tool, given))

    def _take_output(self, output: Output, answer: Message) -> bool:
        """Read the output, and say whether it is there; False where it is asked for again."""
        state = self._state
        try:
            state.output = output.read(answer)
        except OutputError as error:
            again = error.retryable and state.asked_again < output.retries
            if not again or state.rounds >= self._plan.max_rounds:
                self._say(map(Message.tool, output.received(answer, error)))
                raise
            state.asked_again += 1
            self._say(output.asked_again(answer, error))
            return False
        self._say(map(Message.tool, output.received(answer)))
        return True

    def _say(self, messages: Iterable[Message]) -> None:
        """Add to the conversation; the consumer is given the results in it."""
        said = tuple(messages)
        self._state.messages.extend(said)
        self._edge.push([result for message in said for result in message.tool_results])
