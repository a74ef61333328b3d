"""A session's output while it arrives."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import Any, Final, Self, final

import trio

from streamd.providers import Chunk, Reset, Stop, Text, ToolCall, ToolCallDelta

from ._output import Output, arguments_text, unfenced
from ._output_prefix import Unfit, goes_on, visible
from ._output_schema import Mismatch
from .errors import ConfigError, StreamdError

__all__ = ["NOTHING", "GrowingOutput", "PartialStream"]

NOTHING: Final = object()
"""In the place of a value where there is none, or none that was not there before."""

_GROWTH = 64
"""A text is parsed again once it has grown by a 64th of itself: however many chunks it came in, all parsing together
costs no more than parsing the whole some 65 times."""

_FENCE = re.compile(r"\s*```json[ \t]*\r?\n")


class GrowingOutput:
    """The output of a session, as far as its chunks tell. Nothing in it waits.

    Raises:
        ConfigError: The parser of unfinished JSON is not installed.
    """

    __slots__ = (
        "_call",
        "_call_text",
        "_names",
        "_next",
        "_output",
        "_over",
        "_parse",
        "_pieces",
        "_shown",
        "_size",
    )

    def __init__(self, output: Output) -> None:
        self._parse = _partial_parser()
        self._output = output
        self._begin()

    def _begin(self) -> None:
        self._shown: Any = NOTHING
        self._pieces: list[str] = []
        self._size = 0
        self._next: float = 1
        self._names: dict[int, str] = {}
        self._call: int | None = None  # the index of the call that is the answer, before which no text counts
        self._call_text: str | None = None  # its arguments, once it is closed
        self._over = False

    def take(self, chunk: Chunk) -> None:
        """Take the next chunk. A turn that begins after another puts its own output in the place of that one's."""
        if self._over and isinstance(chunk, Text | ToolCallDelta | ToolCall):
            self._begin()
        match chunk:
            case Text(text) if self._call is None:
                self._add(text)
            case ToolCallDelta(index, _, name, fragment):
                self._names[index] = self._names.get(index, "") + (name or "")
                if self._call is None and self._names[index] == self._output.name:
                    self._call, self._pieces, self._size, self._next = index, [], 0, 1
                if self._call == index:
                    self._add(fragment)
            case ToolCall(name=self._output.name) if self._call_text is None:
                self._call_text = arguments_text(chunk)
            case Stop():
                self._over, self._next = True, 0
            case Reset():
                self._begin()
            case _:
                pass

    def look(self) -> Any:
        """The value as far as it came, where that is more than at the last look; `NOTHING` else.

        It parses what came only where that has grown enough, or the turn has ended.
        """
        if self._size < self._next:
            return NOTHING
        text = "".join(self._pieces)
        self._pieces = [text]
        value = self._last(text) if self._over else self._growing(text)
        self._next = math.inf if self._over else self._size + max(1, self._size // _GROWTH)
        if value is NOTHING or value == self._shown:
            return NOTHING
        # The parser leaves out half a number or key: what stood before it is then the last value, and seems unfinished.
        if not self._over and self._shown is not NOTHING and not goes_on(self._shown, value):
            return NOTHING
        self._shown = value
        return value

    def _add(self, text: str) -> None:
        self._pieces.append(text)
        self._size += len(text)

    def _growing(self, text: str) -> Any:
        fence = _FENCE.match(text)
        begun = text[fence.end() :] if fence is not None else text
        try:
            data = self._parse(begun.encode("utf-8", "replace"))
            return self._output.schema.unwrap(visible(data, self._output.schema.schema))
        except (ValueError, KeyError, Unfit, RecursionError):
            return NOTHING

    def _last(self, text: str) -> Any:
        whole = unfenced(text) if self._call_text is None else self._call_text
        try:
            self._output.schema.decode(whole)
        except Mismatch:
            return NOTHING
        return self._output.schema.plain(whole)


@final
class PartialStream:
    """The output of a session as it grows; reading it reads the session. Made by `Session.partial`."""

    def __init__(
        self, chunks: trio.abc.ReceiveChannel[Chunk], receive_nowait: Callable[[], Chunk], output: Output
    ) -> None:
        self._chunks = chunks
        self._receive_nowait = receive_nowait
        self._output = GrowingOutput(output)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Any:
        while True:
            self._output.take(await self._chunks.__anext__())
            self._take_queued()
            value = self._output.look()
            if value is not NOTHING:
                return value

    def _take_queued(self) -> None:
        """Take what came while the consumer was busy: only the latest state is of use to it."""
        while True:
            try:
                self._output.take(self._receive_nowait())
            except (trio.WouldBlock, trio.EndOfChannel, trio.ClosedResourceError, StreamdError):
                return  # an end is read again with the next value


def _partial_parser() -> Callable[[bytes], Any]:
    try:
        import jiter  # noqa: PLC0415  (an extra: it may not be there)
    except ImportError as exc:
        raise ConfigError(
            "Session.partial needs a parser of unfinished JSON: pip install 'streamd-llm[output]'"
        ) from exc
    return lambda data: jiter.from_json(data, partial_mode="trailing-strings", allow_inf_nan=False)
