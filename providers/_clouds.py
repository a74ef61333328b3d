"""The rows of providers whose address belongs to an account, a project or a region."""

from ._quirks import ChatQuirks
from ._row import ProviderRow, Setting

__all__ = ["CLOUDS"]

_AZURE_QUIRKS = ChatQuirks(max_tokens="max_completion_tokens", output="strict", output_beside_tools=True)

# docs.cloud.google.com/gemini-enterprise-agent-platform/resources/locations
_LOCATION = Setting("location", ("GOOGLE_CLOUD_LOCATION", "CLOUD_ML_REGION"), default="global")
_PROJECT = Setting("project", ("GOOGLE_CLOUD_PROJECT", "ANTHROPIC_VERTEX_PROJECT_ID"))
_VERTEX = "aiplatform.googleapis.com/v1/projects/{project}/locations/{location}/publishers"
_VERTEX_TOKEN = "no variable for a token is documented"

_REGION = Setting("region", ("AWS_REGION", "AWS_DEFAULT_REGION"))

CLOUDS: dict[str, ProviderRow] = {
    "azure": ProviderRow(
        title="Azure OpenAI",
        path="/openai/v1/chat/completions",
        key_env=("AZURE_OPENAI_API_KEY",),
        key_header="api-key",
        token_env=("AZURE_OPENAI_AD_TOKEN",),
        base_url_env=("AZURE_OPENAI_ENDPOINT",),
        quirks=_AZURE_QUIRKS,
        docs="https://learn.microsoft.com/azure/foundry/openai/api-version-lifecycle",
    ),
    "azure-responses": ProviderRow(
        title="Azure OpenAI, Responses API",
        wire="openai-responses",
        path="/openai/v1/responses",
        key_env=("AZURE_OPENAI_API_KEY",),
        key_header="api-key",
        token_env=("AZURE_OPENAI_AD_TOKEN",),
        base_url_env=("AZURE_OPENAI_ENDPOINT",),
        docs="https://learn.microsoft.com/azure/foundry/openai/api-version-lifecycle",
    ),
    "azure-deployments": ProviderRow(
        title="Azure OpenAI, dated versions",
        settings=(Setting("api_version", ("OPENAI_API_VERSION",)),),
        path="/openai/deployments/{model}/chat/completions?api-version={api_version}",
        key_env=("AZURE_OPENAI_API_KEY",),
        key_header="api-key",
        token_env=("AZURE_OPENAI_AD_TOKEN",),
        base_url_env=("AZURE_OPENAI_ENDPOINT",),
        quirks=_AZURE_QUIRKS,
        docs="https://learn.microsoft.com/azure/ai-services/openai/reference",
    ),
    "bedrock": ProviderRow(
        title="Amazon Bedrock, Converse",
        wire="bedrock-converse",
        settings=(_REGION,),
        base_url="https://bedrock-runtime.{region}.amazonaws.com",
        key_env=("AWS_BEARER_TOKEN_BEDROCK",),
        signed_for="bedrock",
        base_url_env=("AWS_ENDPOINT_URL_BEDROCK_RUNTIME",),
        docs="https://docs.aws.amazon.com/bedrock/latest/userguide/api-keys-use.html",
    ),
    "bedrock-invoke": ProviderRow(
        title="Amazon Bedrock, InvokeModel",
        wire="bedrock-invoke",
        settings=(_REGION,),
        base_url="https://bedrock-runtime.{region}.amazonaws.com",
        key_env=("AWS_BEARER_TOKEN_BEDROCK",),
        signed_for="bedrock",
        base_url_env=("AWS_ENDPOINT_URL_BEDROCK_RUNTIME",),
        docs="https://docs.aws.amazon.com/bedrock/latest/userguide/api-keys-use.html",
    ),
    "cloudflare": ProviderRow(
        title="Cloudflare Workers AI",
        settings=(Setting("account_id", ("CLOUDFLARE_ACCOUNT_ID",)),),
        base_url="https://api.cloudflare.com/client/v4/accounts/{account_id}/ai/v1",
        key_env=("CLOUDFLARE_API_TOKEN", "CLOUDFLARE_API_KEY"),
        docs="https://developers.cloudflare.com/workers-ai/configuration/open-ai-compatibility",
    ),
    "databricks": ProviderRow(
        title="Databricks",
        path="/serving-endpoints/chat/completions",
        key_env=("DATABRICKS_TOKEN",),
        base_url_env=("DATABRICKS_HOST",),
        docs="https://learn.microsoft.com/azure/databricks/large-language-models/llm-serving-intro",
    ),
    "github-copilot": ProviderRow(
        title="GitHub Copilot",
        base_url="https://api.githubcopilot.com",
        path="/chat/completions",
        key_env=("COPILOT_GITHUB_TOKEN",),
        docs="https://docs.github.com/en/copilot",
        unchecked="GitHub documents no API: the token and `headers` are those your agreement gives you",
    ),
    "github-models": ProviderRow(
        title="GitHub Models",
        base_url="https://models.github.ai/inference",
        key_env=("GITHUB_TOKEN",),
        headers=(("x-github-api-version", "2022-11-28"),),
        docs="https://docs.github.com/en/github-models/quickstart",
    ),
    "snowflake": ProviderRow(
        title="Snowflake Cortex",
        settings=(Setting("account", ("SNOWFLAKE_ACCOUNT",)),),
        base_url="https://{account}.snowflakecomputing.com/api/v2/cortex/v1",
        key_env=("SNOWFLAKE_PAT",),
        quirks=ChatQuirks(max_tokens="max_completion_tokens"),
        docs="https://docs.snowflake.com/en/user-guide/snowflake-cortex/cortex-rest-api",
        unchecked="the names of the variables, and the quirk",
    ),
    "vertex": ProviderRow(
        title="Vertex AI, Gemini",
        wire="gemini",
        settings=(_LOCATION, _PROJECT),
        base_url=f"https://{{location}}-{_VERTEX}/google",
        base_urls={"global": f"https://{_VERTEX}/google"},
        token_env=("GOOGLE_OAUTH_ACCESS_TOKEN",),
        docs="https://cloud.google.com/vertex-ai/generative-ai/docs/model-reference/inference",
        unchecked=_VERTEX_TOKEN,
    ),
    "vertex-anthropic": ProviderRow(
        title="Vertex AI, Anthropic",
        wire="anthropic-vertex",
        settings=(_LOCATION, _PROJECT),
        base_url=f"https://{{location}}-{_VERTEX}/anthropic",
        base_urls={"global": f"https://{_VERTEX}/anthropic"},
        token_env=("GOOGLE_OAUTH_ACCESS_TOKEN",),
        docs="https://platform.claude.com/docs/en/build-with-claude/claude-on-vertex-ai",
        unchecked=_VERTEX_TOKEN,
    ),
}
"""In the order of their names."""
