"""The output items of a response while they arrive: which event is of which, and what each has said so far."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from zlib import crc32

from ._json import as_object, as_text
from .errors import EventTooLarge

__all__ = ["OutputItem", "OutputItems", "Said"]

_MAX_ITEMS = 4096


class Said:
    """One kind of text of one item, as far as it was delivered.

    The same text comes up to four times: in pieces, whole with its part, with its item, and with the response. What a
    later telling has beyond those before it was not delivered yet; one that tells something else adds nothing. Kept is
    how much there was, and its checksum: enough to know it again at the head of a longer text.
    """

    __slots__ = ("_checksum", "_checksum_before", "_size", "_size_before", "_told")

    def __init__(self) -> None:
        self._size = 0
        self._checksum = 0
        # Of what there was before the part that is being told.
        self._size_before = 0
        self._checksum_before = 0
        self._told: int | None = None  # the part that was told whole last

    @property
    def begun(self) -> bool:
        """Whether there was any."""
        return self._size > 0

    def add(self, text: str) -> None:
        """Note a piece that is delivered."""
        self._size += len(text)
        self._checksum = crc32(text.encode(), self._checksum)

    def rest_of_part(self, index: int | None, whole: str) -> str:
        """What of this part is still to be delivered; the next piece begins another part."""
        size = self._size - self._size_before
        is_repeat = not size and self._size > 0 and index == self._told
        rest = "" if is_repeat else self._rest(whole, size, self._checksum_before)
        self._size_before, self._checksum_before = self._size, self._checksum
        self._told = index
        return rest

    def rest(self, whole: str) -> str:
        """What of the item's whole text is still to be delivered."""
        return self._rest(whole, self._size, 0)

    def _rest(self, whole: str, size: int, before: int) -> str:
        """What a text has beyond so many characters, if these are the last that were delivered."""
        if size and (len(whole) <= size or crc32(whole[:size].encode(), before) != self._checksum):
            return ""
        if rest := whole[size:]:
            self.add(rest)
        return rest


class OutputItem:
    """One output item."""

    __slots__ = (
        "call",
        "cited",
        "ended",
        "foreign",
        "heard",
        "id",
        "kind",
        "named",
        "part",
        "place",
        "said",
        "scored",
        "told",
    )

    def __init__(self, kind: str, id_: str, place: int) -> None:
        self.kind = kind
        self.id = id_
        self.place = place
        self.said: dict[str, Said] = {}
        self.part = 0  # the part of a summary that is being told
        self.cited = 0
        self.scored = False  # log probabilities came
        self.heard = False  # sound came
        self.call: int | None = None  # the place among the tool calls
        self.ended = False
        self.foreign = False  # a call of the provider's own tool, in the form of a call of the caller's
        self.named = False  # the call has its name and id
        self.told = False  # what is delivered but once was delivered

    def text(self, kind: str) -> Said:
        """What was said of this kind."""
        said = self.said.get(kind)
        if said is None:
            said = self.said[kind] = Said()
        return said


class OutputItems:
    """All items of one response.

    An event names its item by id and by place. Some servers change the ids from one event to the next, some give every
    item the same place or id, some leave one or both out: so the id counts first, then the place, if the kind of item
    fits, then the latest item of that kind.
    """

    def __init__(self) -> None:
        self._all: list[OutputItem] = []
        self._by_id: dict[tuple[str, str], OutputItem] = {}
        self._by_index: dict[int, OutputItem] = {}
        self._latest: dict[str, OutputItem] = {}

    def find(self, kind: str, id_: str | None, index: int | None) -> OutputItem:
        """The item that an event belongs to; a new one where there is none."""
        if id_:
            named = self._by_id.get((kind, id_))
            if named is not None:
                return named
        return self._near(kind, id_, index) or self._open(kind, id_ or "", index)

    def begin(self, told: dict[str, Any], index: int | None) -> OutputItem:
        """The item that an event says has begun; one whose id was that of an item that has ended is another."""
        kind, id_ = _kind_and_id(told)
        known = self._by_id.get((kind, id_)) if id_ else None
        return known if known is not None and not known.ended else self._open(kind, id_, index)

    def end(self, told: dict[str, Any], index: int | None) -> OutputItem:
        """The item that an event says is whole."""
        kind, id_ = _kind_and_id(told)
        item = self._by_id.get((kind, id_)) if id_ else None
        if item is None:
            near = self._near(kind, id_, index)
            item = near if near is not None and not near.ended else self._open(kind, id_, index)
        item.ended = True
        return item

    def matched(self, output: Sequence[Any]) -> list[tuple[OutputItem, dict[str, Any]]]:
        """What the finished response tells of each item: of that with its id, else of the next one of its kind."""
        told = [as_object(entry) for entry in output]
        known = [self._by_id.get(_kind_and_id(entry)) for entry in told]
        taken = {item.place for item in known if item is not None}
        free: dict[str, list[OutputItem]] = {}
        for item in reversed(self._all):
            if item.place not in taken:
                free.setdefault(item.kind, []).append(item)
        pairs: list[tuple[OutputItem, dict[str, Any]]] = []
        for named, entry in zip(known, told, strict=True):
            kind, id_ = _kind_and_id(entry)
            left = free.get(kind)
            pairs.append((named or (left.pop() if left else self._open(kind, id_, None)), entry))
        return pairs

    @property
    def refused(self) -> bool:
        """Whether any message holds a refusal."""
        return any("refusal" in item.said and item.said["refusal"].begun for item in self._all)

    def _near(self, kind: str, id_: str | None, index: int | None) -> OutputItem | None:
        if index is None:
            return None if id_ else self._latest.get(kind)
        item = self._by_index.get(index)
        return item if item is not None and item.kind == kind else None

    def _open(self, kind: str, id_: str, index: int | None) -> OutputItem:
        if len(self._all) >= _MAX_ITEMS:
            raise EventTooLarge(f"the response has more than {_MAX_ITEMS} items")
        item = OutputItem(kind, id_, len(self._all))
        self._all.append(item)
        self._latest[kind] = item
        if id_:
            self._by_id[kind, id_] = item
        if index is not None:
            self._by_index[index] = item
        return item


def _kind_and_id(told: dict[str, Any]) -> tuple[str, str]:
    return as_text(told.get("type")) or "", as_text(told.get("id")) or ""
