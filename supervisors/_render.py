"""A supervision tree as text, as `pstree` draws processes."""

import math
from collections import Counter
from collections.abc import Iterator

from ._spec import require
from ._tree import Branch, ChannelFill, Frame, Tree

__all__ = ["render"]

LONGEST = 100
"""Characters shown of an id or of an error."""


def render(tree: Tree, *, most: int = 20) -> str:
    """Draw a tree, one line for each supervisor, child and task; without a newline at the end.

    A line has what is there to tell: `id#incarnation`, the state and how long, the restarts left, where the task is
    blocked, the channels it watches, how its last incarnation ended. What cannot be printed is escaped.

    Args:
        tree: what `snapshot` returned.
        most: how many children are shown of each supervisor; the others are counted in one line.

    Raises:
        InvalidSpec: `most` is less than 0.
    """
    require(most >= 0, f"render: most must be 0 or more, not {most!r}")
    head = ", ".join([f"{_clean(tree.name)} {_kind(tree)} {tree.state}", *_restarts(tree)])
    return "\n".join([head, *_below(tree, most)])


def _below(tree: Tree, most: int) -> Iterator[str]:
    """The lines under a supervisor's own."""
    shown, left = tree.children[:most], tree.children[most:]
    for branch in shown:
        yield from _indent(_branch(branch, most), last=branch is shown[-1] and not left)
    if left:
        states = Counter(branch.state for branch in left)
        counts = ", ".join(f"{number:,} {state}" for state, number in sorted(states.items()))
        yield f"└── … {len(left):,} more: {counts}"


def _branch(branch: Branch, most: int) -> Iterator[str]:
    """The lines of a child; a supervisor that is the child itself is shown in its line."""
    itself = branch.supervisors[0] if branch.kind == "supervisor" and len(branch.supervisors) == 1 else None
    label = _clean(branch.id) if branch.kind == "task" else f"{_clean(branch.id)}#{branch.incarnation}"
    parts = [f"{label} {_kind(itself)} {_state(branch)}" if itself else f"{label} {_state(branch)}"]
    if itself:
        parts += _restarts(itself)
    if branch.blocked:
        parts.append(f"at {' > '.join(map(_frame, branch.blocked))}")
    parts += map(_channel, branch.channels)
    if branch.last is not None:
        end = branch.last
        error = f": {_clean(str(end.error))}" if end.error is not None else ""
        parts.append(f"last {end.kind} after {_seconds(end.lifetime)}{error}")
    yield ", ".join(parts)
    if itself:
        yield from _below(itself, most)
    else:
        for one in branch.supervisors:
            yield from _indent(iter(render(one, most=most).split("\n")), last=one is branch.supervisors[-1])


def _indent(lines: Iterator[str], *, last: bool) -> Iterator[str]:
    yield ("└── " if last else "├── ") + next(lines)
    for line in lines:
        yield ("    " if last else "│   ") + line


def _kind(tree: Tree) -> str:
    return f"[{tree.strategy or tree.kind}]"


def _restarts(tree: Tree) -> list[str]:
    match tree.restarts_left:
        case None:
            return []
        case 1:
            return ["1 restart left"]
        case left:
            return [f"{left} restarts left"]


def _state(branch: Branch) -> str:
    if branch.next_restart is not None:
        return f"{branch.state} in {_seconds(branch.next_restart)}"
    return branch.state if branch.uptime is None else f"{branch.state} {_seconds(branch.uptime)}"


def _frame(frame: Frame) -> str:
    return f"{frame.function.rpartition('<locals>.')[2]}:{frame.line}"


def _channel(fill: ChannelFill) -> str:
    size = "∞" if fill.size == math.inf else f"{fill.size:g}"
    waiting = [f"{fill.sending} sending"] * bool(fill.sending)
    waiting += [f"{fill.receiving} receiving"] * bool(fill.receiving)
    return " ".join(
        [f"{_clean(fill.name)} {fill.used}/{size}", *(f"({', '.join(waiting)})" for _ in waiting[:1])]
    )


def _seconds(seconds: float) -> str:
    """Return a duration in its two largest units: `0.25 s`, `12 s`, `3 min 5 s`, `2 h 0 min`, `4 d 7 h`."""
    if seconds < 10:
        return f"{seconds:.3g} s"
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    units = [(days, "d"), (hours, "h"), (minutes, "min"), (rest, "s")]
    first = next(i for i, (number, _) in enumerate(units) if number)
    return " ".join(f"{number} {unit}" for number, unit in units[first : first + 2])


def _clean(text: str) -> str:
    """Return a text on one line that does nothing to a terminal."""
    text = text if len(text) <= LONGEST else f"{text[:LONGEST]}…"
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)
