"""From what a caller writes to a provider and a model."""

from collections.abc import Mapping
from importlib.metadata import EntryPoint
from typing import Any

import pytest

from streamd.providers import (
    FORMATS,
    PROVIDERS,
    Bearer,
    ConfigError,
    Context,
    KeyHeader,
    Message,
    NoAuth,
    Options,
    Provider,
    ProviderRow,
    Secret,
    Service,
    known_providers,
    resolve,
    resolve_model,
)

KEY = "zz-canary-0123456789"


def service(provider: Any, environ: Mapping[str, str] = {}) -> Service:
    """The provider, which is one of the table."""
    found = resolve(provider, environ=environ)
    assert isinstance(found, Service)
    return found


def shown(provider: Service) -> dict[str, str]:
    """The headers it adds, as they are sent."""
    return {name: value.reveal() if isinstance(value, Secret) else value for name, value in provider.headers}


def revealed(provider: Service) -> str | None:
    """The text of its key."""
    match provider.auth:
        case Bearer(Secret() as key) | KeyHeader(_, Secret() as key):
            return key.reveal()
        case _:
            return None


def surroundings(row: ProviderRow) -> dict[str, str]:
    """An environment in which the provider has an address."""
    given = {setting.env[0]: "given" for setting in row.settings if setting.env}
    return given | {name: "https://x.test/v1" for name in row.base_url_env if not row.base_url}


@pytest.mark.parametrize("name", [name for name in PROVIDERS if name != "local"])
def test_every_row_makes_a_provider(name: str) -> None:
    """Each name in the table gives a provider of that name with the key of its first variable, and a whole address."""
    row = PROVIDERS[name]
    found = service(name, {**surroundings(row), (row.key_env + row.token_env)[0]: KEY})
    assert (found.name, found.wire) == (name, FORMATS[row.wire])
    assert (revealed(found), found.quirks) == (KEY, row.quirks)
    url = found.request(Context((Message.user("hi"),)), Options("m")).url
    assert url.startswith(("https://", "http://127.0.0.1:"))
    assert not {"{", "}", KEY} & set(url)


@pytest.mark.parametrize("name", [name for name, row in PROVIDERS.items() if row.key_required])
def test_a_missing_key_names_where_to_put_one(name: str) -> None:
    """The message names the variables and the option; an empty variable is no key."""
    row = PROVIDERS[name]
    variables = row.key_env + row.token_env
    with pytest.raises(ConfigError) as caught:
        resolve(name, environ={**surroundings(row), variables[0]: ""})
    for place in (name, "`api_key`" if row.key_env else "`auth_token`", *variables):
        assert place in str(caught.value)


@pytest.mark.parametrize("name", [name for name, row in PROVIDERS.items() if not row.key_required])
def test_a_server_of_ones_own_needs_no_key(name: str) -> None:
    """Local servers are asked without one."""
    found = service({"provider": name, "base_url": "http://127.0.0.1:1/v1"})
    assert found.auth == NoAuth()


def test_options_win_over_the_environment_and_that_over_the_table() -> None:
    """Each option may be given in a tuple or in a mapping."""
    environ = {"OPENAI_API_KEY": "from-env", "OPENAI_BASE_URL": "https://env.test/v1"}
    assert service("openai", environ).base_url == "https://env.test/v1"
    assert revealed(service("openai", environ)) == "from-env"
    options = {"base_url": "https://option.test", "api_key": KEY, "path": "/p", "headers": {"X-A": "b"}}
    for found in (
        service(("openai", options), environ),
        service({"provider": "openai", **options}, environ),
    ):
        assert (found.base_url, revealed(found), found.path) == ("https://option.test", KEY, "/p")
        assert shown(found) == {"x-a": "b"}


def test_a_wrapped_key_stays_what_it_is() -> None:
    """A key may be given as a `Secret`."""
    key = Secret(KEY)
    assert service(("groq", {"api_key": key})).auth == Bearer(key)


