"""Log probabilities in the shape that OpenAI gave them, which other servers repeat."""

from __future__ import annotations

from typing import Any

from ._json import as_list, as_object
from .chunks import Chunk, LogProbs, ScoredToken, TokenLogProb

__all__ = ["log_probability", "score"]

_LEAST = -1e9


def score(entries: list[Any], out: list[Chunk]) -> None:
    """Tell of the tokens in a list of `{"token": …, "logprob": …, "top_logprobs": […]}`; others are left out."""
    tokens: list[ScoredToken] = []
    for entry in map(as_object, entries):
        scored = _token(entry)
        if scored is not None:
            tops = map(_token, map(as_object, as_list(entry.get("top_logprobs"))))
            top = tuple(token for token in tops if token is not None)
            tokens.append(ScoredToken(scored.token, scored.logprob, top))
    if tokens:
        out.append(LogProbs(tuple(tokens)))


def log_probability(value: object) -> float | None:
    """The number that `value` is; None for what says nothing, as NaN and infinity do, which some servers send."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if _LEAST <= value <= -_LEAST else None


def _token(entry: dict[str, Any]) -> TokenLogProb | None:
    token, logprob = entry.get("token"), log_probability(entry.get("logprob"))
    return None if not isinstance(token, str) or logprob is None else TokenLogProb(token, logprob)
