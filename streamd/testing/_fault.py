"""A fault as a user names it: what goes wrong, where, and how often."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from typing import Literal, cast, get_args

from msgspec import Struct

from streamd.errors import ConfigError

__all__ = ["At", "Fault", "FaultLike", "Plan", "Unit", "parse_plan", "plan_of"]

Unit = Literal["byte", "raw", "event", "kind", "field", "phase", "tool", "step", "second"]
"""What a place is counted in.

`byte` counts the body's bytes, `raw` those of the head and the framing too, `event` the events; negative numbers count
from the end. `kind` names the first event of a kind, such as `text` or `finish`. `field` and `phase` are names. `tool`
counts tool runs and `step` scheduler steps of the application, from 1. `second` is virtual time.
"""

_UNITS: dict[str, Unit] = {unit: unit for unit in get_args(Unit)}
_TEXT = re.compile(
    r"(?P<name>[a-z0-9]+\.[A-Za-z0-9_]+)"
    r"(?:=(?P<value>[^@\s]*))?"
    r"(?:@(?P<unit>[a-z]+):(?P<place>\S+))?"
    r"(?:\s+x(?P<times>\d+|\*))?"
    r"(?:\s+if\s+(?P<when>turn|request):(?P<number>\d+))?"
)


class At(Struct, frozen=True):
    """A place: a whole number, a share of the whole from 0 to 1, or a name."""

    unit: Unit
    place: int | float | str

    def __str__(self) -> str:
        place = f"{self.place * 100:g}%" if isinstance(self.place, float) else self.place
        return f"{self.unit}:{place}"

    @classmethod
    def parse(cls, text: str) -> At:
        """Read `byte:120`, `byte:50%`, `event:-1` or `kind:finish`.

        Raises:
            ConfigError: It is no place.
        """
        name, _, place = text.partition(":")
        unit = _UNITS.get(name)
        if unit is None or not place:
            raise ConfigError(f"{text!r} is no place: write UNIT:PLACE, the units being {', '.join(_UNITS)}")
        if re.fullmatch(r"-?\d+", place):
            return cls(unit, int(place))
        if re.fullmatch(r"\d+(\.\d+)?%", place):
            return cls(unit, float(place[:-1]) / 100)
        return cls(unit, place)


class Fault(Struct, frozen=True):
    """One thing that goes wrong.

    It is written, and read back by `parse`, as `net.reset@byte:120`, `http.status=429 x2`, `net.fin x*` or
    `time.stall=90@event:3 if turn:2`.

    Args:
        name: Its name in the catalogue.
        at: Where it strikes; chosen by the seed if None.
        times: How many requests it strikes, the first of those it could; `math.inf` for all of them.
        when: It strikes only requests for this turn (`turn:2`), or only this request (`request:2`), from 1; any if
            None.
        value: What the fault takes: a status, a number of seconds, a size; its own default if None.
    """

    name: str
    at: At | None = None
    times: float = 1
    when: tuple[Literal["turn", "request"], int] | None = None
    value: str | None = None

    def __str__(self) -> str:
        text = self.name
        if self.value is not None:
            text += f"={self.value}"
        if self.at is not None:
            text += f"@{self.at}"
        if self.times != 1:
            text += " x*" if math.isinf(self.times) else f" x{int(self.times)}"
        if self.when is not None:
            text += f" if {self.when[0]}:{self.when[1]}"
        return text

    def is_meant(self, request: int, turn: int | None) -> bool:
        """Whether it strikes this request, by what `when` says; a turn that is not known can be any."""
        match self.when:
            case None:
                return True
            case ("turn", wanted):
                return turn is None or wanted == turn
            case (_, wanted):
                return wanted == request

    @classmethod
    def parse(cls, text: str) -> Fault:
        """Read a fault as it is written.

        Raises:
            ConfigError: It is no fault; whether the catalogue has it is looked at only when it is used.
        """
        found = _TEXT.fullmatch(text.strip())
        if found is None:
            raise ConfigError(
                f"{text!r} is no fault: write NAME[=VALUE][@UNIT:PLACE][ xTIMES][ if turn:N], such as "
                "'net.reset@byte:120 x2'"
            )
        at = At.parse(f"{found['unit']}:{found['place']}") if found["unit"] else None
        times = math.inf if found["times"] == "*" else float(found["times"] or 1)
        when: tuple[Literal["turn", "request"], int] | None = None
        if found["when"]:
            if not int(found["number"]):
                raise ConfigError(
                    f"the fault {text!r} can never strike: turns and requests are counted from 1"
                )
            when = ("turn" if found["when"] == "turn" else "request", int(found["number"]))
        return cls(found["name"], at, int(times) if math.isfinite(times) else times, when, found["value"])


Plan = tuple[Fault, ...]
"""The faults of one run, in the order in which they are applied, but for those that are `late`."""

FaultLike = Fault | str
"""A fault, or one as it is written."""


def plan_of(faults: Iterable[FaultLike]) -> Plan:
    """The plan of these faults.

    Raises:
        ConfigError: One that is given as a text cannot be read, or is neither a text nor a fault.
    """
    plan: list[Fault] = []
    for fault in faults:
        given = cast("object", fault)
        if not isinstance(given, Fault | str):
            raise ConfigError(
                f"{given!r:.80} is no fault, nor one as it is written, such as 'net.reset@byte:120'"
            )
        plan.append(given if isinstance(given, Fault) else Fault.parse(given))
    return tuple(plan)


def parse_plan(text: str) -> Plan:
    """The plan that a text is: faults with ` + ` between them."""
    return plan_of(part for part in text.split(" + ") if part.strip())
