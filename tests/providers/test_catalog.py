"""The table of providers: where each is asked, with what, and what is said where something is missing."""

from collections.abc import Mapping
from typing import Any

import pytest

from streamd.providers import (
    FORMATS,
    PROVIDERS,
    ChatQuirks,
    ConfigError,
    Context,
    Message,
    Options,
    Provider,
    Secret,
    known_providers,
    resolve,
)

KEY = "zz-canary-0123456789"
ASK = Context((Message.user("hi"),))
GOOGLE = {"GOOGLE_CLOUD_PROJECT": "p-1"}


def asked(provider: Provider) -> tuple[str, str]:
    """Where a turn is asked for, and the header that has the key."""
    request = provider.request(ASK, Options("m"))
    assert KEY not in request.url
    (header,) = (
        name for name, value in request.headers if isinstance(value, Secret) and KEY in value.reveal()
    )
    return request.url, header


@pytest.mark.parametrize(
    ("provider", "environ", "url", "header"),
    [
        ("anthropic", {"ANTHROPIC_API_KEY": KEY}, "https://api.anthropic.com/v1/messages", "x-api-key"),
        ("openai", {"OPENAI_API_KEY": KEY}, "https://api.openai.com/v1/chat/completions", "authorization"),
        (
            "gemini",
            {"GEMINI_API_KEY": KEY},
            "https://generativelanguage.googleapis.com/v1beta/models/m:streamGenerateContent?alt=sse",
            "x-goog-api-key",
        ),
        (
            "azure",
            {"AZURE_OPENAI_ENDPOINT": "https://r.openai.azure.com/", "AZURE_OPENAI_API_KEY": KEY},
            "https://r.openai.azure.com/openai/v1/chat/completions",
            "api-key",
        ),
        (
            "azure",
            {"AZURE_OPENAI_ENDPOINT": "https://r.openai.azure.com/openai/v1", "AZURE_OPENAI_AD_TOKEN": KEY},
            "https://r.openai.azure.com/openai/v1/chat/completions",
            "authorization",
        ),
        (
            "azure-deployments",
            {
                "AZURE_OPENAI_ENDPOINT": "https://r.openai.azure.com",
                "AZURE_OPENAI_API_KEY": KEY,
                "OPENAI_API_VERSION": "2024-10-21",
            },
            "https://r.openai.azure.com/openai/deployments/m/chat/completions?api-version=2024-10-21",
            "api-key",
        ),
        (
            "vertex",
            {**GOOGLE, "GOOGLE_OAUTH_ACCESS_TOKEN": KEY},
            "https://aiplatform.googleapis.com/v1/projects/p-1/locations/global/publishers/google"
            "/models/m:streamGenerateContent?alt=sse",
            "authorization",
        ),
        (
            ("vertex", {"location": "europe-west4", "project": "p-2", "auth_token": lambda: KEY}),
            GOOGLE,
            "https://europe-west4-aiplatform.googleapis.com/v1/projects/p-2/locations/europe-west4"
            "/publishers/google/models/m:streamGenerateContent?alt=sse",
            "authorization",
        ),
        (
            ("vertex-anthropic", {"api_key": KEY}),
            {"ANTHROPIC_VERTEX_PROJECT_ID": "p-3", "CLOUD_ML_REGION": "us-east5"},
            "https://us-east5-aiplatform.googleapis.com/v1/projects/p-3/locations/us-east5"
            "/publishers/anthropic/models/m:streamRawPredict",
            "authorization",
        ),
        ("groq", {"GROQ_API_KEY": KEY}, "https://api.groq.com/openai/v1/chat/completions", "authorization"),
        (
            "groq",
            {"GROQ_API_KEY": KEY, "GROQ_BASE_URL": "https://g.test"},
            "https://g.test/openai/v1/chat/completions",
            "authorization",
        ),
        (
            "cloudflare",
            {"CLOUDFLARE_ACCOUNT_ID": "a1", "CLOUDFLARE_API_TOKEN": KEY},
            "https://api.cloudflare.com/client/v4/accounts/a1/ai/v1/chat/completions",
            "authorization",
        ),
        (
            "databricks",
            {"DATABRICKS_HOST": "https://w.databricks.test", "DATABRICKS_TOKEN": KEY},
            "https://w.databricks.test/serving-endpoints/chat/completions",
            "authorization",
        ),
        (
            ("snowflake", {"account": "org-acct", "api_key": KEY}),
            {},
            "https://org-acct.snowflakecomputing.com/api/v2/cortex/v1/chat/completions",
            "authorization",
        ),
        (
            "alibaba",
            {"DASHSCOPE_API_KEY": KEY},
            "https://dashscope-intl.aliyuncs.com/compatible-mode/v1/chat/completions",
            "authorization",
        ),
        (
            ("moonshot", {"region": "cn"}),
            {"MOONSHOT_API_KEY": KEY},
            "https://api.moonshot.cn/v1/chat/completions",
            "authorization",
        ),
        (
            "github-models",
            {"GITHUB_TOKEN": KEY},
            "https://models.github.ai/inference/chat/completions",
            "authorization",
        ),
        (
            "zai-coding",
            {"ZAI_API_KEY": KEY},
            "https://api.z.ai/api/coding/paas/v4/chat/completions",
            "authorization",
        ),
    ],
)
def test_where_and_how_a_provider_is_asked(
    provider: Any, environ: Mapping[str, str], url: str, header: str
) -> None:
    """The address is made of the row, the environment and the options; the key is in one header and no URL."""
    assert asked(resolve(provider, environ=environ)) == (url, header)


