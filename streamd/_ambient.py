"""What stands between every session of the process and the network, while a test says so."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import contextmanager

from ._http import HTTPClient
from ._session_plan import Plan

__all__ = ["Stage", "is_offline", "staged", "staging"]

Stage = Callable[[Plan, HTTPClient], tuple[Plan, HTTPClient]]
"""Given what a session was to do and with which client, gives what it is to do instead. May raise `ConfigError`."""

# Of the process and no context variable: code under test may run trio in a thread of its own, which inherits none.
_stages: list[tuple[Stage, bool]] = []


@contextmanager
def staging(stage: Stage, *, offline: bool) -> Generator[None, None, None]:
    """Put every session that is opened while the block runs on this stage; of nested ones the innermost counts.

    Args:
        stage: Asked for each session.
        offline: Whether nothing is asked of any server, so that none has to be started.
    """
    entry = (stage, offline)
    _stages.append(entry)
    try:
        yield
    finally:
        _stages.remove(entry)


def is_offline() -> bool:
    """Whether sessions are only played."""
    return bool(_stages) and _stages[-1][1]


def staged(plan: Plan, client: HTTPClient) -> tuple[Plan, HTTPClient]:
    """What a session is to do, and with which client."""
    return _stages[-1][0](plan, client) if _stages else (plan, client)
