"""What one session is to do."""

from __future__ import annotations

from msgspec import Struct

from ._fallback import Candidate
from ._output import Output
from ._recorder import Recorder
from ._retry import Retry
from ._timers import Timeouts
from ._toolbox import Toolbox

__all__ = ["Plan"]


class Plan(Struct, frozen=True, kw_only=True):
    """What a session was asked to do, checked and resolved: nothing in it changes.

    `candidates` are the models that it may ask: the first, and where that fails before anything was delivered the next.
    """

    id: str = "session"
    candidates: tuple[Candidate, ...]
    toolbox: Toolbox
    auto_tools: bool
    max_rounds: int
    timeouts: Timeouts
    retry: Retry | None
    output: Output | None = None
    recorder: Recorder | None = None
