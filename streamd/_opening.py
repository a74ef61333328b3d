"""What opening a session takes: everything is checked first, then its tree is run around a block."""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, final

from msgspec.structs import replace

from streamd.providers import CacheTime, Context, ModelSpec, Provider, Secret

from ._ambient import staged
from ._arguments import check_id, check_runtime, check_server_tools, conceal, conceal_headers, options_of
from ._conversation import Plan
from ._http import HTTPClient, open_client
from ._model import served_file, serving
from ._output import output_of
from ._plan import Running, run_plan
from ._prompt import Prompt, messages_of
from ._recorder import Recorder
from ._retry import Retry
from ._retry_budget import RetryTokens
from ._timers import Timeouts
from ._toolbox import Approve, Toolbox
from ._tools import Tool, tools_by_name

__all__ = ["Opening", "TokensOf", "prepare"]

TokensOf = Callable[[str], RetryTokens | None]
"""What the retries of a provider's sessions are taken from, by the provider's name; None for no bound."""

PlanFor = Callable[[Provider, str, str, RetryTokens | None], Plan]
"""Makes the plan when a session's provider, its model's name, its own name and its retry tokens are known."""


@final
class Opening:
    """A session that was asked for: checked, and ready to be run once."""

    __slots__ = ("_client", "_high_watermark", "_model", "_plan_for", "id")

    def __init__(
        self,
        id: str | None,  # noqa: A002 - as `Session.id`
        model: ModelSpec,
        client: HTTPClient | None,
        high_watermark: int,
        plan_for: PlanFor,
    ) -> None:
        self.id: str | None = id
        self._model = model
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
            client: Who sends, where the session was given no client of its own and its model gets no server of its
                own; None for one that is opened here.
            tokens_of: Where its retries are taken from; None does not bound them.
        """
        # Nobody comes back to a server of its own: a connection kept for it would only pile up.
        shared = client if served_file(self._model) is None else None
        async with (
            serving(self._model) as (provider, model),
            open_client(self._client or shared) as http,
        ):
            tokens = None if tokens_of is None else tokens_of(provider.name)
            plan = self._plan_for(provider, model, self.id or name, tokens)
            async with run_plan(*staged(plan, http), self._high_watermark) as running:
                yield running


def prepare(
    model: ModelSpec,
    prompt: Prompt,
    *,
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
    check_id(id)
    check_server_tools(server_tools)
    # Every traceback through the session's block shows what is held here: no key stays in it as text.
    model = conceal(model)
    extra_headers = conceal_headers(extra_headers)
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
            "extra_body": extra_body or {},
        }
    )

    def plan_for(provider: Provider, model_name: str, name: str, tokens: RetryTokens | None) -> Plan:
        return Plan(
            id=name,
            provider=provider,
            context=Context(
                history,
                system,
                tuple(tool.spec for tool in named.values()),
                tuple(server_tools),
                provider_state=provider_state or {},
            ),
            options=replace(asked, model=model_name, extra_headers=extra_headers),
            toolbox=Toolbox(named, tool_timeout, approve),
            auto_tools=auto_tools,
            max_rounds=max_rounds,
            timeouts=timeouts or Timeouts(),
            retry=retry,
            tokens=tokens,
            output=output,
            recorder=None if record is None else Recorder(record, provider=provider, model=model_name),
        )

    return Opening(id, model, client, high_watermark, plan_for)