def test_the_process_environment_is_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without `environ` the process's own variables are read."""
    monkeypatch.setenv("XAI_API_KEY", KEY)
    found = resolve("xai")
    assert isinstance(found, Service)
    assert revealed(found) == KEY
    assert {info.name: info.key_set for info in known_providers()}["xai"]


def test_organisation_and_project() -> None:
    """OpenAI's two further variables are sent as headers, and an option wins over them."""
    environ = {"OPENAI_API_KEY": KEY, "OPENAI_ORG_ID": "org-1", "OPENAI_PROJECT_ID": "proj-1"}
    assert shown(service("openai", environ)) == {
        "openai-organization": "org-1",
        "openai-project": "proj-1",
    }
    found = service(("openai", {"headers": {"OpenAI-Project": "proj-2"}}), environ)
    assert shown(found) == {"openai-organization": "org-1", "openai-project": "proj-2"}


@pytest.mark.parametrize(
    ("environ", "way"),
    [
        ({"ANTHROPIC_API_KEY": KEY}, KeyHeader),
        ({"ANTHROPIC_AUTH_TOKEN": KEY}, Bearer),
        ({"ANTHROPIC_API_KEY": KEY, "ANTHROPIC_AUTH_TOKEN": "other"}, KeyHeader),
    ],
)
def test_a_token_is_sent_as_one(environ: dict[str, str], way: type) -> None:
    """A key comes before a token; each is sent in its own header."""
    found = service("anthropic", {**environ, "ANTHROPIC_BASE_URL": "https://gate.test"})
    assert (revealed(found), type(found.auth), found.base_url) == (KEY, way, "https://gate.test")


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("box", "http://box:11434"),
        ("box:80", "http://box:80"),
        (":8080", "http://127.0.0.1:8080"),
        ("0.0.0.0", "http://127.0.0.1:11434"),
        ("0.0.0.0:99", "http://127.0.0.1:99"),
        ("[::]:99", "http://[::1]:99"),
        ("[::1]", "http://[::1]:11434"),
        ("http://box", "http://box"),
        ("https://box.test:444/sub", "https://box.test:444/sub"),
    ],
)
def test_ollamas_host(host: str, url: str) -> None:
    """`OLLAMA_HOST` has a scheme or a port or neither, and may be what the server listens on."""
    assert service("ollama", {"OLLAMA_HOST": host}).base_url == url


def test_an_instance_is_itself() -> None:
    """A provider of one's own needs no name in any table."""
    own = Service("mine", FORMATS["openai-chat"], "http://127.0.0.1")
    assert resolve(own) is own
    assert resolve_model((own, "m")) == (own, "m")


