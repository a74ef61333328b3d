"""What may be given to a session: checked before anything is started, and its keys wrapped."""

from __future__ import annotations

import inspect
import os
from collections.abc import Mapping
from typing import Any, TypeGuard, cast

import msgspec
import trio

from streamd.providers import HTTPRequest, ModelSpec, Options, ProviderSpec, Secret

from ._retry import Retry
from ._timers import Timeouts
from .errors import ConfigError

__all__ = [
    "check_client",
    "check_id",
    "check_record",
    "check_request",
    "check_runtime",
    "check_seconds",
    "check_server",
    "check_server_tools",
    "check_stream",
    "check_tool_calls",
    "conceal",
    "conceal_headers",
    "conceal_provider",
    "is_whole",
    "options_of",
]


def check_runtime(
    *,
    auto_tools: object,
    max_rounds: object,
    high_watermark: object,
    tool_timeout: object,
    timeouts: object,
    retry: object,
    client: object,
    approve: object,
    provider_state: object,
    record: object,
) -> None:
    """Raise `ConfigError` for what cannot run a session, before anything is started."""
    check_stream(high_watermark=high_watermark, timeouts=timeouts)
    check_client(client)
    _check_count("max_rounds", max_rounds)
    if not isinstance(auto_tools, bool):
        raise ConfigError(f"auto_tools must be True or False, not {auto_tools!r}")
    check_tool_calls(tool_timeout=tool_timeout, approve=approve)
    if not isinstance(retry, Retry | None):
        raise ConfigError(f"retry must be a streamd.Retry or None, not {type(retry).__name__}")
    if not isinstance(provider_state, Mapping | None):
        raise ConfigError(f"provider_state must be a mapping, not {type(provider_state).__name__}")
    check_record(record)


def check_record(record: object, name: str = "record") -> None:
    """Raise `ConfigError` for what is no path of a file."""
    if record is not None and not isinstance(record, str | os.PathLike):
        raise ConfigError(f"{name} must be the path of a file or None, not {type(record).__name__}")


def check_tool_calls(*, tool_timeout: object, approve: object) -> None:
    """Raise `ConfigError` for how no tool can be called."""
    number = isinstance(tool_timeout, int | float) and not isinstance(tool_timeout, bool)
    if tool_timeout is not None and not (number and cast("float", tool_timeout) > 0):
        raise ConfigError(f"tool_timeout must be a positive number of seconds or None, not {tool_timeout!r}")
    if approve is not None and not callable(approve):
        raise ConfigError(f"approve must be a function of a ToolCall, not {type(approve).__name__}")


def check_stream(*, high_watermark: object, timeouts: object) -> None:
    """Raise `ConfigError` for what cannot run one response."""
    if not trio.lowlevel.in_trio_task():
        raise ConfigError("a session runs in a trio task: call trio.run(your_main_function)")
    _check_count("high_watermark", high_watermark)
    if not isinstance(timeouts, Timeouts | None):
        raise ConfigError(f"timeouts must be a streamd.Timeouts, not {type(timeouts).__name__}")


def check_server(
    high_watermark: object, timeouts: object, fixture_path: object, decoder: object, name: object
) -> None:
    """Raise `ConfigError` for what cannot run a stream server."""
    check_stream(high_watermark=high_watermark, timeouts=timeouts)
    check_record(fixture_path, "fixture_path")
    if decoder is not None and not callable(getattr(decoder, "feed", None)):
        raise ConfigError(f"decoder must be a provider's decoder or None, not {type(decoder).__name__}")
    if not isinstance(name, str | None):
        raise ConfigError(f"name must be a text or None, not {type(name).__name__}")


def check_request(request: object) -> None:
    """Raise `ConfigError` for what is no request."""
    if not isinstance(request, HTTPRequest):
        raise ConfigError(f"a request is an HTTPRequest of streamd.providers, not {type(request).__name__}")


def check_seconds(name: str, value: object) -> None:
    """Raise `ConfigError` for what is no time to wait."""
    if not (isinstance(value, int | float) and value >= 0):
        raise ConfigError(f"{name} must be a number of seconds, not {value!r}")


def check_client(client: object, name: str = "client") -> None:
    """Raise `ConfigError` for what cannot send a request."""
    if client is not None and not inspect.iscoroutinefunction(getattr(client, "send", None)):
        raise ConfigError(
            f"{name} must be an httpx.AsyncClient or httpx2.AsyncClient, not {type(client).__name__}"
        )
    if getattr(client, "is_closed", False) is True:
        raise ConfigError("the client is closed: open it around the session")


def check_id(id: object) -> None:  # noqa: A002 - as `Session.id`
    """Raise `ConfigError` for what cannot be a session's name."""
    if id is not None and not (isinstance(id, str) and id):
        raise ConfigError(f"id must be a text that is not empty, or None, not {id!r}")


def check_server_tools(server_tools: object) -> None:
    """Raise `ConfigError` for what are no declarations of the provider's own tools."""
    if not isinstance(server_tools, list | tuple):
        raise ConfigError(f"server_tools must be a list of declarations, not {type(server_tools).__name__}")


def is_whole(value: object, least: int) -> TypeGuard[int]:
    """Whether this is a whole number of at least so many; True and False are none."""
    return isinstance(value, int) and not isinstance(value, bool) and value >= least


def _check_count(name: str, value: object) -> None:
    if not is_whole(value, 1):
        raise ConfigError(f"{name} must be a whole number of at least 1, not {value!r}")


def conceal(model: ModelSpec) -> ModelSpec:
    """The model as it was given, its provider's key and headers wrapped, and an address that may hold a key."""
    match model:
        case (provider, str(model_name)):
            return conceal_provider(provider), model_name
        case _:
            return model


def conceal_provider(provider: ProviderSpec) -> ProviderSpec:
    """The same of a provider as it was given."""
    match provider:
        case (str(name), Mapping() as options):
            return name, _with_secrets(options)
        case Mapping() as options:
            return _with_secrets(options)
        case _:
            return provider


def _with_secrets(options: Mapping[str, Any]) -> dict[str, Any]:
    wrapped = dict(options)
    for option in ("api_key", "auth_token"):
        if isinstance(wrapped.get(option), str):
            wrapped[option] = Secret(wrapped[option])
    match wrapped.get("credentials"):
        case (*parts,):
            wrapped["credentials"] = tuple(Secret(part) if isinstance(part, str) else part for part in parts)
        case _:
            pass
    address = wrapped.get("base_url")
    if isinstance(address, str) and any(mark in address for mark in "@?#"):
        wrapped["base_url"] = Secret(address)
    if wrapped.get("headers") is not None:
        wrapped["headers"] = conceal_headers(wrapped["headers"])
    return wrapped


def conceal_headers(headers: object) -> dict[str, str | Secret]:
    """Header fields with their values wrapped, as any of them may be a key."""
    if headers is None:
        return {}
    if not isinstance(headers, Mapping):
        raise ConfigError(f"headers are a mapping of names to texts, not {type(headers).__name__}")
    fields = cast("Mapping[str, Any]", headers)
    return {name: Secret(value) if isinstance(value, str) else value for name, value in fields.items()}


def options_of(given: Mapping[str, Any]) -> Options:
    """The options of a request. Raises `ConfigError` for a value of the wrong type; the message names it."""
    try:
        return msgspec.convert(given, Options)
    except (msgspec.ValidationError, UnicodeError) as exc:
        raise ConfigError(f"an option of open_session cannot be used: {exc}") from exc
