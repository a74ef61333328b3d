"""Where a prompt is cached: https://docs.anthropic.com/en/docs/build-with-claude/prompt-caching."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ._anthropic_turns import Block, Turn
from .messages import CachePoint, CacheTime

__all__ = ["cached_prompt"]

_MOST = 4
_NEVER = frozenset(("fallback", "redacted_thinking", "thinking"))

_Blocks = list[Block]


def cached_prompt(
    tools: _Blocks, system: Sequence[Block | CachePoint], turns: Sequence[Turn], cache: CacheTime | None
) -> tuple[_Blocks, list[dict[str, Any]]]:
    """The blocks of the instruction and the messages, each with its cache points; those of the tools are set in place.

    A point is set on the last block before it that can be cached. `cache` sets one behind the tools, one behind the
    instruction, and one behind the last message. The wire takes four; of more points the first are left out.
    """
    asked: list[tuple[Block, CacheTime]] = []
    seen: _Blocks = tools[-1:]
    instruction = _settled(system, seen, asked)
    given = [*tools[-1:], *instruction[-1:]]
    messages: list[dict[str, Any]] = []
    for role, blocks in turns:
        messages.append({"role": role, "content": _settled(blocks, seen, asked)})
    if cache is not None:
        given += [block for block in seen if not any(block is other for other in given)]
        asked = [point for point in asked if not any(point[0] is block for block in given)]
        asked = asked[max(0, len(asked) - _MOST + len(given)) :]
        asked.extend((block, cache) for block in given)
    for block, time in asked[-_MOST:]:
        block["cache_control"] = {"type": "ephemeral", **({"ttl": time} if time != "5m" else {})}
    return instruction, messages


def _settled(
    blocks: Sequence[Block | CachePoint], seen: _Blocks, asked: list[tuple[Block, CacheTime]]
) -> _Blocks:
    """The blocks without the points; `seen` becomes the last block that can be cached, `asked` gets the points."""
    settled: _Blocks = []
    for block in blocks:
        if not isinstance(block, CachePoint):
            settled.append(block)
            if block["type"] not in _NEVER:
                seen[:] = [block]
        elif seen and not (asked and asked[-1][0] is seen[-1]):
            asked.append((seen[-1], block.time))
    return settled
