"""The wires the harness speaks, and a turn as a reply in one of them."""

from __future__ import annotations

from streamd.errors import ConfigError

from ._render_anthropic import ANTHROPIC_MESSAGES
from ._render_openai_chat import OPENAI_CHAT
from ._reply import Reply
from ._scenario import Turn
from ._wire import Wire

__all__ = ["WIRES", "render", "wire_named"]

WIRES: dict[str, Wire] = {wire.name: wire for wire in (OPENAI_CHAT, ANTHROPIC_MESSAGES)}
"""The wires by name."""


def wire_named(name: str) -> Wire:
    """The wire of this name.

    Raises:
        ConfigError: There is none; the message names all.
    """
    if name not in WIRES:
        raise ConfigError(f"there is no wire {name!r}; the wires are: {', '.join(WIRES)}")
    return WIRES[name]


def render(turn: Turn, wire: Wire) -> Reply:
    """A turn as a server of this wire answers it, well: status 200, its events chunk by chunk, the connection kept."""
    return _rendered(turn, wire.name)


# Turns hold the arguments of calls, which no hash covers: they are told apart by who they are.
_TURNS: dict[tuple[int, str], tuple[Turn, Reply]] = {}


def _rendered(turn: Turn, name: str) -> Reply:
    found = _TURNS.get((id(turn), name))
    if found is not None and found[0] is turn:
        return found[1]
    wire = WIRES[name]
    reply = Reply(headers=(("Content-Type", wire.content_type),), events=wire.events(turn))
    if len(_TURNS) >= 256:
        _TURNS.clear()
    _TURNS[id(turn), name] = (turn, reply)
    return reply
