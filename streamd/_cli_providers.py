"""The table of `streamd providers`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TextIO

from streamd.providers import ProviderInfo

__all__ = ["print_providers", "provider_rows"]

COLUMNS = ("provider", "wire", "key set", "environment", "base URL")

Row = tuple[str, str, str, str, str]


def provider_rows(providers: Sequence[ProviderInfo]) -> list[Row]:
    """A row of `COLUMNS` for each provider, the local model first. No value of a key is in it."""
    local: Row = ("local", "openai-chat", "-", "STREAMD_CACHE", "this machine")
    return [local, *(_row(each) for each in providers if each.name != local[0])]


def print_providers(providers: Sequence[ProviderInfo], out: TextIO) -> None:
    """Print the table: drawn on a terminal, as tab-separated lines elsewhere."""
    rows = provider_rows(providers)
    if out.isatty():
        try:
            # The extra `cli` need not be installed.
            from rich.console import Console  # noqa: PLC0415
            from rich.table import Table  # noqa: PLC0415
        except ImportError:
            pass
        else:
            table = Table(*COLUMNS[:3], box=None, header_style="bold", padding=(0, 1, 0, 0))
            table.add_column("base URL, environment", overflow="fold")
            for *cells, variables, url in rows:
                # Below one another, so that the table fits an ordinary terminal.
                table.add_row(*cells, "\n".join((url, *variables.split())))
            Console(file=out, highlight=False).print(table, markup=False)
            return
    for row in (COLUMNS, *rows):
        print("\t".join(row), file=out)


def _row(provider: ProviderInfo) -> Row:
    unset = "no" if provider.key_required else "optional"
    return (
        provider.name,
        provider.wire,
        "yes" if provider.key_set else unset,
        " ".join(provider.key_env + provider.base_url_env),
        provider.base_url or "(none set)",
    )
