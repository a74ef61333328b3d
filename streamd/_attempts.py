"""The attempts at the turns of a session: made, repeated, read on, or made at another model."""

from __future__ import annotations

import random
import uuid
from collections.abc import Mapping, Sequence
from typing import Any

import trio
from msgspec.structs import replace

from streamd.providers import (
    Decoder,
    HTTPRequest,
    Message,
    Reset,
    Resumable,
    Secret,
    ServerToolCall,
    ToolCall,
)

from ._edge import ConsumerEdge
from ._http import HTTPClient
from ._pipeline import Pipeline
from ._recovery import Failed, next_steps
from ._session_plan import Plan
from ._session_state import SessionState
from ._turn import Turn
from ._turn_outlet import TurnOutlet
from .errors import StreamdError

__all__ = ["Attempts"]


class Attempts:
    """Who is asked, with which request, and what follows on an attempt that failed.

    Raises:
        ConfigError: One of the models cannot be asked for this; nothing was sent.
    """

    __slots__ = ("_at", "_client", "_edge", "_hidden", "_passed", "_plan", "_request", "_state")

    def __init__(self, plan: Plan, client: HTTPClient, edge: ConsumerEdge, state: SessionState) -> None:
        self._plan = plan
        self._client = client
        self._edge = edge
        self._state = state
        self._at = 0
        self._passed: list[str] = []
        # Of all models, so that none turns out to be unable when it is needed; a body is large, and not kept for that.
        self._hidden = [secret for each in plan.candidates[1:] for secret in each.request().hidden]
        self._request = plan.candidates[0].request()

    @property
    def secrets(self) -> list[Secret]:
        """All that was sent, or might have been, and must not show."""
        return [*self._hidden, *self._request.hidden]

    def ask(self, messages: Sequence[Message], provider_state: Mapping[str, Any]) -> None:
        """Make the request of the next round, after these messages were added to the conversation."""
        self._request = self._state.candidate.request(messages, provider_state)

    async def turn(self) -> None:
        """One request and its whole answer, in as many attempts as that may take.

        Raises:
            StreamdError: What the last of them failed with.
        """
        attempt = self._first()
        told: list[StreamdError] = []  # of the attempts at this turn, at this model
        while True:
            await self._make(attempt)
            error = attempt.turn.error
            if error is None:
                tokens = self._state.candidate.tokens
                if tokens is not None and attempt.turn.status == "done":
                    tokens.refill()
                return
            error.attempt = self._state.attempts
            unread: StreamdError | None = None
            if attempt.reads_on and not attempt.answered:
                unread, error = error, told[-1]
                error.add_note(f"Reading on failed: {type(unread).__name__}: {unread}")
            failed = Failed(
                error=error,
                earlier=tuple(told),
                unread=unread,
                delivered=attempt.turn.delivered,
                acted=self._has_acted(attempt.turn),
                alone=self._state.first_chunk_at is None,
                others=self._at + 1 < len(self._plan.candidates),
            )
            at, following = self._at, await self._following(attempt, failed)
            if following is None:
                for note in self._passed:
                    error.add_note(note)
                raise error
            if self._at != at:
                told.clear()
            else:
                told.append(error)
            attempt = following

    async def _make(self, attempt: _Attempt) -> None:
        plan, state, turn = self._plan, self._state, attempt.turn
        if plan.recorder is not None:
            plan.recorder.round = state.rounds + 1
            plan.recorder.candidate = self._at
        state.begin_attempt(turn)
        if attempt.voids is not None:
            state.voided[state.attempts] = attempt.voids
            self._edge.push([Reset(state.attempts)])
        outlet = TurnOutlet(turn, self._edge, state)
        pipeline = Pipeline(
            state.candidate.provider, turn, outlet, plan.timeouts, plan.recorder, attempt.decoder
        )
        request = attempt.request
        # What is read on can be asked for twice.
        if attempt.key and not attempt.reads_on and not _has(request, attempt.key[0]):
            request = replace(request, headers=(*request.headers, attempt.key))
        await pipeline.run(pipeline.producer(request, self._client), name="turn")

    async def _following(self, attempt: _Attempt, failed: Failed) -> _Attempt | None:
        """The attempt that follows on a failed one, once it is time for it; None for none."""
        plan, state = self._plan, self._state
        steps, tokens = next_steps(failed, plan.retry), state.candidate.tokens
        delay = None
        if plan.retry is not None and steps and steps[0] != "another" and (tokens is None or tokens.left):
            delay = plan.retry.delay(failed.cause, state.retries, random.random())
        for step in steps:
            if step == "another":
                return self._another(attempt, failed.error)
            if delay is None:
                continue
            following = self._read_on(attempt) if step == "read_on" else self._again(attempt, failed)
            if following is not None:
                if tokens is not None:
                    tokens.take()
                state.retries += 1
                await trio.sleep(delay)
                if not following.reads_on:
                    state.voided_usage += attempt.turn.usage
                return following
        return None

    def _first(self) -> _Attempt:
        """The first attempt at a turn, at the model that is asked now."""
        decoder = self._state.candidate.provider.decoder()
        name = None if self._plan.retry is None else self._plan.retry.idempotency_header
        # Not uuid4's own source: a run whose random numbers are seeded is to be the same again.
        key = None if name is None else (name, str(uuid.UUID(int=random.getrandbits(128), version=4)))
        return _Attempt(Turn(), self._request, decoder, key=key)

    def _again(self, attempt: _Attempt, failed: Failed) -> _Attempt:
        """The same request, and an answer of its own."""
        return _Attempt(
            Turn(),
            self._request,
            self._state.candidate.provider.decoder(),
            key=attempt.key,
            voids=failed.error if failed.delivered else None,
        )

    def _read_on(self, attempt: _Attempt) -> _Attempt | None:
        """The rest of a response that broke off, where its provider has it."""
        provider = self._state.candidate.provider
        found = provider.resume(attempt.request, attempt.decoder) if isinstance(provider, Resumable) else None
        if found is None:
            return None
        return _Attempt(attempt.turn.continued(), *found, key=attempt.key, reads_on=True)

    def _another(self, attempt: _Attempt, error: StreamdError) -> _Attempt:
        """The next model's first attempt."""
        state = self._state
        asked = state.candidate
        self._passed.append(
            f"{asked.provider.name}:{asked.model} had failed: {type(error).__name__}: {error}"
        )
        state.voided_usage += attempt.turn.usage
        self._at += 1
        state.candidate = self._plan.candidates[self._at]
        state.provider_state = state.candidate.context.provider_state
        self._hidden += self._request.hidden
        # Anew, as a key may be good for some minutes only.
        self._request = state.candidate.request()
        return self._first()

    def _has_acted(self, turn: Turn) -> bool:
        """Whether tools may have run on this turn: the provider's own, or a caller's who was given its calls."""
        kinds = (ServerToolCall,) if self._plan.auto_tools else (ServerToolCall, ToolCall)
        return any(isinstance(part, kinds) for part in turn.snapshot.content)


class _Attempt:
    """One request, and what reads its answer.

    `voids` is the error after which what was delivered of the turn is taken back. `reads_on` says that it goes on with
    a response that broke off. `key` is the field by which a gateway knows the request again.
    """

    __slots__ = ("decoder", "key", "reads_on", "request", "turn", "voids")

    def __init__(
        self,
        turn: Turn,
        request: HTTPRequest,
        decoder: Decoder,
        *,
        key: tuple[str, str] | None = None,
        voids: StreamdError | None = None,
        reads_on: bool = False,
    ) -> None:
        self.turn = turn
        self.request = request
        self.decoder = decoder
        self.key = key
        self.voids = voids
        self.reads_on = reads_on

    @property
    def answered(self) -> bool:
        """Whether the answer's head came, and is no refusal."""
        return self.turn.status_code is not None and 200 <= self.turn.status_code < 300


def _has(request: HTTPRequest, name: str) -> bool:
    return any(each.lower() == name.lower() for each, _ in request.headers)
