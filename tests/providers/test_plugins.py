"""The page on adding a provider, followed; and the table of the other page, compared."""

import importlib.util
import re
import tomllib
from pathlib import Path
from types import ModuleType

import pytest

from streamd.providers import (
    PROVIDERS,
    ConfigError,
    Context,
    Message,
    Options,
    ProviderRow,
    Secret,
    Service,
    Setting,
    known_providers,
    resolve,
    resolve_model,
)

DOCS = Path(__file__).parent.parent.parent / "docs"
PAGE = (DOCS / "adding-a-provider.md").read_text("utf-8")
KEY = "zz-canary-0123456789"


def blocks(language: str) -> list[str]:
    """The page's blocks of one language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The page's package as an installer leaves it: its module, and its entry points beside it."""
    (module,) = (block for block in blocks("py") if "def example(" in block)
    (tmp_path / "streamd_example.py").write_text(module, "utf-8")
    (project,) = blocks("toml")
    groups = tomllib.loads(project)["project"]["entry-points"]
    lines = [
        line
        for group, entries in groups.items()
        for line in (f"[{group}]", *(f"{name} = {value}" for name, value in entries.items()))
    ]
    info = tmp_path / "streamd_example-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: streamd-example\nVersion: 1.0\n", "utf-8")
    (info / "entry_points.txt").write_text("\n".join(lines), "utf-8")
    monkeypatch.syspath_prepend(tmp_path)


@pytest.mark.usefixtures("installed")
def test_the_pages_package_brings_its_provider() -> None:
    """Once it is installed its name is known, takes its options, and is asked with its key."""
    found, model = resolve_model((("example", {"api_key": KEY}), "some-model"))
    assert isinstance(found, Service)
    request = found.request(Context((Message.user("hi"),)), Options(model))
    assert request.url == "https://api.example.com/v1/chat/completions"
    key = dict(request.headers)["authorization"]
    assert isinstance(key, Secret)
    assert key.reveal() == f"Bearer {KEY}"


@pytest.mark.usefixtures("installed")
def test_the_pages_package_refuses_and_is_suggested_as_the_table_is() -> None:
    """Its own `ConfigError` reaches the caller, and its name is among those one may have meant."""
    with pytest.raises(ConfigError, match=r"^example: no key: give the option `api_key`$"):
        resolve("example")
    with pytest.raises(ConfigError, match=r"did you mean 'example'\?"):
        resolve("exampel")


@pytest.mark.usefixtures("installed")
def test_the_pages_package_is_listed() -> None:
    """After the table, as a plugin, with what makes it; those of the table are not listed twice."""
    *table, last = known_providers({})
    assert [info.name for info in table] == list(PROVIDERS)
    assert (last.name, last.wire, last.title) == ("example", "plugin", "streamd_example:example")


def test_the_pages_row_makes_a_provider(monkeypatch: pytest.MonkeyPatch) -> None:
    """The row as the page has it, put into the table, is asked where and as it says."""
    (row,) = (block for block in blocks("py") if "ProviderRow(" in block)
    names = {"ProviderRow": ProviderRow, "Setting": Setting, "ChatQuirks": type(PROVIDERS["openai"].quirks)}
    rows = eval(f"{{{row}}}", names)
    for name, made in rows.items():
        monkeypatch.setitem(PROVIDERS, name, made)
    request = resolve("example", environ={"EXAMPLE_API_KEY": KEY}).request(
        Context((Message.user("hi"),)), Options("m")
    )
    assert request.url == "https://api.example.com/v1/chat/completions"


def generator() -> ModuleType:
    """The script that writes the table."""
    spec = importlib.util.spec_from_file_location("provider_table", DOCS / "provider_table.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_table_of_providers_is_that_of_the_code() -> None:
    """`python docs/provider_table.py` would change nothing, and every provider has a line."""
    made = generator()
    page = (DOCS / "providers.md").read_text("utf-8")
    assert made.renewed(page) == page, "stale: run `python docs/provider_table.py`"
    assert len(made.table().splitlines()) == 2 + len(PROVIDERS)
    assert [name for name in PROVIDERS if f"\n| `{name}` |" not in page] == []
