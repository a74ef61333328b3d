"""Names for what may be restarted under them (Elixir: `Registry` with unique keys)."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Generic, TypeVar

import trio

from ._child import Child, Owner, current
from ._errors import NameTaken, NotRunning, UnknownName
from ._ref import ChildRef, child_of

__all__ = ["Registry"]

RefT = TypeVar("RefT")


class Registry(Generic[RefT]):
    """Unique names, each for as long as one child runs. Registries are objects; there is no global one.

    A name is gone in the very step in which its child ends, before anybody can hear of the end: no name ever resolves
    to what is dead. As long as the child is to be restarted, its name is kept for it: nobody else can take it. A child
    that registers its name whenever it starts, as an `Actor` does in `init`, so has it again after every restart.
    """

    __slots__ = ("__weakref__", "_awaited", "_entries", "_kept", "_names")

    def __init__(self) -> None:
        self._entries: dict[Hashable, tuple[RefT, Child]] = {}
        self._names: dict[Child, dict[Hashable, None]] = {}  # of every live child that ever registered here
        self._kept: dict[Hashable, tuple[Owner, str]] = {}  # names of children between two of their runs
        self._awaited: dict[Hashable, trio.lowlevel.ParkingLot] = {}

    def register(self, name: Hashable, ref: RefT, *, child: ChildRef | None = None) -> None:
        """Give a name to a ref until a child ends. Does not wait.

        Args:
            name: what it is looked up by.
            ref: what `lookup` returns: an `ActorRef`, a `ChildRef`, a channel…
            child: whose end frees the name; None is the child that is running, see `current_child`.

        Raises:
            NameTaken: the name is in use, be it by the same child, or is kept for a child that is to be restarted.
            NotRunning: the child has ended.
            RuntimeError: `child` was not given outside of a supervised child.
        """
        holder = current.get() if child is None else child_of(child)
        if holder is None:
            raise RuntimeError(
                f"register({name!r}) was called outside of a supervised child, without `child`"
            )
        if holder.exit is not None:
            raise NotRunning(f"register({name!r}): child {holder.spec.id!r} has ended")
        if name in self._entries:
            raise NameTaken(f"register({name!r}): child {self._entries[name][1].spec.id!r} has this name")
        kept = self._kept.pop(name, None)
        if kept not in (None, (holder.owner, holder.spec.id)) and kept[0].expects(kept[1]):
            self._kept[name] = kept
            raise NameTaken(f"register({name!r}): it is kept for child {kept[1]!r}, which is to be restarted")
        self._entries[name] = ref, holder
        if holder not in self._names:
            self._names[holder] = {}
            holder.at_exit(self._forget)
        self._names[holder][name] = None
        if name in self._awaited:
            self._awaited.pop(name).unpark_all()

    def unregister(self, name: Hashable) -> None:
        """Free a name before its child ends. Does not wait.

        Args:
            name: the name.

        Raises:
            UnknownName: nothing has it.
        """
        if name not in self._entries:
            raise UnknownName(f"unregister({name!r}): nothing is registered under this name")
        _, holder = self._entries.pop(name)
        del self._names[holder][name]

    def lookup(self, name: Hashable) -> RefT:
        """Return what has a name. Does not wait.

        Args:
            name: the name.

        Raises:
            UnknownName: nothing has it, or not at this moment: its child may be about to be restarted.
        """
        if name not in self._entries:
            raise UnknownName(f"lookup({name!r}): nothing is registered under this name")
        return self._entries[name][0]

    async def wait(self, name: Hashable) -> RefT:
        """Wait until something has a name, and return it.

        Args:
            name: the name.

        Cancelling it has no other effect.
        """
        await trio.lowlevel.checkpoint()
        while name not in self._entries:
            lot = self._awaited.setdefault(name, trio.lowlevel.ParkingLot())
            try:
                await lot.park()
            finally:
                if not lot and self._awaited.get(name) is lot:
                    del self._awaited[name]
        return self._entries[name][0]

    def names(self) -> tuple[Hashable, ...]:
        """Return every name in use, in the order they were registered."""
        return tuple(self._entries)

    def __contains__(self, name: object) -> bool:
        """Tell whether a name is in use."""
        return name in self._entries

    def __len__(self) -> int:
        """Return how many names are in use."""
        return len(self._entries)

    def _forget(self, child: Child) -> None:
        self._kept = {name: kept for name, kept in self._kept.items() if kept[0].expects(kept[1])}
        for name in self._names.pop(child):
            del self._entries[name]
            if child.owner.expects(child.spec.id):
                self._kept[name] = child.owner, child.spec.id
