"""Asking a function of the caller's for a key, or for credentials, that are good now."""

from __future__ import annotations

import inspect
from collections.abc import Callable

from .errors import ConfigError, StreamdError

__all__ = ["ask_for"]


def ask_for(ask: Callable[[], object], where: str) -> object:
    """What the function gives.

    Args:
        ask: Called without arguments.
        where: Whose function it is, for the message.

    Raises:
        ConfigError: It failed (its exception is the cause), or is async.
    """
    try:
        given = ask()
    except StreamdError:
        raise
    except Exception as error:  # what someone else's code raises is not for us to foresee
        raise ConfigError(f"{where} failed: {type(error).__name__}") from error
    if inspect.iscoroutine(given):
        given.close()  # it is never awaited, which Python would warn of
        raise ConfigError(f"{where} is async: give a plain one")
    return given
