"""What a child can know and say about itself."""

from __future__ import annotations

from types import TracebackType

import trio

from ._child import Child, current
from ._published import Watchable

__all__ = ["ChildContext", "current_child"]


class UntilStop:
    """The block of `until_stop`.

    Not a generator, as type checkers take what follows `with …: await trio.sleep_forever()` for unreachable unless
    `__exit__` returns `bool`.
    """

    __slots__ = ("_child", "_scope")

    def __init__(self, child: Child) -> None:
        self._child = child
        self._scope = trio.CancelScope()

    def __enter__(self) -> trio.CancelScope:
        self._child.trap(self._scope.cancel)
        return self._scope.__enter__()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> bool:
        self._child.untrap(self._scope.cancel)
        return self._scope.__exit__(kind, error, where)


class ChildContext:
    """What a child can know and say about itself; see `current_child`."""

    __slots__ = ("_child",)

    def __init__(self, child: Child) -> None:
        self._child = child

    @property
    def id(self) -> str:
        """The child's id."""
        return self._child.spec.id

    @property
    def incarnation(self) -> int:
        """Which of its runs this is, from 1."""
        return self._child.number

    @property
    def stop_requested(self) -> trio.Event:
        """An event that is set when the supervisor asks the child to stop.

        Waiting for it is not opting in: only `until_stop` and `trap_stop` give the child time.
        """
        return self._child.stop_event()

    def until_stop(self) -> UntilStop:
        """Run a block until the supervisor asks the child to stop (OTP: `trap_exit`, and `terminate` after it).

        The block is cancelled by the stop request; what follows it runs uncancelled, for at most `ChildSpec.shutdown`
        seconds after the request. Entering it once opts in for the rest of the child's life.

        Returns:
            A context manager that gives the cancel scope of the block; its `cancelled_caught` tells whether the stop
            request ended it.
        """
        return UntilStop(self._child)

    def trap_stop(self) -> None:
        """Opt in to grace and nothing else: after the stop request the child works on for `ChildSpec.shutdown` seconds.

        For a child that ends by itself once those before it have stopped: a consumer that drains its channel.
        """
        self._child.trap()

    def watch(self, **channels: Watchable) -> None:
        """Show how full channels are in every `snapshot` of the tree, until this incarnation ends.

        Args:
            **channels: either end of a memory channel, by what it is to be called; a name given again is replaced.
        """
        self._child.publish().channels.update(channels)


def current_child() -> ChildContext:
    """Return the supervised child that is running; tasks it started count as the child.

    Raises:
        RuntimeError: there is none.
    """
    child = current.get()
    if child is None:
        raise RuntimeError("current_child() was called outside of a supervised child")
    return ChildContext(child)
