"""What an answer cost, by a price table that others maintain."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from types import ModuleType
from typing import Any, cast

from msgspec import Struct

from streamd.providers import ModelSpec, Usage

from ._response import Response
from .errors import ConfigError

__all__ = ["Cost", "cost"]

_TABLES = {
    **{
        name: name
        for name in ("anthropic", "avian", "azure", "cerebras", "cloudflare", "cohere", "databricks")
    },
    **{name: name for name in ("deepseek", "doubleword", "fireworks", "github-copilot", "groq", "minimax")},
    **{name: name for name in ("mistral", "openai", "openrouter", "perplexity", "together", "zai")},
    "azure-deployments": "azure",
    "azure-responses": "azure",
    "bedrock": "aws",
    "bedrock-invoke": "aws",
    "gemini": "google",
    "moonshot": "moonshotai",
    "openai-responses": "openai",
    "vertex": "google",
    "vertex-anthropic": "google",
    "xai": "x-ai",
    "xai-responses": "x-ai",
}
"""Our names of providers, and the table's."""


class Cost(Struct, frozen=True):
    """What was used, in US dollars: for the input, for the output, and in all.

    The total may be more than the two together where a provider charges for more than tokens, such as searches.
    """

    input: Decimal = Decimal(0)
    output: Decimal = Decimal(0)
    total: Decimal = Decimal(0)

    def __add__(self, other: Cost) -> Cost:
        """The sum of two."""
        return Cost(self.input + other.input, self.output + other.output, self.total + other.total)


def cost(model: ModelSpec, used: Usage | Response, *, at: datetime | None = None) -> Cost | None:
    """What a model's answer cost by its provider's list prices; None where the table does not know the model.

    Prices depend on how much one request held, so a response is counted turn by turn. It needs the extra `prices`
    (the package `genai-prices`), whose version says how new the table is: nothing is fetched. What a contract or a
    subscription changes is in no table.

    Args:
        model: The model as it was given to `open_session`.
        used: The whole response, or what one request used.
        at: When it was asked, as prices change; now if None.

    Raises:
        ConfigError: The extra is not installed, or the model is not given as a provider and a name.
    """
    _check(used, at)
    provider, name = _named(model)
    table = _TABLES.get(provider)
    if table is None:
        return None
    prices = _prices()
    # The first message of a response is the one it answers, which may be a turn of an earlier response.
    turns = [used] if isinstance(used, Usage) else [turn.usage for turn in used.messages[1:] if turn.usage]
    found = Cost()
    for usage in turns:
        try:
            price = prices.calc_price(
                prices.Usage(**_counts(usage)), name, provider_id=table, genai_request_timestamp=at
            )
        except (LookupError, ValueError):  # the model is unknown, or the counts contradict each other
            return None
        found += Cost(price.input_price, price.output_price, price.total_price)
    return found


def _check(used: object, at: object) -> None:
    if not isinstance(used, Usage | Response):
        raise ConfigError(f"a cost is that of a Usage or a Response, not {type(used).__name__}")
    if not isinstance(at, datetime | None):
        raise ConfigError(f"at is a datetime or None, not {type(at).__name__}")


def _prices() -> ModuleType:
    try:
        import genai_prices  # noqa: PLC0415  (an extra: it may not be there)
    except ImportError as exc:
        raise ConfigError("streamd.cost needs a table of prices: pip install 'streamd-llm[prices]'") from exc
    return genai_prices


def _named(model: Any) -> tuple[str, str]:
    """The provider's name and the model's, without asking for a key."""
    provider: Any = None
    name: Any = None
    match model:
        case str():
            at = min((place for mark in ":/" if (place := model.find(mark)) >= 0), default=len(model))
            provider, name = model[:at], model[at + 1 :]
        case (given, name):
            provider = _provider_name(given)
        case _:
            pass
    if not provider or not isinstance(provider, str) or not (name or provider == "local"):
        raise ConfigError("the model is given as 'provider:name' or (provider, 'name')")
    return provider, str(name)


def _provider_name(given: Any) -> Any:
    match given:
        case str(name) | (str(name), _) | {"provider": name}:
            return name
        case _:
            return getattr(given, "name", None)


def _counts(usage: Usage) -> dict[str, int]:
    """The counts under the table's names; both count all input, and all output."""
    counts = {
        "input_tokens": usage.input_tokens,
        "output_tokens": usage.output_tokens,
        "cache_read_tokens": usage.cached_tokens,
        "cache_write_tokens": usage.cache_write_tokens,
        "cache_write_1h_tokens": _part(usage, "cache_creation", "ephemeral_1h_input_tokens"),
        "web_searches": _part(usage, "server_tool_use", "web_search_requests"),
    }
    return {name: count for name, count in counts.items() if count}


def _part(usage: Usage, within: str, name: str) -> int:
    """A count that Anthropic gives beside the others."""
    held = usage.raw.get(within)
    count = cast("Mapping[str, Any]", held).get(name) if isinstance(held, Mapping) else None
    return count if isinstance(count, int) and not isinstance(count, bool) and count > 0 else 0
