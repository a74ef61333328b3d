"""The catalogue: every kind of fault, by name."""

from __future__ import annotations

from collections.abc import Iterator

from streamd.errors import ConfigError

from ._faults_framing import FRAMING
from ._faults_h1 import H1
from ._faults_http import HTTP
from ._faults_json import JSON
from ._faults_net import NET
from ._faults_order import ORDER
from ._faults_prov import PROV
from ._faults_resume import RESUME
from ._faults_rt import RT
from ._faults_sec import SEC
from ._faults_sse import SSE
from ._faults_sse_events import SSE_EVENTS
from ._faults_time import TIME
from ._faults_tool import TOOL
from ._faults_use import USE
from ._kind import FaultKind

__all__ = ["CATALOGUE", "kind_named"]


def _rows() -> Iterator[FaultKind]:
    for table in (
        NET,
        H1,
        HTTP,
        SEC,
        SSE,
        SSE_EVENTS,
        FRAMING,
        ORDER,
        JSON,
        PROV,
        RESUME,
        TOOL,
        TIME,
        USE,
        RT,
    ):
        yield from table


CATALOGUE: dict[str, FaultKind] = {kind.name: kind for kind in _rows()}
"""The kinds of faults, by name."""


def kind_named(name: str) -> FaultKind:
    """The kind of this name.

    Raises:
        ConfigError: There is none.
    """
    if name not in CATALOGUE:
        layer = name.partition(".")[0]
        near = [known for known in CATALOGUE if known.startswith(f"{layer}.")] or list(CATALOGUE)
        raise ConfigError(f"the catalogue has no fault {name!r}; it has: {', '.join(near)}")
    return CATALOGUE[name]
