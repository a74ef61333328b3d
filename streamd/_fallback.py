"""The models a session may ask: the one it was given, and those it falls back to, in their order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from streamd.providers import Context, HTTPRequest, Message, Options, Provider, Service

from ._retry_budget import RetryTokens
from .errors import ConfigError

__all__ = ["Candidate", "check_fallback", "fallbacks_to"]


class Candidate(Struct, frozen=True, kw_only=True):
    """One model a session may ask: whose it is, what it is asked, and what its retries are taken from."""

    provider: Provider
    context: Context
    options: Options
    tokens: RetryTokens | None = None

    @property
    def model(self) -> str:
        """The model's name at its provider."""
        return self.options.model

    def request(
        self, messages: Sequence[Message] = (), provider_state: Mapping[str, Any] | None = None
    ) -> HTTPRequest:
        """The request for the next turn, after these messages were added to the conversation."""
        state = self.context.provider_state if provider_state is None else provider_state
        context = replace(self.context, messages=(*self.context.messages, *messages), provider_state=state)
        return self.provider.request(context, self.options)


def check_fallback(models: object) -> None:
    """Raise `ConfigError` for what is no list of models."""
    if not isinstance(models, list | tuple):
        raise ConfigError(f"fallback is a list of models: give fallback=[...], not {type(models).__name__}")


def fallbacks_to(
    first: Candidate, others: Sequence[tuple[Provider, str, RetryTokens | None]]
) -> tuple[Candidate, ...]:
    """The models that are asked where the first one fails: for the same, but for what is its provider's own.

    Headers and body fields of the caller's, and what a provider keeps of the conversation, go to no other server: a
    header may be a key.

    Raises:
        ConfigError: The first one is given tools of its provider's own, which another provider does not have.
    """
    found: list[Candidate] = []
    for provider, model, tokens in others:
        context, options = first.context, replace(first.options, model=model)
        if not _same(first.provider, provider):
            if context.server_tools:
                raise ConfigError(
                    f"server_tools are declared in the words of {first.provider.name}: "
                    f"there can be no fallback to {provider.name}"
                )
            context = replace(context, provider_state={})
            options = replace(options, extra_headers={}, extra_body={})
        found.append(Candidate(provider=provider, context=context, options=options, tokens=tokens))
    return tuple(found)


def _same(one: Provider, other: Provider) -> bool:
    """Whether both are one server, as far as can be told; their keys may be two."""
    if isinstance(one, Service) and isinstance(other, Service):
        return (one.name, one.base_url) == (other.name, other.base_url)
    return one is other
