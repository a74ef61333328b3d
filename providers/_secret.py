"""A string that does not show itself."""

from typing import final

__all__ = ["Secret"]


@final
class Secret:
    """A key or token. Its `repr` and `str` are `***`; `reveal()` is the one way to the text.

    It has no other public attribute, cannot be pickled, and compares by identity, so that it cannot leave by accident
    through a log record, a traceback, a dataclass's repr or an f-string.
    """

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """The text itself, for the one place that sends it."""
        return self._text

    def __repr__(self) -> str:
        return "***"

    def __bool__(self) -> bool:
        return bool(self._text)

    def __reduce__(self) -> str:
        raise TypeError("a Secret cannot be pickled")
