"""Opening a session: `open_session` around a block, `stream` to its end."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from typing import Any

from ._opening import prepare
from ._response import Response
from ._session import Session
from ._session_tree import Closing
from ._signature import takes_arguments_of

__all__ = ["open_session", "stream"]


@takes_arguments_of(prepare)
def open_session(*args: Any, **options: Any) -> AbstractAsyncContextManager[Session]:  # noqa: D417 - prepare's
    """Ask a model, and stream its answer: `async with open_session(...) as session`.

    The request is checked before the block is entered and sent while it runs. When the block is left, by its end, by
    an exception of its own or by cancellation, every task of the session is cancelled and awaited, and its connection
    closed: nothing outlives it. Exceptions of the block leave it as they are; errors of the session are raised where
    it is read.

    Args:
        model: `"provider:model"`, such as `"anthropic:claude-sonnet-4-6"`; `(provider, model)` with a provider's name,
            instance, `(name, options)` or mapping; `"local"` for the built-in model.
        prompt: A text, a message, or a conversation whose last message is to be answered.
        fallback: Further models, as `model`: where one fails for good before anything was delivered, the next is asked
            for the same, and the session stays with the one that answers. They are asked after `retry` has given up,
            and at once where a retry would not help: no connection, a refused key, an unknown model, a spent quota.
            A request that is wrong (`BadRequestError`) is wrong for all. What is a provider's own goes to no other
            server: `extra_headers`, `extra_body`, `provider_state`; with `server_tools` there is no other.
        id: What the session is called, in its tree and by the runtime that holds it; `session` if None.
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
        logprobs: Asks for the log probability of each token, and of so many of the most likely in its place; each text
            is then followed by its `LogProbs`.
        cache: `"5m"` or `"1h"`: has a provider that caches only what it is told to keep the tools, the instruction and
            the conversation so long. A `CachePoint` in a message does so up to its place.
        server_tools: Tools that the provider runs itself, each declared in the provider's own JSON. They come as
            `ServerToolCall` and `ServerToolResult`.
        auto_tools: Whether tool calls are run, and their results sent back for another round; and whether a turn that
            the provider paused, as its own tools take long, is sent back to go on, which is a round too.
        max_rounds: How many requests may be made; no further one is opened.
        tool_timeout: How long each tool call may take, in seconds; a longer one becomes an error the model sees.
        approve: Asked before each tool call is run.
        provider_state: What the provider keeps of the conversation on its side, as an earlier response's
            `provider_state` says; a provider that keeps nothing makes nothing of it.
        high_watermark: How many chunks may be decoded and unread before reading the network pauses. What one network
            read held may come on top. It also pauses when chunks of 8 MiB in all were taken in since all were read.
        timeouts: The session's timers; `Timeouts()` if None.
        retry: How failed attempts are repeated: before anything of the turn was delivered, and with
            `Retry(restart=True)` after; None for not at all.
        client: An `httpx.AsyncClient` or `httpx2.AsyncClient` to send with; it is not closed. If None, the session
            has a connection of its own.
        record: The file in which the session is recorded for `streamd.replay`, however it ends. It is written when the
            block is left; why it could not be is told by `session.recording_error`, and fails nothing else.
        extra_headers: Sent as they are, over the provider's own.
        extra_body: Merged into the request's JSON, over the provider's own.

    Raises:
        ConfigError: The model, one of its fallbacks, the prompt or an option cannot be used; nothing was sent.
        ToolError: A tool cannot be offered as it is.
    """
    try:
        opening = prepare(*args, **options)
    finally:
        # They may hold a key, and a traceback through this frame can show them.
        del args, options
    return Closing(opening.running())


@takes_arguments_of(prepare)
async def stream(*args: Any, **options: Any) -> Response:
    """Ask a model, and return its whole answer: `open_session`, read to its end.

    It takes the arguments of `open_session` and raises what reading that session raises. Cancelling ends the session.
    """
    try:
        block = open_session(*args, **options)
    finally:
        # They may hold a key, and a traceback through this frame can show them.
        del args, options
    async with block as session:
        return await session.response()
