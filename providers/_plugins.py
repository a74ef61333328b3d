"""Providers other distributions bring."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from ._provider import Provider
from .errors import ConfigError, StreamdError

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

__all__ = ["GROUP", "load_provider", "registered"]

GROUP = "streamd.providers"
"""The entry-point group: each entry is a callable that takes the options by name and returns a `Provider`."""


def registered() -> dict[str, EntryPoint]:
    """The entry points of the group, by name."""
    from importlib.metadata import entry_points  # noqa: PLC0415 - slow to import, and seldom asked for

    return {entry.name: entry for entry in entry_points(group=GROUP)}


def load_provider(entry: EntryPoint, options: Mapping[str, object]) -> Provider:
    """The provider an entry point makes of the options.

    Raises:
        ConfigError: Its own, or one that names the entry point, where it cannot be imported or called or gives
            something that is no provider.
    """
    where = f"the provider {entry.name!r} (entry point {entry.value!r})"
    try:
        made = entry.load()(**options)
    except StreamdError:
        raise
    except Exception as error:  # what someone else's code raises is not for us to foresee
        raise ConfigError(f"{where} is broken: {type(error).__name__}") from error
    if not isinstance(made, Provider):
        raise ConfigError(f"{where} gave a {type(made).__name__}, which is not a provider")
    return made
