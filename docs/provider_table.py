"""The table of docs/providers.md, made of the code: `python docs/provider_table.py` writes it anew."""

from collections.abc import Mapping
from pathlib import Path

from msgspec.structs import asdict

from streamd.providers import FORMATS, PROVIDERS, ProviderRow
from streamd.providers._aws_credentials import CREDENTIALS_ENV

PAGE = Path(__file__).with_name("providers.md")
BEGIN, END = "<!-- the table: begin -->\n", "<!-- the table: end -->\n"
HEAD = ("name", "provider", "wire", "base URL", "key", "address", "differs")


def table(providers: Mapping[str, ProviderRow] = PROVIDERS) -> str:
    """The rows as a Markdown table."""
    lines = [HEAD, ("---",) * len(HEAD), *(cells(name, row) for name, row in providers.items())]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def cells(name: str, row: ProviderRow) -> tuple[str, ...]:
    """What the table says of one provider."""
    way = f"`{row.key_header}`" if row.key_header else "bearer"
    key = [f"{code(*row.key_env)} ({way})"] if row.key_env else []
    key += [f"{code(*row.token_env)} (bearer)"] if row.token_env else []
    key += [f"else signed: {code(*CREDENTIALS_ENV)}"] if row.signed_for else []
    settings = [
        f"`{each.name}`: {code(*each.env) or 'no variable'}{default(each.default)}" for each in row.settings
    ]
    remarks = [f"`{field}={value!r}`" for field, value in quirks(row).items()]
    remarks += [f"sends `{header}: {value}`" for header, value in row.headers]
    remarks += [f"not checked: {row.unchecked}"] if row.unchecked else []
    return (
        f"`{name}`",
        f"[{row.title}]({row.docs})" if row.docs else row.title,
        f"`{row.wire}`",
        "<br>".join(address(row)),
        "<br>".join(key) + ("" if row.key_required else "<br>optional" if key else "none"),
        "<br>".join([*([code(*row.base_url_env)] if row.base_url_env else []), *settings]),
        "<br>".join(remarks),
    )


def address(row: ProviderRow) -> list[str]:
    """Where it is, for each of its regions, and the path where that is not the wire's."""
    urls = [f"`{url}`" for url in (row.base_url,) if url]
    urls += [f"{value}: `{url}`" for value, url in row.base_urls.items()]
    return [*(urls or ["given"]), *([f"path `{row.path}`"] if row.path else [])]


def quirks(row: ProviderRow) -> dict[str, object]:
    """Its quirks, where they differ from the wire's."""
    usual = FORMATS[row.wire].quirks
    if row.quirks is None or usual is None:
        return {}
    return {field: value for field, value in asdict(row.quirks).items() if value != getattr(usual, field)}


def default(value: str | None) -> str:
    """What a setting is where nothing gives it."""
    return f", else `{value}`" if value else ""


def code(*names: str) -> str:
    """Names as code, in their order."""
    return ", ".join(f"`{name}`" for name in names)


def renewed(page: str) -> str:
    """The page with the table as the code has it."""
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    return f"{before}{begin}\n{table()}\n{end}{after}"


if __name__ == "__main__":
    PAGE.write_text(renewed(PAGE.read_text("utf-8")), "utf-8")
