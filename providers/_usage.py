"""Token counts, from each provider's own object to one shape."""

from __future__ import annotations

from typing import Any

from ._json import as_object
from .chunks import Usage

__all__ = [
    "anthropic_usage",
    "bedrock_usage",
    "gemini_usage",
    "merge_counts",
    "most_counted",
    "openai_usage",
    "same_counts",
]

_MAX_FIELDS = 32


def openai_usage(raw: dict[str, Any]) -> Usage | None:
    """Counts as OpenAI names them; None where the object holds none that make sense.

    `prompt_tokens` holds the cached tokens, and `completion_tokens` the reasoning, except with servers that count
    reasoning apart (xAI): there the total says so, and it is added.
    https://platform.openai.com/docs/api-reference/chat/object
    """
    given = _count(raw, "prompt_tokens", "input_tokens")
    made = _count(raw, "completion_tokens", "output_tokens")
    if given is None and made is None:
        return None
    given, made = given or 0, made or 0
    prompt = _part(raw, "prompt_tokens_details", "input_tokens_details")
    completion = _part(raw, "completion_tokens_details", "output_tokens_details")
    reasoning = _count(completion, "reasoning_tokens") or _count(raw, "reasoning_tokens") or 0
    if reasoning and _count(raw, "total_tokens") == given + made + reasoning:
        made += reasoning
    return Usage(
        given,
        made,
        _count(prompt, "cached_tokens") or _count(raw, "prompt_cache_hit_tokens", "cached_tokens") or 0,
        _count(prompt, "cache_write_tokens", "cache_creation_tokens") or 0,
        reasoning,
        raw,
    )


def anthropic_usage(raw: dict[str, Any]) -> Usage | None:
    """Counts as Anthropic names them, where `input_tokens` is only what no cache knew; None where there are none.

    https://docs.anthropic.com/en/docs/build-with-claude/prompt-caching#tracking-cache-performance
    """
    given = _count(raw, "input_tokens")
    made = _count(raw, "output_tokens")
    if given is None and made is None:
        return None
    cached = _count(raw, "cache_read_input_tokens") or 0
    written = _count(raw, "cache_creation_input_tokens") or 0
    thinking = _count(_part(raw, "output_tokens_details"), "thinking_tokens", "reasoning_tokens") or 0
    return Usage((given or 0) + cached + written, made or 0, cached, written, thinking, raw)


def bedrock_usage(raw: dict[str, Any]) -> Usage | None:
    """Counts as Bedrock names them, where `inputTokens` is only what no cache knew; None where there are none.

    The names that end in `Count` are those of its invocation metrics, and of Nova's own events.
    docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_TokenUsage.html
    """
    given = _count(raw, "inputTokens", "inputTokenCount")
    made = _count(raw, "outputTokens", "outputTokenCount")
    if given is None and made is None:
        return None
    cached = _count(raw, "cacheReadInputTokens", "cacheReadInputTokenCount") or 0
    written = _count(raw, "cacheWriteInputTokens", "cacheWriteInputTokenCount") or 0
    return Usage((given or 0) + cached + written, made or 0, cached, written, 0, raw)


def gemini_usage(raw: dict[str, Any]) -> Usage | None:
    """Counts as Gemini names them, where thoughts, and what tools read, are counted apart; None where there are none.

    https://ai.google.dev/api/generate-content#UsageMetadata
    """
    given = _count(raw, "promptTokenCount")
    made = _count(raw, "candidatesTokenCount", "responseTokenCount")
    thoughts = _count(raw, "thoughtsTokenCount")
    if given is None and made is None and thoughts is None:
        return None
    read = _count(raw, "toolUsePromptTokenCount") or 0
    cached = _count(raw, "cachedContentTokenCount") or 0
    return Usage((given or 0) + read, (made or 0) + (thoughts or 0), cached, 0, thoughts or 0, raw)


def ollama_usage(raw: dict[str, Any]) -> Usage | None:
    """Counts as Ollama names them, null where it gives none; None where there are none that make sense.

    A prompt that the server still holds from before may not be counted. https://docs.ollama.com/api/usage
    """
    given = _count(raw, "prompt_eval_count")
    made = _count(raw, "eval_count")
    if given is None and made is None:
        return None
    known = {name: value for name, value in raw.items() if value is not None}
    return Usage(given or 0, made or 0, raw=known)


def cohere_usage(raw: dict[str, Any]) -> Usage | None:
    """Counts as Cohere names them: of the tokens, or where it tells only those, of the billed ones; else None.

    https://docs.cohere.com/reference/chat-stream
    """
    counts = _part(raw, "tokens", "billed_units")
    given = _count(counts, "input_tokens")
    made = _count(counts, "output_tokens")
    if given is None and made is None:
        return None
    cached = _count(raw, "cached_tokens") or _count(counts, "cached_tokens") or 0
    return Usage(given or 0, made or 0, cached, 0, _count(counts, "reasoning_tokens") or 0, raw)


def merge_counts(known: dict[str, Any], later: dict[str, Any]) -> dict[str, Any]:
    """`known` with what `later` counts anew; what that leaves out, or gives as null, keeps its value.

    Of names never seen before only as many are taken as leave 32 in all: providers use about ten, and every usage
    holds a copy.
    """
    merged = known | later
    if len(merged) > _MAX_FIELDS or None in merged.values():
        merged = dict(known)
        for name, value in later.items():
            if value is not None and (name in merged or len(merged) < _MAX_FIELDS):
                merged[name] = value
    return merged


def most_counted(known: Usage, later: Usage) -> Usage:
    """The higher of each count: they are cumulative, and a later event that leaves one out takes nothing back."""
    return Usage(
        max(known.input_tokens, later.input_tokens),
        max(known.output_tokens, later.output_tokens),
        max(known.cached_tokens, later.cached_tokens),
        max(known.cache_write_tokens, later.cache_write_tokens),
        max(known.reasoning_tokens, later.reasoning_tokens),
        merge_counts(known.raw, later.raw),
    )


def same_counts(one: Usage | None, other: Usage) -> bool:
    """Whether two usages tell the same, whatever else the provider's own objects hold."""
    return (
        one is not None
        and one.output_tokens == other.output_tokens  # what mostly changes
        and one.input_tokens == other.input_tokens
        and one.cached_tokens == other.cached_tokens
        and one.cache_write_tokens == other.cache_write_tokens
        and one.reasoning_tokens == other.reasoning_tokens
    )


def _count(raw: dict[str, Any], *names: str) -> int | None:
    for name in names:
        value = raw.get(name)
        if value is None:
            continue
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
            return value
    return None


def _part(raw: dict[str, Any], *names: str) -> dict[str, Any]:
    for name in names:
        if part := as_object(raw.get(name)):
            return part
    return {}
