"""What a supervisor refuses before it starts anything."""

import math
from collections.abc import Callable, Iterable, Sequence

from ._errors import InvalidSpec
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

__all__ = ["check_children", "check_options"]


def check_options(
    children: Sequence[ChildSpec],
    *,
    build: Callable[[], Iterable[ChildSpec]] | None,
    strategy: Strategy,
    auto_shutdown: AutoShutdown,
    cancel_grace: float,
) -> None:
    """Check a supervisor's options.

    Raises:
        InvalidSpec: one is out of its range, or two cannot go together.
    """
    require(strategy in STRATEGIES, f"strategy must be one of {STRATEGIES}, not {strategy!r}")
    require(
        auto_shutdown in AUTO_SHUTDOWNS,
        f"auto_shutdown must be one of {AUTO_SHUTDOWNS}, not {auto_shutdown!r}",
    )
    require(
        0 <= cancel_grace < math.inf,
        f"cancel_grace must be 0 or more seconds and finite, not {cancel_grace!r}",
    )
    if build is not None:
        require(not children, "give either children or build=, not both")
        require(
            strategy == "one_for_all",
            'build= needs strategy="one_for_all": what is built together must be restarted together',
        )


def check_children(
    children: Sequence[ChildSpec],
    *,
    auto_shutdown: AutoShutdown,
    limit: RestartLimit,
    backoff: Backoff | None,
) -> None:
    """Check that specs suit each other and their supervisor.

    Raises:
        InvalidSpec: two have one id, one is significant without `auto_shutdown`, or the limit could never be reached.
    """
    ids: set[str] = set()
    for spec in children:
        if not isinstance(spec, ChildSpec):  # pyright: ignore[reportUnnecessaryIsInstance] - untyped callers
            raise InvalidSpec(f"a child must be given as a ChildSpec, not {spec!r}")
        if spec.id in ids:
            raise InvalidSpec(f"two children have the id {spec.id!r}")
        ids.add(spec.id)
        if spec.significant and auto_shutdown == "never":
            raise InvalidSpec(
                f'child {spec.id!r} is significant, which means nothing with auto_shutdown="never"'
            )
        if spec.backoff is not None:
            check_reachable(limit, spec.backoff, f"child {spec.id!r}")
    check_reachable(limit, backoff, "the supervisor")