@pytest.mark.parametrize(
    ("model", "provider", "name"),
    [
        ("ollama:llama3.2:1b", "ollama", "llama3.2:1b"),
        ("ollama/llama3.2:1b", "ollama", "llama3.2:1b"),
        ("vllm:meta/llama", "vllm", "meta/llama"),
        ("vllm/meta/llama", "vllm", "meta/llama"),
        ("lmstudio/a:b/c", "lmstudio", "a:b/c"),
        (("vllm", "a:b"), "vllm", "a:b"),
        ((("vllm", {"api_key": KEY}), "m"), "vllm", "m"),
        (({"provider": "vllm"}, "m"), "vllm", "m"),
    ],
)
def test_a_model_names_its_provider(model: Any, provider: str, name: str) -> None:
    """The provider ends at the first colon, or at the first slash where it is known; the rest is the name."""
    found, found_name = resolve_model(model, environ={})
    assert (found.name, found_name) == (provider, name)


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (
            "gpt-5",
            "the model 'gpt-5' names no provider: give 'provider:name'; the known providers are alibaba, anthropic, ",
        ),
        ("meta/llama", "the model 'meta/llama' names no provider"),
        ("", "the model '' names no provider"),
        (
            "opnai:gpt-5",
            "there is no provider 'opnai': did you mean 'openai'? The known providers are alibaba, anthropic, ",
        ),
        ("kimi:k2", "there is no provider 'kimi': did you mean 'moonshot'? The known"),
        ("Google:gemini", "there is no provider 'Google': did you mean 'gemini'? The known"),
        ("copilot:m", "there is no provider 'copilot': did you mean 'github-copilot'? The known"),
        ("of:m", "there is no provider 'of': The known"),
        ("qqqq:gpt-5", "there is no provider 'qqqq': The known providers are alibaba, anthropic, "),
        ("vllm:", "the model has no name"),
        ("vllm/ ", "the model has no name"),
        ("vllm", "the model has no name"),
        (7, "a model is given as 'provider:name' or (provider, 'name'), not as a int"),
        (("vllm",), "a model is given as 'provider:name' or (provider, 'name'), not as a tuple"),
        (("vllm", 7), "a model is given as 'provider:name' or (provider, 'name'), not as a tuple"),
        ((7, "m"), "a provider is given as a name, an instance"),
        ((("vllm", 7), "m"), "a provider is given as a name, an instance"),
        (({"base_url": "http://x.test"}, "m"), "a provider is given as a name, an instance"),
        (
            (("vllm", {"apikey": KEY}), "m"),
            "vllm: no option 'apikey'; the options are base_url, api_key, auth_token, path, headers, quirks",
        ),
        ((("vllm", {"base_url": 7}), "m"), "vllm: the option `base_url` is text, not a int"),
        (
            (("vllm", {"api_key": 7}), "m"),
            "vllm: the option `api_key` is text, a Secret or a function that gives one, not a int",
        ),
        ((("vllm", {"path": 7}), "m"), "vllm: the option `path` is text, not a int"),
        ((("vllm", {"headers": 7}), "m"), "vllm: the option `headers` is a mapping, not a int"),
        (
            (("vllm", {"headers": {"a": KEY + "\n"}}), "m"),
            "vllm: headers: the header 'a' has an invalid character",
        ),
        (
            (("vllm", {"api_key": KEY + "\n"}), "m"),
            "the key from the option `api_key` has an invalid character",
        ),
        ((("vllm", {"api_key": ""}), "m"), "the key from the option `api_key` is empty"),
        (
            "openai-compatible:m",
            "openai-compatible: no base URL: give the option `base_url` or set OPENAI_COMPATIBLE_",
        ),
        (
            (("vllm", {"base_url": "x.test"}), "m"),
            "vllm: the base URL 'x.test' needs a scheme and a host, such as 'https://example.com/v1' "
            "(from the option `base_url`)",
        ),
    ],
)
def test_what_is_not_understood_is_named(model: Any, message: str) -> None:
    """The message says what was wrong, and what would be right."""
    with pytest.raises(ConfigError) as caught:
        resolve_model(model, environ={})
    assert str(caught.value).startswith(message)
    assert KEY[:8] not in str(caught.value)


@pytest.mark.parametrize(
    ("environ", "message"),
    [
        (
            {"OPENAI_API_KEY": KEY + "\n"},
            "the key from OPENAI_API_KEY has an invalid character at position 20",
        ),
        (
            {"OPENAI_API_KEY": KEY, "OPENAI_ORG_ID": "ö"},
            "openai: headers: the header 'openai-organization' has an",
        ),
        (
            {"OPENAI_API_KEY": KEY, "OPENAI_BASE_URL": "x.test"},
            "openai: the base URL 'x.test' needs a scheme",
        ),
        (
            {"OPENAI_API_KEY": KEY, "OPENAI_BASE_URL": f"https://u:{KEY}@x.test"},
            "openai: the base URL holds a user",
        ),
    ],
)
def test_a_bad_variable_is_named(environ: dict[str, str], message: str) -> None:
    """The message names the variable, and never repeats a key."""
    with pytest.raises(ConfigError) as caught:
        resolve("openai", environ=environ)
    assert str(caught.value).startswith(message)
    assert KEY[:8] not in str(caught.value)


def make(api_key: Secret | None = None, **options: object) -> Provider:
    """A provider of another distribution."""
    assert api_key is None or isinstance(api_key, Secret)
    auth = NoAuth() if api_key is None else Bearer(api_key)
    return Service("from-plugin", FORMATS["openai-chat"], "http://127.0.0.1", auth)