@pytest.mark.parametrize(
    ("provider", "environ", "message"),
    [
        (
            "azure",
            {"AZURE_OPENAI_API_KEY": KEY},
            "azure: no base URL: give the option `base_url` or set AZURE_OPENAI_ENDPOINT",
        ),
        (
            "azure-deployments",
            {"AZURE_OPENAI_API_KEY": KEY, "AZURE_OPENAI_ENDPOINT": "https://r.test"},
            "azure-deployments: no api_version: give the option `api_version` or set OPENAI_API_VERSION",
        ),
        (
            "vertex",
            {"GOOGLE_OAUTH_ACCESS_TOKEN": KEY},
            "vertex: no project: give the option `project` or set GOOGLE_CLOUD_PROJECT or set "
            "ANTHROPIC_VERTEX_PROJECT_ID",
        ),
        (
            "vertex",
            GOOGLE,
            "vertex: no key: set GOOGLE_OAUTH_ACCESS_TOKEN, or give the option `auth_token`",
        ),
        (("vertex", {"location": 7}), GOOGLE, "vertex: the option `location` is text, not a int"),
        (
            ("vertex", {"location": "x/../y"}),
            GOOGLE,
            "vertex: the option `location` is letters, digits, '.', '_' and '-' only",
        ),
        (
            "cloudflare",
            {"CLOUDFLARE_ACCOUNT_ID": "a?b"},
            "cloudflare: CLOUDFLARE_ACCOUNT_ID is letters, digits, '.', '_' and '-' only",
        ),
        (
            ("alibaba", {"region": "mars"}),
            {"DASHSCOPE_API_KEY": KEY},
            "alibaba: no region 'mars'; there are intl, us, cn, hk, or give the option `base_url`",
        ),
    ],
)
def test_what_an_address_lacks_is_named(provider: Any, environ: Mapping[str, str], message: str) -> None:
    """The message names the option and the variable that would give it."""
    with pytest.raises(ConfigError) as caught:
        resolve(provider, environ=environ)
    assert str(caught.value) == message


def test_a_providers_own_settings_are_among_its_options() -> None:
    """A setting of another provider is none of this one's."""
    with pytest.raises(ConfigError, match=r"^moonshot: no option 'location'; the options are .*, region$"):
        resolve(("moonshot", {"location": "cn"}), environ={})


