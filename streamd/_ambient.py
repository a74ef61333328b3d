"""What stands between every session of the process and the network, while a test says so."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import contextmanager

from ._conversation import Plan
from ._http import HTTPClient

__all__ = ["Stage", "staged", "staging"]

Stage = Callable[[Plan, HTTPClient], tuple[Plan, HTTPClient]]
"""Given what a session was to do and with which client, gives what it is to do instead. May raise `ConfigError`."""

# Of the process and no context variable: code under test may run trio in a thread of its own, which inherits none.
_stages: list[Stage] = []


@contextmanager
def staging(stage: Stage) -> Generator[None, None, None]:
    """Put every session that is opened while the block runs on this stage; of nested ones the innermost counts."""
    _stages.append(stage)
    try:
        yield
    finally:
        _stages.remove(stage)


def staged(plan: Plan, client: HTTPClient) -> tuple[Plan, HTTPClient]:
    """What a session is to do, and with which client."""
    return _stages[-1](plan, client) if _stages else (plan, client)
