"""The table of `streamd providers`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TextIO

from streamd.providers import ProviderInfo

__all__ = ["print_providers", "provider_rows"]

COLUMNS = ("provider", "wire", "key set", "environment", "base URL")

Row = tuple[str, str, str, str, str]


def provider_rows(providers: Sequence[ProviderInfo], wanted: str = "") -> list[Row]:
    """A row of `COLUMNS` for each provider, the local model first. No value of a key is in it.

    Args:
        providers: The providers, as the environment has them.
        wanted: Only those with this text, of any case, in their title or in a cell of their row.
    """
    local: Row = ("local", "openai-chat", "-", "STREAMD_CACHE", "this machine")
    rows = [(each.title, _row(each)) for each in providers if each.name != local[0]]
    text = wanted.lower()
    return [row for title, row in [("", local), *rows] if text in "\n".join((title, *row)).lower()]


def print_providers(providers: Sequence[ProviderInfo], out: TextIO, wanted: str = "") -> bool:
    """Print the table: drawn on a terminal, as tab-separated lines elsewhere.

    `wanted` is as for `provider_rows`. Gives whether there was any to print.
    """
    rows = provider_rows(providers, wanted)
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
                table.add_row(*cells, f"{url}\n{variables}".strip())
            console = Console(file=out, highlight=False)
            console.print(table, markup=False)
            if not wanted:
                console.print(
                    f"{len(rows)} providers; `streamd providers TEXT` lists those with TEXT in their row"
                )
            return bool(rows)
    for row in (COLUMNS, *rows):
        print("\t".join(row), file=out)
    return bool(rows)


def _row(provider: ProviderInfo) -> Row:
    if provider.wire == "plugin":
        return provider.name, "plugin", "-", "", provider.title
    unset = "no" if provider.key_required else "optional"
    return (
        provider.name,
        provider.wire,
        "yes" if provider.key_set else unset,
        " ".join(provider.key_env + provider.base_url_env + provider.setting_env),
        provider.base_url or "(none set)",
    )
