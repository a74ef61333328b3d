"""What one request may be asked with, apart from a session's own options; and the request that makes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypedDict

from msgspec.structs import replace

from streamd.providers import CacheTime, Context, HTTPRequest, Provider, Secret

from ._arguments import check_server_tools, conceal_headers, options_of
from ._prompt import Prompt, messages_of
from ._tools import Tool, tools_by_name
from .errors import ConfigError

__all__ = ["RequestOptions", "build_request"]


class RequestOptions(TypedDict, total=False):
    """The options of one request; each is explained at `streamd.open_session`."""

    system: str | None
    tools: Sequence[Tool | Callable[..., object]]
    tool_choice: str | None
    max_tokens: int | None
    temperature: float | None
    top_p: float | None
    stop: str | Sequence[str]
    logprobs: int | None
    cache: CacheTime | None
    server_tools: Sequence[Mapping[str, Any]]
    extra_headers: Mapping[str, str | Secret] | None
    extra_body: Mapping[str, Any] | None


def build_request(
    provider: Provider, model: str, prompt: Prompt | Context | HTTPRequest, options: RequestOptions
) -> HTTPRequest:
    """The request for the answer to a prompt.

    Args:
        provider: Who is asked.
        model: The model's name there.
        prompt: As for a session; or a whole context, which then has the system text and the tools; or a request that
            is ready, such as the one that `Resumable.resume` gives.
        options: How it is asked.

    Raises:
        ConfigError: The provider cannot take it, or an option is unknown or cannot be used.
        ToolError: A tool cannot be offered as it is.
    """
    given: dict[str, Any] = dict(options)
    if isinstance(prompt, HTTPRequest):
        if given:
            raise ConfigError(f"a request that is ready takes no option {min(given)!r}")
        return prompt
    extra_headers = conceal_headers(given.pop("extra_headers", None))
    if isinstance(prompt, Context):
        if {"system", "tools", "server_tools"} & given.keys():
            raise ConfigError("a context has its own system text and tools: give them there")
        context = prompt
    else:
        tools = tuple(tool.spec for tool in tools_by_name(given.pop("tools", ())).values())
        check_server_tools(own := given.pop("server_tools", ()))
        context = Context(messages_of(prompt), given.pop("system", None), tools, tuple(own))
    if unknown := given.keys() - RequestOptions.__annotations__.keys():
        raise ConfigError(f"a request has no option {min(unknown)!r}")
    if isinstance(given.get("stop"), str):
        given["stop"] = (given["stop"],)
    if given.get("extra_body") is None:
        given["extra_body"] = {}
    made = replace(options_of({"model": model, **given}), extra_headers=extra_headers)
    return provider.request(context, made)
