"""How one run of a child ended."""

from dataclasses import dataclass
from typing import Literal

import trio

from ._errors import LeakedCancellation

__all__ = ["Exit", "ExitKind", "is_fatal"]

ExitKind = Literal["returned", "stopped", "cancelled", "failed"]
"""`returned` by itself, `stopped` within its grace after a stop request, `cancelled`, or `failed` with an error."""


@dataclass(frozen=True, slots=True)
class Exit:
    """The end of one incarnation of a child (OTP: the reason of an exit signal).

    Attributes:
        kind: `"returned"`: the function returned by itself. `"stopped"`: it returned after the supervisor had asked
            it to stop, within its grace. `"cancelled"`: the supervisor cancelled it. `"failed"`: it raised.
        error: what it raised, if it failed.
        lifetime: seconds of trio's clock between its start and its end.
        value: what the function returned, if it did.
    """

    kind: ExitKind
    error: BaseException | None = None
    lifetime: float = 0.0
    value: object = None


def is_fatal(error: BaseException | None) -> bool:
    """Tell whether an error ends the whole supervisor: `KeyboardInterrupt`, `SystemExit` and the like are no crash.

    A group counts as a crash if everything in it is an `Exception`.
    """
    if error is None:
        return False
    return not isinstance(error, Exception) or isinstance(error, (trio.TrioInternalError, LeakedCancellation))
