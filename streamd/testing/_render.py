"""The wires the harness speaks, and a turn as a reply in one of them."""

from __future__ import annotations

from streamd.errors import ConfigError

from ._render_anthropic import ANTHROPIC_MESSAGES
from ._render_bedrock import BEDROCK_CONVERSE, BEDROCK_INVOKE
from ._render_cohere import COHERE_V2
from ._render_gemini import GEMINI, GEMINI_ARRAY
from ._render_ollama import OLLAMA_CHAT
from ._render_openai_chat import OPENAI_CHAT
from ._render_openai_responses import OPENAI_RESPONSES
from ._reply import Reply
from ._scenario import Turn
from ._wire import Wire

__all__ = ["WIRES", "render", "wire_named"]

WIRES: dict[str, Wire] = {
    wire.name: wire
    for wire in (
        OPENAI_CHAT,
        OPENAI_RESPONSES,
        ANTHROPIC_MESSAGES,
        GEMINI,
        GEMINI_ARRAY,
        OLLAMA_CHAT,
        COHERE_V2,
        BEDROCK_CONVERSE,
        BEDROCK_INVOKE,
    )
}
"""The wires by name."""


def wire_named(name: str) -> Wire:
    """The wire of this name.

    Raises:
        ConfigError: There is none; the message names all.
    """
    if name not in WIRES:
        raise ConfigError(f"there is no wire {name!r}; the wires are: {', '.join(WIRES)}")
    return WIRES[name]


def render(turn: Turn, wire: Wire, number: int = 1, *, kept: bool = False) -> Reply:
    """A turn as a server of this wire answers it, well: status 200, its events chunk by chunk, the connection kept.

    Args:
        turn: The turn.
        wire: How the server speaks.
        number: The turn's in its scenario, from 1.
        kept: Whether it is asked for as a response that the provider keeps, where the wire has that.
    """
    key = id(turn), wire.name, number, kept
    found = _KEPT.get(key)
    if found is not None and found[0] is turn:
        return found[1]
    events = wire.events(turn, number)
    if kept and wire.resuming is not None:
        events = wire.resuming.kept(events)
    reply = Reply(headers=(("Content-Type", wire.content_type),), events=events)
    if len(_KEPT) >= _MOST:
        _KEPT.clear()
    _KEPT[key] = turn, reply
    return reply


# A turn holds the arguments of calls, which cannot be hashed: turns are told apart by which object they are.
_KEPT: dict[tuple[int, str, int, bool], tuple[Turn, Reply]] = {}
_MOST = 256
