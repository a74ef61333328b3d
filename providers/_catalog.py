"""The providers known by name, one row each."""

from __future__ import annotations

import os
from collections.abc import Mapping

from msgspec import Struct

from ._aws_credentials import CREDENTIALS_ENV
from ._clouds import CLOUDS
from ._formats import FORMATS
from ._hosted import HOSTED
from ._own_servers import OWN_SERVERS
from ._place import shown_base_url
from ._plugins import registered
from ._row import ProviderRow

__all__ = ["PROVIDERS", "ProviderInfo", "known_providers"]

PROVIDERS: dict[str, ProviderRow] = {
    name: row for name, row in {**HOSTED, **CLOUDS, **OWN_SERVERS}.items() if row.wire in FORMATS
}
"""The providers this library knows by itself. Others register by the entry-point group `streamd.providers`."""


class ProviderInfo(Struct, frozen=True):
    """A provider as the present environment has it.

    Args:
        name: What it is called by `resolve`.
        wire: The name of its wire.
        base_url: Where it is, a setting that is missing shown as `{name}`; None where there is no telling, or where
            the environment's cannot be used.
        key_env: The variables of a key or token, in order.
        base_url_env: The variables of a base URL, in order.
        key_required: Whether nothing can be asked without a key.
        key_set: Whether a key is there.
        setting_env: The variables of what its address is made with.
        title: What it calls itself.
    """

    name: str
    wire: str
    base_url: str | None
    key_env: tuple[str, ...]
    base_url_env: tuple[str, ...]
    key_required: bool
    key_set: bool
    setting_env: tuple[str, ...] = ()
    title: str = ""


def known_providers(environ: Mapping[str, str] | None = None) -> tuple[ProviderInfo, ...]:
    """Every provider of `PROVIDERS` as the environment has it, in the order of the table, and those of plugins.

    Of a plugin's provider only its name is known before it is made: its wire is `plugin`, and its title what makes it.

    Args:
        environ: The environment; the process's own where None.
    """
    environ = os.environ if environ is None else environ
    table = [_info(name, row, environ) for name, row in PROVIDERS.items()]
    others = [
        ProviderInfo(name, "plugin", None, (), (), key_required=False, key_set=False, title=entry.value)
        for name, entry in sorted(registered().items())
        if name not in PROVIDERS
    ]
    return (*table, *others)


def _info(name: str, row: ProviderRow, environ: Mapping[str, str]) -> ProviderInfo:
    signed = CREDENTIALS_ENV[:2] if row.signed_for is not None else ()
    keys = row.key_env + row.token_env
    key_set = any(map(environ.get, keys)) or (bool(signed) and all(map(environ.get, signed)))
    return ProviderInfo(
        name,
        row.wire,
        shown_base_url(row, environ),
        keys + signed,
        row.base_url_env,
        row.key_required,
        key_set,
        tuple(variable for setting in row.settings for variable in setting.env),
        row.title,
    )
