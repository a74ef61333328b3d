"""How a run may end that a fault struck."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from streamd.providers import StreamdError

__all__ = ["Expect", "is_among", "label"]


class Expect(Struct, frozen=True):
    """How a run may end whose last attempt was struck.

    Where the provider's terminal evidence came, and nothing fatal before it, the run must complete; where it did not
    come the run must fail, with one of `errors`: names of classes in `streamd.errors`, a subclass counting as its base,
    or `Stalled(idle)` and the like with the timer. `either` lifts both duties: completing and failing are as good.
    `final` says that the same request cannot succeed: no attempt may follow. `refusable` says that a client may refuse
    the reply by its head, with one of `errors`: then it need not have told, or finished, what it did not read. `unsent`
    says that no request may be made at all, and `last` that no attempt may follow, whatever else struck. `once` says
    that one more attempt is enough: a second answer of the kind is no chance. `own` says that an application may be
    stricter than streamd is, and fail with an error of its own where the turn was complete.

    After a class may stand `/` and a phase, as in `ConnectionLost/send`.
    """

    errors: tuple[str, ...] = ()
    either: bool = False
    final: bool = False
    refusable: bool = False
    unsent: bool = False
    last: bool = False
    once: bool = False
    own: bool = False


def label(error: BaseException) -> str:
    """An error's name, as it is in `Expect.errors`."""
    which = getattr(error, "which", None)
    return type(error).__name__ + (f"({which})" if isinstance(which, str) else "")


def is_among(error: StreamdError, names: Sequence[str]) -> bool:
    """Whether an error is one of these, which are written as in `Expect.errors`."""
    bases = {base.__name__ for base in type(error).__mro__}
    for name in names:
        kind, _, phase = name.partition("/")
        if (kind in bases or kind == label(error)) and phase in ("", error.phase):
            return True
    return False
