"""Playing a recording through the whole runtime, with no network."""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any, final

import httpx

from streamd.providers import (
    FORMATS,
    Context,
    Message,
    Options,
    Provider,
    Service,
    ToolCall,
    ToolResult,
)
from streamd.supervisors import TaskSupervisor

from ._arguments import check_stream, check_tool_calls
from ._fallback import Candidate
from ._output import output_of
from ._prompt import Prompt, messages_of
from ._recording import Asked, Recording, load_recording
from ._replay_playback import UNTIMED, Playback, PlayedRetry
from ._replay_provider import NOWHERE, Replayed
from ._replay_recut import Recut, check_recut
from ._session import Session
from ._session_plan import Plan
from ._session_tree import Closing, run_plan
from ._toolbox import Approve, Toolbox
from ._tools import Tool, tools_by_name
from .errors import ConfigError

__all__ = ["replay"]

PROMPT = "(a recording is replayed)"


@asynccontextmanager
async def replay(
    path: str | os.PathLike[str],
    *,
    speed: float = 1.0,
    recut: Recut = None,
    tools: Sequence[Tool | Callable[..., object]] | None = None,
    tool_timeout: float | None = 30.0,
    approve: Approve | None = None,
    output_type: Any = None,
    retries: int = 0,
    provider: Provider | None = None,
    prompt: Prompt = PROMPT,
    high_watermark: int = 500,
) -> AsyncGenerator[Session, None]:
    """Play a recording: `async with streamd.replay(path) as session`.

    It is a session as `open_session` gives it: the recorded bytes go through the whole runtime, at the boundaries and
    at the pace at which they came, and it ends as the recorded session did: complete, with the same typed error, or
    cancelled. Nothing is sent anywhere, and no key is needed. Retries are played without their waits being drawn
    anew, and no timer runs.

    Args:
        path: The file that `record=` wrote.
        speed: How many times faster than it was; `math.inf` for at once.
        recut: The reads the bodies come in, where not as recorded: so many bytes each, `"whole"`, or a seeded
            `random.Random` for reads of any size. Any cut gives the same chunks.
        tools: What is called where the model calls tools. If None, the recorded results stand in for the tools.
        tool_timeout: How long each call of `tools` may take, in seconds.
        approve: Asked before each call of `tools`.
        output_type: As the recorded session was opened with.
        retries: As the recorded session was opened with.
        provider: Who reads the bodies, for a recording of a provider of your own; the recorded wire's if None.
        prompt: What `response.messages` begins with; the recording holds the conversation only as it was sent.
        high_watermark: As for `open_session`.

    Raises:
        ConfigError: The file cannot be read, is damaged, has a version or a wire that is not known here, or an
            argument cannot be used.
        ToolError: A tool cannot be offered as it is.
    """
    _check_speed(speed)
    check_recut(recut)
    check_stream(high_watermark=high_watermark, timeouts=None)
    check_tool_calls(tool_timeout=tool_timeout, approve=approve)
    if not isinstance(provider, Provider | None):  # pyright: ignore[reportUnnecessaryIsInstance] - untyped callers
        raise ConfigError(f"provider must be a provider's instance or None, not {type(provider).__name__}")
    recording = load_recording(path)
    playback = Playback(recording, speed=speed, recut=recut, cancels=True)
    asked = (
        Asked(provider=recording.provider, wire=recording.wire, model=recording.model),
        *recording.fallbacks,
    )
    context = Context(messages_of(prompt))
    candidates = tuple(
        Candidate(
            provider=Replayed(each.provider, provider or _reader_of(each, path), playback),
            context=context,
            options=Options(each.model),
        )
        for each in asked
    )
    named = tools_by_name(tools or ())
    output = output_of(output_type, retries, named)
    toolbox = _RecordedTools(playback) if tools is None else Toolbox(named, tool_timeout, approve)
    plan = Plan(
        candidates=candidates,
        toolbox=toolbox,
        auto_tools=not _left_to_caller(recording),
        max_rounds=_rounds(recording),
        timeouts=UNTIMED,
        retry=PlayedRetry(playback=playback),
        output=output,
    )
    async with (
        httpx.AsyncClient(transport=playback, trust_env=False) as client,
        Closing(run_plan(plan, client, high_watermark)) as session,
    ):
        playback.on_cancel(session.cancel)
        yield session


def _check_speed(speed: object) -> None:
    if isinstance(speed, bool) or not (isinstance(speed, int | float) and speed > 0):
        raise ConfigError(f"speed is a number above 0, math.inf for at once, not {speed!r}")


def _left_to_caller(recording: Recording) -> bool:
    """Whether the session left the tool calls it ended with to its caller, and ran none itself."""
    outcome = recording.outcome
    return outcome.status == "done" and outcome.stop_reason == "tool_calls"


def _rounds(recording: Recording) -> int:
    """How many rounds were allowed, as far as the recording tells."""
    if recording.outcome.stop_reason == "max_rounds":
        return len(recording.tool_results)
    return len(recording.exchanges) + 1


def _reader_of(asked: Asked, path: str | os.PathLike[str]) -> Provider:
    wire = FORMATS.get(asked.wire or "")
    if wire is None:
        raise ConfigError(
            f"the recording {os.fspath(path)} is of the provider {asked.provider!r}, whose wire "
            f"({asked.wire or 'not named'}) is not known here: give provider="
        )
    return Service(asked.provider, wire, NOWHERE)


@final
class _RecordedTools(Toolbox):
    """The recorded results in the place of the tools."""

    def __init__(self, playback: Playback) -> None:
        super().__init__({}, None, None)
        self._playback = playback

    async def run(
        self, calls: Sequence[ToolCall], tasks: TaskSupervisor, *, messages: Sequence[Message], number: int
    ) -> list[ToolResult]:
        """The results of the round, by the calls' ids; where none were recorded, the session ends as it did."""
        results = self._playback.next_results()
        if results is None:
            await self._playback.finish()
        return [results.get(call.id) or _missing(call) for call in calls]


def _missing(call: ToolCall) -> ToolResult:
    return ToolResult(call.id, call.name, "Error: the recording holds no result of this call", is_error=True)