def refuse(**_options: object) -> Provider:
    """One that cannot be made of these options."""
    raise ConfigError("from-plugin: not today")


def crash(**_options: object) -> Provider:
    """One that is broken."""
    raise KeyError("x")


def nothing(**_options: object) -> object:
    """One that is none."""
    return 7


class Entry:
    """An entry point as another distribution would declare it, without its distribution."""

    def __init__(self, name: str, made: Any) -> None:
        self.name = name
        self.value = f"package:{name}"
        self.made = made

    def load(self) -> Any:
        if self.made is None:
            raise ModuleNotFoundError("no such module")
        return self.made


@pytest.fixture
def plugins(monkeypatch: pytest.MonkeyPatch) -> None:
    """Entry points that work, refuse, break, or stand under a name of the table's own."""
    made = {"make": make, "refuse": refuse, "crash": crash, "nothing": nothing, "absent": None, "vllm": crash}
    entries = [Entry(name, value) for name, value in made.items()]
    monkeypatch.setattr(
        "importlib.metadata.entry_points",
        lambda *, group: entries if group == "streamd.providers" else [],
    )


@pytest.mark.usefixtures("plugins")
def test_another_distribution_brings_a_provider() -> None:
    """An entry point is called with the options by name; a key given as text reaches it wrapped."""
    found, name = resolve_model((("make", {"api_key": KEY, "other": 1}), "m"))
    assert isinstance(found, Service)
    assert (found.name, revealed(found), name) == ("from-plugin", KEY, "m")
    assert resolve_model("make/a:b")[1] == "a:b"
    assert resolve("make").name == "from-plugin"


@pytest.mark.usefixtures("plugins")
def test_the_table_comes_first() -> None:
    """No distribution takes over a name that this library knows."""
    assert service("vllm").name == "vllm"


@pytest.mark.usefixtures("plugins")
@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("refuse", "from-plugin: not today"),
        ("crash", "the provider 'crash' (entry point 'package:crash') is broken: KeyError"),
        ("absent", "the provider 'absent' (entry point 'package:absent') is broken: ModuleNotFoundError"),
        (
            "nothing",
            "the provider 'nothing' (entry point 'package:nothing') gave a int, which is not a provider",
        ),
    ],
)
def test_a_broken_entry_point_is_named(name: str, message: str) -> None:
    """Its own `ConfigError` is kept; anything else is one that says whose fault it is."""
    with pytest.raises(ConfigError) as caught:
        resolve(name)
    assert str(caught.value) == message


@pytest.mark.usefixtures("plugins")
def test_the_names_of_others_are_known() -> None:
    """They are listed and suggested beside the table's."""
    with pytest.raises(ConfigError, match=r"did you mean 'refuse'.* groq, .* refuse, "):
        resolve("refuze")


def test_an_entry_point_is_what_importlib_gives() -> None:
    """A real entry point loads as the stand-ins of these tests do."""
    entry = EntryPoint("x", "streamd.providers:Service", "streamd.providers")
    assert entry.load() is Service


def test_the_listing() -> None:
    """Every row is listed with its variables, where it would be asked, and whether a key is there."""
    environ = {
        "OPENAI_API_KEY": KEY,
        "ANTHROPIC_AUTH_TOKEN": KEY,
        "ANTHROPIC_BASE_URL": f"https://u:{KEY}@x.test",
        "OLLAMA_HOST": "box",
    }
    listed = {info.name: info for info in known_providers(environ)}
    assert list(listed) == list(PROVIDERS)
    assert [name for name, info in listed.items() if info.key_set] == [
        "anthropic",
        "openai",
        "openai-responses",
    ]
    assert listed["openai"].base_url == "https://api.openai.com/v1"
    assert listed["anthropic"].base_url is None
    assert listed["anthropic"].key_env == ("ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN")
    assert listed["ollama"].base_url == "http://box:11434"
    assert listed["openai-compatible"].base_url is None
    assert KEY[:8] not in repr(listed)
