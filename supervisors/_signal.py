"""What a supervisor's loop sleeps on."""

import trio

__all__ = ["Signal"]


class Signal:
    """A flag with one waiter, cleared by waiting: a `trio.Event` that need not be made anew for every sleep.

    Setting it many times before the waiter runs wakes it once.
    """

    __slots__ = ("_set", "_waiter")

    def __init__(self) -> None:
        self._set = False
        self._waiter: trio.lowlevel.Task | None = None

    @trio.lowlevel.enable_ki_protection
    def set(self) -> None:
        """Wake the waiter, or let the next `wait` return at once."""
        if self._waiter is None:
            self._set = True
        else:
            trio.lowlevel.reschedule(self._waiter)
            self._waiter = None

    @trio.lowlevel.enable_ki_protection
    async def wait(self) -> None:
        """Return once the signal is set, and clear it. Not a checkpoint if it is set already."""
        if self._set:
            self._set = False
            return
        self._waiter = trio.lowlevel.current_task()
        await trio.lowlevel.wait_task_rescheduled(self._abort)

    def _abort(self, _: object) -> trio.lowlevel.Abort:
        self._waiter = None
        return trio.lowlevel.Abort.SUCCEEDED
