"""Opening a session: everything is checked, then the tree is started around the caller's block."""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator, Callable, Coroutine, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, ParamSpec, TypeVar

from msgspec.structs import replace

from streamd.providers import Context, ModelSpec, Secret

from ._ambient import staged
from ._arguments import check_runtime, conceal, conceal_headers, options_of
from ._conversation import Plan
from ._http import HTTPClient, open_client
from ._model import serving
from ._output import output_of
from ._plan import open_plan
from ._prompt import Prompt, messages_of
from ._recorder import Recorder
from ._response import Response
from ._retry import Retry
from ._session import Session
from ._timers import Timeouts
from ._toolbox import Approve, Toolbox
from ._tools import Tool, tools_by_name

__all__ = ["open_session", "stream"]

OpenArgs = ParamSpec("OpenArgs")
T = TypeVar("T")


@asynccontextmanager
async def open_session(
    model: ModelSpec,
    prompt: Prompt,
    *,
    system: str | None = None,
    tools: Sequence[Tool | Callable[..., object]] = (),
    tool_choice: str | None = None,
    output_type: Any = None,
    retries: int = 0,
    max_tokens: int | None = None,
    temperature: float | None = None,
    top_p: float | None = None,
    stop: str | Sequence[str] = (),
    auto_tools: bool = True,
    max_rounds: int = 10,
    tool_timeout: float | None = 30.0,
    approve: Approve | None = None,
    provider_state: Mapping[str, Any] | None = None,
    high_watermark: int = 500,
    timeouts: Timeouts | None = None,
    retry: Retry | None = Retry(),
    client: HTTPClient | None = None,
    record: str | os.PathLike[str] | None = None,
    extra_headers: Mapping[str, str | Secret] | None = None,
    extra_body: Mapping[str, Any] | None = None,
) -> AsyncGenerator[Session, None]:
    """Ask a model, and stream its answer: `async with open_session(...) as session`.

    The request is checked before the block is entered and sent while it runs. When the block is left, by its end, by
    an exception of its own or by cancellation, every task of the session is cancelled and awaited, and its connection
    closed: nothing outlives it. Exceptions of the block leave it as they are; errors of the session are raised where
    it is read.

    Args:
        model: `"provider:model"`, such as `"anthropic:claude-sonnet-4-6"`; `(provider, model)` with a provider's name,
            instance, `(name, options)` or mapping; `"local"` for the built-in model.
        prompt: A text, a message, or a conversation whose last message is to be answered.
        system: The instruction over the conversation.
        tools: What the model may call; plain functions are made tools.
        tool_choice: `"auto"`, `"none"`, `"required"` or a tool's name; the provider's default if None.
        output_type: What the answer is to be, any type that msgspec describes: the response's `output` is a value of
            it. A text if None.
        retries: How often an answer that is no such value is asked for again, each time in a round of its own.
        max_tokens: The most tokens a turn may have; the provider's default if None.
        temperature: The provider's own scale.
        top_p: The provider's own scale.
        stop: Texts at which the model stops.
        auto_tools: Whether tool calls are run, and their results sent back for another round.
        max_rounds: How many requests may be made; no further one is opened.
        tool_timeout: How long each tool call may take, in seconds; a longer one becomes an error the model sees.
        approve: Asked before each tool call is run.
        provider_state: What the provider keeps of the conversation on its side, as an earlier response's
            `provider_state` says; a provider that keeps nothing makes nothing of it.
        high_watermark: How many chunks may be decoded and unread before reading the network pauses. What one network
            read held may come on top.
        timeouts: The session's timers; `Timeouts()` if None.
        retry: How failed attempts are repeated before anything was delivered; None for not at all.
        client: An `httpx.AsyncClient` or `httpx2.AsyncClient` to send with; it is not closed. If None, the session
            has a connection of its own.
        record: The file in which the session is recorded for `streamd.replay`, however it ends. It is written when the
            block is left; why it could not be is told by `session.recording_error`, and fails nothing else.
        extra_headers: Sent as they are, over the provider's own.
        extra_body: Merged into the request's JSON, over the provider's own.

    Raises:
        ConfigError: The model, the prompt or an option cannot be used; nothing was sent.
        ToolError: A tool cannot be offered as it is.
    """
    check_runtime(
        max_rounds=max_rounds,
        high_watermark=high_watermark,
        tool_timeout=tool_timeout,
        timeouts=timeouts,
        retry=retry,
        client=client,
        approve=approve,
        provider_state=provider_state,
        record=record,
    )
    # Every traceback through the block below shows this frame: no key stays in it as text.
    model = conceal(model)
    extra_headers = conceal_headers(extra_headers)
    named = tools_by_name(tools)
    history = messages_of(prompt)
    output = output_of(output_type, retries, named)
    asked = {
        "max_tokens": max_tokens,
        "temperature": temperature,
        "top_p": top_p,
        "stop": (stop,) if isinstance(stop, str) else stop,
        "tool_choice": tool_choice,
        "output": output.spec if output is not None else None,
        "extra_body": extra_body or {},
    }
    async with serving(model) as (provider, name), open_client(client) as http:
        plan = Plan(
            provider=provider,
            context=Context(
                history,
                system,
                tuple(tool.spec for tool in named.values()),
                provider_state=provider_state or {},
            ),
            options=replace(options_of({"model": name, **asked}), extra_headers=extra_headers),
            toolbox=Toolbox(named, tool_timeout, approve),
            auto_tools=auto_tools,
            max_rounds=max_rounds,
            timeouts=timeouts or Timeouts(),
            retry=retry,
            output=output,
            recorder=None if record is None else Recorder(record, provider=provider, model=name),
        )
        async with open_plan(*staged(plan, http), high_watermark) as session:
            yield session


def _arguments_of(
    _: Callable[OpenArgs, object],
) -> Callable[[Callable[..., Coroutine[Any, Any, T]]], Callable[OpenArgs, Coroutine[Any, Any, T]]]:
    """Say that a function takes the arguments of another."""

    def same(function: Callable[..., Coroutine[Any, Any, T]]) -> Callable[OpenArgs, Coroutine[Any, Any, T]]:
        return function

    return same


@_arguments_of(open_session)
async def stream(*args: Any, **options: Any) -> Response:
    """Ask a model, and return its whole answer: `open_session`, read to its end.

    It takes the arguments of `open_session` and raises what reading that session raises. Cancelling ends the session.
    """
    block = open_session(*args, **options)
    # They may hold a key, and a traceback through this frame can show them.
    del args, options
    async with block as session:
        return await session.response()
