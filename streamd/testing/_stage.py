"""What happens to the application itself: how it reads, what its tools do, when it is cancelled."""

from __future__ import annotations

import math
from typing import Literal

from msgspec import Struct

__all__ = ["Actor", "Beside", "Crash", "Hook", "Reading", "Stage", "ToolBody"]

ToolBody = Literal[
    "answers",
    "raises",
    "raises_group",
    "hangs",
    "ignores_cancel",
    "floods",
    "unwritable",
    "exits",
    "spawns",
    "mutates",
    "injects",
]
"""What a tool does: answer; raise; raise a group of exceptions; hang; hang through a cancellation for a while; answer
at enormous length; answer what no JSON can hold; raise what is no `Exception`; answer with tasks of its own at work,
and end them; change what it was called with; answer with what reads as an instruction and as a call."""

Reading = Literal["eager", "stops", "leaves", "raises", "abandons", "shares", "reenters", "closes"]
"""How the application reads, all but the first and `shares` from `reading_from` chunks on: to the end; not any more,
for `rest` seconds; leaving the block; raising an exception of its own; letting go of an iterator it had begun, and
reading on with another; from two tasks; reading more while it is given a chunk; closing twice, and reading on."""

Hook = Literal["on_chunk", "on_message", "approve", "observer"]
"""A function of the application that is called in the course of a session."""

Actor = Literal["any", "producer", "parser", "conversation", "tool"]
"""Whose task it is: one of the session's own, or that of a tool."""


class Crash(Struct, frozen=True, kw_only=True):
    """A bug in one of the session's actors: an exception that nobody expects, out of whatever it waits for.

    Args:
        actor: Whose.
        step: Before which step of that actor, from 1; of the whole application, if the actor is `any`, and only if it
            is an actor that takes that step.
        always: Whether it does so at every later step, too, whichever incarnation takes it.
        memory: Whether it is a `MemoryError`.
    """

    actor: Actor = "any"
    step: int = 1
    always: bool = False
    memory: bool = False


class Beside(Struct, frozen=True, kw_only=True):
    """Other sessions in one runtime with the application's own. They speak to nobody.

    Args:
        sessions: How many.
        crash: Whether they fail with what nobody expects, while the application's own is under way.
        places: Whether they hold all places that the runtime has: until its own session is waited for, or for good,
            and the runtime refuses; None for places enough.
        live: Whether they are still open when the runtime's block is left.
        spent: Whether the runtime has no retry left for its sessions.
    """

    sessions: int = 1
    crash: bool = False
    places: Literal["wait", "refuse"] | None = None
    live: bool = False
    spent: bool = False


class Stage(Struct, frozen=True, kw_only=True):
    """What is done to the application in one run.

    Args:
        cancel_at: The scheduler steps of the application's tasks before which it is cancelled, from 1; a second one
            cancels what still runs of it.
        cancel_after: Virtual seconds after which it is cancelled.
        quit_at: The scheduler steps of the application's tasks before which its session is told to end.
        tools: What the n-th run of a tool does, from 1; other runs answer.
        pace: Seconds that the consumer takes for each chunk.
        reading: How it reads.
        reading_from: After how many chunks that begins.
        rest: Seconds for which it does not read, where it stops; and before it leaves, if they are finite.
        room: How many chunks may be held for it unread; as the application likes it if None.
        total: Seconds that it gives the whole session; as it likes if None.
        hook: Which of its own functions raises.
        crash: What goes wrong in a session's own task.
        beside: What else is in the same runtime; None for no runtime.
        broken_logging: The name of a logger (`root` for all), with a handler of the application that raises at every
            record; None for no such handler.
        shuffle: Another seed, for the order in which trio runs tasks that could run.
        key_tail: What stands behind the key that the application is given.
        identified: Whether it asks for requests by whose `Idempotency-Key` a gateway knows them again.
        background: Whether it asks for responses that go on at the provider, on wires that have them.
        address: What the application is given for the server's URL: `{url}` stands for it, `{host}` for its host and
            port, `{key}` for the key.
    """

    cancel_at: tuple[int, ...] = ()
    cancel_after: float = math.inf
    quit_at: tuple[int, ...] = ()
    tools: tuple[tuple[int, ToolBody], ...] = ()
    pace: float = 0.0
    reading: Reading = "eager"
    reading_from: int = 0
    rest: float = math.inf
    room: int | None = None
    total: float | None = None
    hook: Hook | None = None
    crash: Crash | None = None
    beside: Beside | None = None
    broken_logging: str | None = None
    shuffle: int | None = None
    key_tail: str = ""
    identified: bool = False
    background: bool = False
    address: str = "{url}"

    @property
    def cuts_short(self) -> bool:
        """Whether the application may not come to its own end."""
        return (
            bool(self.cancel_at or self.quit_at)
            or self.cancel_after < math.inf
            or self.reading in ("leaves", "raises", "closes")
            or self.hook in ("on_chunk", "on_message")
        )

    def tool(self, run: int) -> ToolBody:
        """What the n-th run of a tool does."""
        for number, body in self.tools:
            if number == run:
                return body
        return "answers"
