"""What a supervisor was made with, checked before anything starts."""

import math
import random
from collections.abc import Callable, Iterable, Sequence
from contextvars import Context
from dataclasses import dataclass

from ._errors import InvalidSpec
from ._events import Observer
from ._spec import (
    AUTO_SHUTDOWNS,
    STRATEGIES,
    AutoShutdown,
    Backoff,
    ChildSpec,
    RestartLimit,
    Strategy,
    check_reachable,
    require,
)

__all__ = ["Plan"]


@dataclass(frozen=True, slots=True)
class Plan:
    """The arguments of a `Supervisor`, where each is explained, and the context variables it was made in.

    Raises:
        InvalidSpec: one is out of its range, or two cannot go together.
    """

    children: tuple[ChildSpec, ...]
    build: Callable[[], Iterable[ChildSpec]] | None
    strategy: Strategy
    restarts: RestartLimit
    backoff: Backoff | None
    auto_shutdown: AutoShutdown
    cancel_grace: float
    name: str | None
    observer: Observer | None
    rng: random.Random | None
    context: Context

    def __post_init__(self) -> None:
        if self.strategy not in STRATEGIES:
            raise InvalidSpec(f"strategy must be one of {STRATEGIES}, not {self.strategy!r}")
        if self.auto_shutdown not in AUTO_SHUTDOWNS:
            raise InvalidSpec(f"auto_shutdown must be one of {AUTO_SHUTDOWNS}, not {self.auto_shutdown!r}")
        if not 0 <= self.cancel_grace < math.inf:
            raise InvalidSpec(f"cancel_grace must be finite and 0 or more seconds, not {self.cancel_grace!r}")
        if self.build is not None:
            require(not self.children, "give either children or build=, not both")
            require(
                self.strategy == "one_for_all",
                'build= needs strategy="one_for_all": what is built together must be restarted together',
            )
        check_reachable(self.restarts, self.backoff, self.name or "the supervisor")
        self.check(self.children)

    def check(self, children: Sequence[ChildSpec]) -> None:
        """Check that specs suit each other and this supervisor.

        Raises:
            InvalidSpec: two have one id, one is significant without `auto_shutdown`, or the limit could never be
                reached.
        """
        ids: set[str] = set()
        for spec in children:
            if not isinstance(spec, ChildSpec):  # pyright: ignore[reportUnnecessaryIsInstance] - untyped callers
                raise InvalidSpec(f"a child must be given as a ChildSpec, not {spec!r}")
            if spec.id in ids:
                raise InvalidSpec(f"two children have the id {spec.id!r}")
            ids.add(spec.id)
            if spec.significant and self.auto_shutdown == "never":
                raise InvalidSpec(f'child {spec.id!r} is significant, but auto_shutdown is "never"')
            if spec.backoff is not None:
                check_reachable(self.restarts, spec.backoff, f"child {spec.id!r}")
