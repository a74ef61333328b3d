"""Where everything is printed: the answer to standard output, all else to standard error."""

from __future__ import annotations

from typing import TextIO

from streamd.providers import Chunk

from ._cli_render import json_line, render, safe

__all__ = ["Screen"]

DIM, NORMAL = "\x1b[2m", "\x1b[0m"


class Screen:
    """The two output streams of the process, and where the cursor is.

    On a terminal thinking is shown dimmed, and tool calls as a dim line each. Elsewhere standard output gets the
    answer's text as it came, and nothing else. Each write is flushed. Writing raises the stream's `OSError`.

    Args:
        out: Standard output.
        err: Standard error.
        as_json: Print each chunk as a line of JSON instead of its text.
        styled: Whether the terminal knows escape sequences.
    """

    def __init__(self, out: TextIO, err: TextIO, *, as_json: bool = False, styled: bool = True) -> None:
        self.err = err
        self.live = out.isatty() and err.isatty() and not as_json
        """Whether someone watches both streams: notes and progress are shown only then."""
        self._out = out
        self._terminal = out.isatty()
        self._as_json = as_json
        self._styled = styled
        self._mid_line = False
        self._dim = False

    def show(self, chunk: Chunk) -> None:
        """Print what there is to see of a chunk."""
        if self._as_json:
            self._write(json_line(chunk))
            return
        piece = render(chunk)
        if piece is None:
            return
        if piece.kind == "note":
            self.note(piece.text)
        else:
            self._speak(piece.text, dim=piece.kind == "thinking")

    def end_line(self) -> None:
        """Go to the start of a line, where the cursor is not there."""
        if self._mid_line:
            self._write("\n")

    def note(self, text: str) -> None:
        """Print a dim line to standard error, if both streams are a terminal."""
        if self.live:
            self.end_line()
            print(self._dimmed(text), file=self.err, flush=True)

    def say(self, text: str) -> None:
        """Print a line to standard error, whatever it is."""
        self.end_line()
        print(text, file=self.err, flush=True)

    def _speak(self, text: str, *, dim: bool) -> None:
        """Print a piece of the answer, or (dim) of what the model thought before it."""
        if not self._terminal:
            self._write("" if dim else text)
            return
        if dim is not self._dim:
            self.end_line()
        self._dim = dim
        self._write(safe(text), dim=dim)

    def _write(self, text: str, *, dim: bool = False) -> None:
        if text:
            self._out.write(self._dimmed(text) if dim else text)
            self._out.flush()
            self._mid_line = not text.endswith("\n")

    def _dimmed(self, text: str) -> str:
        return f"{DIM}{text}{NORMAL}" if self._styled else text
