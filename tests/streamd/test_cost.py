"""What an answer cost."""

import sys
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from genai_prices.data_snapshot import get_snapshot

from streamd import ConfigError, Cost, Message, Response, Usage, cost
from streamd._cli_render import price_line
from streamd._cost import _TABLES
from streamd.providers import PROVIDERS, resolve

CLAUDE = "anthropic:claude-sonnet-4-5"
THEN = datetime(2025, 11, 1, tzinfo=UTC)


def answered(*turns: Usage | None, before: Usage | None = None) -> Response:
    """A response of these turns, to a message that may have been a turn of an earlier one."""
    messages = (Message("user", (), before), *(Message("assistant", (), usage) for usage in turns))
    total = sum((usage for usage in turns if usage), Usage())
    return Response(message=messages[-1], messages=messages, usage=total, stop_reason="stop")


def test_input_and_output_have_a_price_each() -> None:
    """Prices are for a million tokens, and exact."""
    found = cost(CLAUDE, Usage(1000, 100), at=THEN)
    assert found == Cost(Decimal("0.003"), Decimal("0.0015"), Decimal("0.0045"))


def test_what_a_cache_knew_and_was_told_has_its_own_price() -> None:
    """Cached and written tokens are part of the input: they are not counted twice."""
    found = cost(CLAUDE, Usage(1000, 0, cached_tokens=500, cache_write_tokens=400), at=THEN)
    assert found is not None
    assert found.input == (100 * Decimal(3) + 500 * Decimal("0.3") + 400 * Decimal("3.75")) / 1_000_000


def test_what_a_cache_keeps_for_an_hour_costs_more() -> None:
    """Anthropic's own object says how much of what was written is kept for how long."""
    raw = {"cache_creation": {"ephemeral_1h_input_tokens": 300, "ephemeral_5m_input_tokens": 100}}
    found = cost(CLAUDE, Usage(400, 0, cache_write_tokens=400, raw=raw), at=THEN)
    assert found is not None
    assert found.input == (300 * Decimal(6) + 100 * Decimal("3.75")) / 1_000_000


def test_searches_are_in_the_total() -> None:
    """What is no token has a price as well."""
    raw: dict[str, Any] = {"server_tool_use": {"web_search_requests": 2}}
    found = cost(CLAUDE, Usage(1000, 100, raw=raw), at=THEN)
    assert found is not None
    assert found.total == Decimal("0.0045") + 2 * Decimal("0.01")
    odd: dict[str, Any] = {"server_tool_use": None, "cache_creation": {"ephemeral_1h_input_tokens": "x"}}
    assert cost(CLAUDE, Usage(1000, 100, raw=odd), at=THEN) == cost(CLAUDE, Usage(1000, 100), at=THEN)


def test_a_response_is_counted_turn_by_turn() -> None:
    """Two requests of 150,000 tokens are below the bound where one of 300,000 costs more."""
    turn = Usage(150_000, 10)
    one, both, sum_ = (
        cost(CLAUDE, turn, at=THEN),
        cost(CLAUDE, answered(turn, None, turn), at=THEN),
        cost(CLAUDE, turn + turn, at=THEN),
    )
    assert one is not None
    assert sum_ is not None
    assert both == one + one
    assert both.total < sum_.total


def test_a_turn_of_an_earlier_response_is_not_counted_again() -> None:
    """A paused turn that was sent back is the message its response answers."""
    assert cost(CLAUDE, answered(Usage(10, 1), before=Usage(1000, 100)), at=THEN) == cost(
        CLAUDE, Usage(10, 1), at=THEN
    )


@pytest.mark.parametrize(
    "model",
    [
        "anthropic/claude-sonnet-4-5",
        ("anthropic", "claude-sonnet-4-5"),
        (("anthropic", {"api_key": "x"}), "claude-sonnet-4-5"),
        ({"provider": "anthropic", "api_key": "x"}, "claude-sonnet-4-5"),
        (resolve(("anthropic", {"api_key": "x"})), "claude-sonnet-4-5"),
        "vertex-anthropic:claude-sonnet-4-5@20250929",
        "openrouter:anthropic/claude-sonnet-4.5",
    ],
)
def test_a_model_is_given_as_to_a_session(model: Any) -> None:
    """Every form is known, and no key is asked for."""
    found = cost(model, Usage(1000, 100), at=THEN)
    assert found is not None
    assert found.total == Decimal("0.0045")


@pytest.mark.parametrize(
    ("model", "usage"),
    [
        ("local", Usage(1, 1)),
        ("local:model.gguf", Usage(1, 1)),
        ("anthropic:never-heard-of", Usage(1, 1)),
        (CLAUDE, Usage(1, 1, cached_tokens=2)),
    ],
)
def test_what_has_no_price_has_none(model: str, usage: Usage) -> None:
    """Models of one's own, models the table does not know, and counts that contradict each other."""
    assert cost(model, usage, at=THEN) is None


@pytest.mark.parametrize("model", ["gpt-5", "", ":x", (None, "x"), ("openai", ""), 3])
def test_a_model_without_a_provider_is_refused(model: Any) -> None:
    """There is no telling whose price it has."""
    with pytest.raises(ConfigError, match=r"^the model is given as 'provider:name' or \(provider, 'name'\)$"):
        cost(model, Usage())


@pytest.mark.parametrize(("used", "at"), [(None, None), ("text", None), (Usage(), "today"), (Usage(), 3)])
def test_what_is_no_usage_and_no_time_is_refused(used: Any, at: Any) -> None:
    """A price of something else would be none."""
    with pytest.raises(ConfigError, match=r"not (NoneType|str|int)$"):
        cost(CLAUDE, used, at=at)


def test_the_command_line_tells_it_where_it_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    """One line, and none for what has no price or where there is no table."""
    response = answered(Usage(1000, 100))
    assert price_line(CLAUDE, response) == "$0.004500 at list prices"
    assert price_line("local", response) is None
    assert price_line("no provider", response) is None
    monkeypatch.setitem(sys.modules, "genai_prices", None)
    assert price_line(CLAUDE, response) is None


def test_without_the_table_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """The message says what to install."""
    monkeypatch.setitem(sys.modules, "genai_prices", None)
    with pytest.raises(ConfigError, match=r"pip install 'streamd-llm\[prices\]'$"):
        cost(CLAUDE, Usage())


def test_every_name_is_a_providers_and_the_tables() -> None:
    """No row of the mapping is of a provider that is not there."""
    assert _TABLES.keys() <= PROVIDERS.keys()
    assert set(_TABLES.values()) <= {provider.id for provider in get_snapshot().providers}
