"""What comes alone out of a nursery that only we know of."""

from collections.abc import Generator
from contextlib import contextmanager

__all__ = ["ungrouped"]


@contextmanager
def ungrouped() -> Generator[None, None, None]:
    """Raise the one exception of a group as it is; put it around a nursery that is nobody else's concern.

    Without it an interrupt that arrives in a task of ours would come out as a group, and not as `KeyboardInterrupt`.

    Raises:
        BaseExceptionGroup: There was more than one.
    """
    try:
        yield
    except BaseExceptionGroup as group:
        if len(group.exceptions) != 1:
            raise
        alone = group.exceptions[0]
    else:
        return
    raise alone
