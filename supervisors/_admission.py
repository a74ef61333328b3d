"""How a child comes into a pool: a place for it, and its handshake, in the task of whoever starts it."""

import math

import trio

from ._child import Child
from ._errors import ChildFailure, MaxChildrenReached, NotRunning, start_error
from ._exits import is_fatal
from ._pool import Place, Pool
from ._spec import ChildSpec
from ._stop import join

__all__ = ["handshake", "take_room"]


async def take_room(pool: Pool, most: int, spec: ChildSpec, *, wait: bool) -> None:
    """Return once there is a place for one more.

    Args:
        pool: where.
        most: how many places there are.
        spec: the child, for the error.
        wait: whether to wait for a place; first come, first served.

    Raises:
        MaxChildrenReached: there is no place.
    """
    if len(pool.places) + pool.promised < most or pool.closing is not None:
        return
    if not wait:
        raise MaxChildrenReached(
            f"{pool.path}: start_child({spec.id!r}): there are {most} children, the most allowed"
        )
    await pool.room.park()
    pool.promised -= 1


async def handshake(place: Place, child: Child) -> None:
    """Wait until a new child is ready, or has returned early.

    Raises:
        ChildStartError: it failed, or took too long.
        NotRunning: it was stopped.

    Cancelling it cancels the child and waits for its end.
    """
    spec, path = place.spec, place.path
    changed = place.changed = trio.Event()
    try:
        if spec.start_timeout == math.inf:
            await changed.wait()
        else:
            with trio.CancelScope(deadline=trio.current_time() + spec.start_timeout):
                await changed.wait()
    except BaseException:
        await _cancel(place, child, f"{path}: the caller of start_child({spec.id!r}) was cancelled")
        raise
    finally:
        place.changed = None
    if child.ready:
        return
    late: trio.TooSlowError | None = None
    if child.exit is None:
        late = trio.TooSlowError(f"child {spec.id!r} was not ready after {spec.start_timeout:g} s")
        await _cancel(place, child, f"{path}: {late}")
    assert child.exit is not None
    error = child.exit.error
    if is_fatal(error):
        raise _stopped(path, spec)
    if late is not None:
        late.__cause__ = error
        error = late
    if error is not None:
        raise start_error(path, ChildFailure(spec.id, child.number, error))
    if child.exit.kind != "returned":
        raise _stopped(path, spec)


def _stopped(path: str, spec: ChildSpec) -> NotRunning:
    return NotRunning(f"{path}: start_child({spec.id!r}): the child was stopped before it was ready")


async def _cancel(place: Place, child: Child, reason: str) -> None:
    child.request_stop()
    child.scope.cancel(reason)
    await join(child, place.pool.journal)