def test_an_address_of_ones_own_needs_no_settings() -> None:
    """A base URL given as an option is taken as it is."""
    own = resolve(("vertex", {"base_url": "https://gate.test/google", "auth_token": KEY}), environ={})
    assert asked(own)[0] == "https://gate.test/google/models/m:streamGenerateContent?alt=sse"
    own = resolve(
        ("alibaba", {"base_url": "https://w.maas.test/v1", "region": "jp", "api_key": KEY}), environ={}
    )
    assert asked(own)[0] == "https://w.maas.test/v1/chat/completions"


def test_a_fixed_header_is_sent_and_can_be_replaced() -> None:
    """A provider's own header goes with every request, and an option wins over it."""
    fields = {"x-github-api-version": "2022-11-28"}
    for headers, expected in (({}, "2022-11-28"), ({"X-GitHub-Api-Version": "2030-01-01"}, "2030-01-01")):
        provider = resolve(("github-models", {"api_key": KEY, "headers": headers}), environ={})
        sent = dict(provider.request(ASK, Options("m")).headers)
        value = sent[next(iter(fields))]
        assert (value.reveal() if isinstance(value, Secret) else value) == expected


@pytest.mark.parametrize("name", list(PROVIDERS))
def test_a_row_is_whole(name: str) -> None:
    """It has a title and a wire that is known; what was read of it names its page; its quirks are of its wire."""
    row = PROVIDERS[name]
    assert row.title
    assert row.quirks is None or type(row.quirks) is type(FORMATS[row.wire].quirks)
    assert row.docs.startswith("https://") or name in {"local", "openai-compatible"}
    assert not row.base_urls or row.settings
    assert [header for header, _ in row.headers if header != header.lower()] == []
    places = {setting.name for setting in row.settings}
    urls = " ".join((row.base_url or "", row.path or "", *row.base_urls.values())).replace("{model}", "")
    assert {f"{{{place}}}" in urls or bool(row.base_urls) for place in places} <= {True}


def test_names_can_be_written_before_a_colon_or_a_slash() -> None:
    """No name holds what ends it in `provider:model`."""
    assert [name for name in PROVIDERS if not name.replace("-", "").isalnum() or name != name.lower()] == []


def test_rows_differ_where_servers_do() -> None:
    """The quirks that are known to matter stand in the table."""
    quirks = {name: row.quirks for name, row in PROVIDERS.items() if isinstance(row.quirks, ChatQuirks)}
    assert quirks["openai"].max_tokens == quirks["groq"].max_tokens == "max_completion_tokens"
    assert quirks["deepseek"].thinking == quirks["moonshot"].thinking == "reasoning_content"
    assert not quirks["mistral"].stream_options


def test_the_listing_shows_what_an_address_is_made_with() -> None:
    """A setting that is known stands in its place, one that is not by its name, and no key anywhere."""
    listed = {info.name: info for info in known_providers({**GOOGLE, "AZURE_OPENAI_API_KEY": KEY})}
    assert listed["vertex"].base_url == (
        "https://aiplatform.googleapis.com/v1/projects/p-1/locations/global/publishers/google"
    )
    assert listed["cloudflare"].base_url == (
        "https://api.cloudflare.com/client/v4/accounts/{account_id}/ai/v1"
    )
    assert listed["cloudflare"].setting_env == ("CLOUDFLARE_ACCOUNT_ID",)
    assert (listed["azure"].base_url, listed["azure"].key_set) == (None, True)
    assert listed["moonshot"].base_url == "https://api.moonshot.ai/v1"
    bad = {info.name: info for info in known_providers({"CLOUDFLARE_ACCOUNT_ID": "a?b"})}
    assert bad["cloudflare"].base_url == listed["cloudflare"].base_url
    assert KEY not in repr(listed)
