"""What a tool may know of the session that calls it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import trio

from streamd.providers import Message, ToolCall

if TYPE_CHECKING:
    from ._session import Session

__all__ = ["ToolContext"]


# No msgspec struct: that would look `Session` up, which is made of what is below it.
@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class ToolContext:
    """What a tool is called for, and by whom: given to the parameter that is annotated with it.

    The parameter may have any name, and the model is not told of it. A plain function has it too; as that runs in a
    thread, it reads freely and acts through trio: `trio.from_thread.run_sync(context.cancel_scope.cancel)`.
    """

    call: ToolCall
    """The call that is being answered."""

    round: int
    """Which of the session's requests the model answered with this call: 1 for the first."""

    messages: tuple[Message, ...]
    """The conversation so far: what the session was given, and all it added, this call's own turn being the last."""

    session: Session
    """The session. Cancelling it ends this call too; waiting for its response would wait for this call."""

    cancel_scope: trio.CancelScope
    """The scope this call runs in. Cancelling it ends the call with an error the model sees, and nothing else.

    Its deadline is the call's timeout, which a tool may move.
    """

    def __repr__(self) -> str:
        return f"<streamd.ToolContext {self.call.name!r} round {self.round}>"
