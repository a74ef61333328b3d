"""What the owner of a child holds of it."""

from ._child import Child, Owner
from ._exits import Exit

__all__ = ["ChildRef", "child_of", "owner_of"]


class ChildRef:
    """One incarnation of a child, as `start_child` returns it (OTP: the pid).

    A restart makes a new incarnation; the ref goes on speaking of its own.
    """

    __slots__ = ("_child",)

    def __init__(self, child: Child) -> None:
        self._child = child

    @property
    def id(self) -> str:
        """The child's id."""
        return self._child.spec.id

    @property
    def incarnation(self) -> int:
        """Which of the child's runs this is, from 1."""
        return self._child.number

    @property
    def value(self) -> object:
        """What the child gave to `task_status.started(value)`, or None."""
        return self._child.value

    async def wait(self) -> Exit:
        """Wait until this incarnation has ended, and tell how (OTP: a monitor).

        Any number of tasks may wait. Cancelling the wait does nothing to the child.
        """
        return await self._child.wait()

    def __repr__(self) -> str:
        return f"<ChildRef {self.id}#{self.incarnation}>"


def owner_of(ref: ChildRef) -> Owner:
    """Return whom the child of a ref reports to."""
    return ref._child.owner  # pyright: ignore[reportPrivateUsage] - same file


def child_of(ref: ChildRef) -> Child:
    """Return the incarnation a ref speaks of."""
    return ref._child  # pyright: ignore[reportPrivateUsage] - same file
