"""What opening a session takes: everything is checked first, then its tree is run around a block."""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator, Callable, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, nullcontext
from typing import Any, final

from msgspec.structs import replace

from streamd.providers import CacheTime, Context, ModelSpec, Provider, Secret, resolve_model

from ._ambient import staged
from ._arguments import check_id, check_runtime, check_server_tools, conceal, conceal_headers, options_of
from ._fallback import Candidate, check_fallback, fallbacks_to
from ._http import HTTPClient
from ._http_client import OwnClient
from ._model import served_file, serving
from ._output import output_of
from ._prompt import Prompt, messages_of
from ._recorder import Recorder
from ._retry import Retry
from ._retry_budget import RetryTokens
from ._session_plan import Plan
from ._session_tree import Running, run_plan
from ._timers import Timeouts
from ._toolbox import Approve, Toolbox
from ._tools import Tool, tools_by_name

__all__ = ["Opening", "TokensOf", "prepare"]

TokensOf = Callable[[str], RetryTokens | None]
"""What the retries of a provider's sessions are taken from, by the provider's name; None for no bound."""

Served = tuple[Provider, str, RetryTokens | None]
"""A model that can be asked: its provider, its name there, and what its retries are taken from."""

PlanFor = Callable[[Sequence[Served], str], Plan]
"""Makes the plan when the models that a session may ask, and its own name, are known."""


@final
class Opening:
    """A session that was asked for: checked, and ready to be run once."""

    __slots__ = ("_client", "_high_watermark", "_models", "_plan_for", "id")

    def __init__(
        self,
        id: str | None,  # noqa: A002 - as `Session.id`
        models: Sequence[ModelSpec],
        client: HTTPClient | None,
        high_watermark: int,
        plan_for: PlanFor,
    ) -> None:
        self.id: str | None = id
        self._models = models
        self._client = client
        self._high_watermark = high_watermark
        self._plan_for = plan_for

    @asynccontextmanager
    async def running(
        self, name: str = "session", client: HTTPClient | None = None, tokens_of: TokensOf | None = None
    ) -> AsyncGenerator[Running, None]:
        """Run the session's tree beside the block; leaving the block cancels the session and awaits it.

        Args:
            name: What the session is called, where it was given no id.
            client: Who sends, where the session was given no client of its own and none of its models gets a server
                of its own; None for one that is opened here.
            tokens_of: Where its retries are taken from; None does not bound them.
        """
        own_server = any(served_file(each) is not None for each in self._models)
        # Nobody comes back to a server of its own: a connection kept for it would only pile up.
        shared = None if own_server else client
        given = self._client if self._client is not None else shared
        async with (
            _served(self._models) if own_server else nullcontext(map(resolve_model, self._models)) as models
        ):
            served: list[Served] = [
                (provider, model, None if tokens_of is None else tokens_of(provider.name))
                for provider, model in models
            ]
            async with OwnClient() if given is None else nullcontext(given) as http:
                plan, high_watermark = self._plan_for(served, self.id or name), self._high_watermark
                # The plan has what is needed of them, and a session may live long.
                del self, models, served
                async with run_plan(*staged(plan, http), high_watermark) as running:
                    yield running


@asynccontextmanager
async def _served(models: Sequence[ModelSpec]) -> AsyncGenerator[Iterable[tuple[Provider, str]], None]:
    """Where some of the models get a server of their own: it runs as long as the block."""
    async with AsyncExitStack() as stack:
        yield [await stack.enter_async_context(serving(each)) for each in models]


def prepare(
    model: ModelSpec,
    prompt: Prompt,
    *,
    fallback: Sequence[ModelSpec] = (),
    id: str | None = None,  # noqa: A002 - as `Session.id`
    system: str | None = None,
    tools: Sequence[Tool | Callable[..., object]] = (),
    tool_choice: str | None = None,
    output_type: Any = None,
    retries: int = 0,
    max_tokens: int | None = None,
    temperature: float | None = None,
    top_p: float | None = None,
    stop: str | Sequence[str] = (),
    logprobs: int | None = None,
    cache: CacheTime | None = None,
    server_tools: Sequence[Mapping[str, Any]] = (),
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
) -> Opening:
    """Check what a session is asked for. Nothing is started; see `streamd.open_session` for the arguments.

    Raises:
        ConfigError: The prompt or an option cannot be used.
        ToolError: A tool cannot be offered as it is.
    """
    # Every traceback, of what is refused here and through the session's block, shows what is held here: no key stays in
    # it as text.
    model, extra_headers = conceal(model), conceal_headers(extra_headers)
    check_fallback(fallback)
    fallback = [conceal(each) for each in fallback]
    check_runtime(
        auto_tools=auto_tools,
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
    check_id(id)
    check_server_tools(server_tools)
    named = tools_by_name(tools)
    history = messages_of(prompt)
    output = output_of(output_type, retries, named)
    asked = options_of(
        {
            "model": "",
            "max_tokens": max_tokens,
            "temperature": temperature,
            "top_p": top_p,
            "stop": (stop,) if isinstance(stop, str) else stop,
            "tool_choice": tool_choice,
            "output": output.spec if output is not None else None,
            "logprobs": logprobs,
            "cache": cache,
            "extra_body": {} if extra_body is None else extra_body,
        }
    )

    context = Context(
        history,
        system,
        tuple(tool.spec for tool in named.values()),
        tuple(server_tools),
        provider_state=provider_state or {},
    )

    def plan_for(served: Sequence[Served], name: str) -> Plan:
        provider, model_name, tokens = served[0]
        options = replace(asked, model=model_name, extra_headers=extra_headers)
        first = Candidate(provider=provider, context=context, options=options, tokens=tokens)
        return Plan(
            id=name,
            candidates=(first, *fallbacks_to(first, served[1:])),
            toolbox=Toolbox(named, tool_timeout, approve),
            auto_tools=auto_tools,
            max_rounds=max_rounds,
            timeouts=timeouts or Timeouts(),
            retry=retry,
            output=output,
            recorder=None if record is None else Recorder(record, [each[:2] for each in served]),
        )

    return Opening(id, [model, *fallback], client, high_watermark, plan_for)
