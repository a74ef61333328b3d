"""The rows of providers that have one address for everybody, or one for each region."""

from ._quirks import ChatQuirks, ResponsesQuirks
from ._row import ProviderRow, Setting

__all__ = ["HOSTED"]

_ELSEWHERE = "read in the documentation of others only"

HOSTED: dict[str, ProviderRow] = {
    "anthropic": ProviderRow(
        title="Anthropic",
        wire="anthropic-messages",
        base_url="https://api.anthropic.com",
        key_env=("ANTHROPIC_API_KEY",),
        key_header="x-api-key",
        token_env=("ANTHROPIC_AUTH_TOKEN",),
        base_url_env=("ANTHROPIC_BASE_URL",),
        docs="https://platform.claude.com/docs/en/api/overview",
    ),
    "openai": ProviderRow(
        title="OpenAI",
        base_url="https://api.openai.com/v1",
        key_env=("OPENAI_API_KEY",),
        base_url_env=("OPENAI_BASE_URL",),
        header_env=(("OPENAI_ORG_ID", "openai-organization"), ("OPENAI_PROJECT_ID", "openai-project")),
        quirks=ChatQuirks(max_tokens="max_completion_tokens", output="strict", output_beside_tools=True),
        docs="https://platform.openai.com/docs/api-reference/chat",
    ),
    "openai-responses": ProviderRow(
        title="OpenAI, Responses API",
        wire="openai-responses",
        base_url="https://api.openai.com/v1",
        key_env=("OPENAI_API_KEY",),
        base_url_env=("OPENAI_BASE_URL",),
        header_env=(("OPENAI_ORG_ID", "openai-organization"), ("OPENAI_PROJECT_ID", "openai-project")),
        docs="https://platform.openai.com/docs/api-reference/responses",
    ),
    # Where both are set, Google's own libraries take the first.
    "gemini": ProviderRow(
        title="Google Gemini",
        wire="gemini",
        base_url="https://generativelanguage.googleapis.com/v1beta",
        key_env=("GOOGLE_API_KEY", "GEMINI_API_KEY"),
        key_header="x-goog-api-key",
        docs="https://ai.google.dev/gemini-api/docs/api-key",
    ),
    "alibaba": ProviderRow(
        title="Alibaba Cloud Model Studio",
        settings=(Setting("region", default="intl"),),
        base_urls={
            "intl": "https://dashscope-intl.aliyuncs.com/compatible-mode/v1",
            "us": "https://dashscope-us.aliyuncs.com/compatible-mode/v1",
            "cn": "https://dashscope.aliyuncs.com/compatible-mode/v1",
            "hk": "https://cn-hongkong.dashscope.aliyuncs.com/compatible-mode/v1",
        },
        key_env=("DASHSCOPE_API_KEY",),
        docs="https://www.alibabacloud.com/help/en/model-studio/compatibility-of-openai-with-dashscope",
        unchecked="newer workspaces have a domain of their own, to be given as `base_url`",
    ),
    "avian": ProviderRow(
        title="Avian",
        base_url="https://api.avian.io/v1",
        key_env=("AVIAN_API_KEY",),
        docs="https://avian.io/docs/",
        unchecked=_ELSEWHERE,
    ),
    "cerebras": ProviderRow(
        title="Cerebras",
        base_url="https://api.cerebras.ai/v1",
        key_env=("CEREBRAS_API_KEY",),
        quirks=ChatQuirks(max_tokens="max_completion_tokens", output="strict"),
        docs="https://inference-docs.cerebras.ai",
    ),
    "cohere": ProviderRow(
        title="Cohere",
        wire="cohere-v2",
        base_url="https://api.cohere.com",
        key_env=("CO_API_KEY", "COHERE_API_KEY"),
        docs="https://docs.cohere.com/reference/chat-stream",
        unchecked="the names of the variables",
    ),
    # A turn that called a tool is refused without its reasoning, and so is a call that is forced on a model that
    # thinks; JSON is asked for without a schema.
    "deepseek": ProviderRow(
        title="DeepSeek",
        base_url="https://api.deepseek.com",
        key_env=("DEEPSEEK_API_KEY",),
        quirks=ChatQuirks(thinking="reasoning_content", output="json_object", output_beside_tools=True),
        docs="https://api-docs.deepseek.com/guides/thinking_mode",
    ),
    "doubleword": ProviderRow(
        title="Doubleword",
        base_url="https://api.doubleword.ai/v1",
        key_env=("DOUBLEWORD_API_KEY",),
        docs="https://docs.doubleword.ai/inference-api",
        unchecked=_ELSEWHERE,
    ),
    "fireworks": ProviderRow(
        title="Fireworks",
        base_url="https://api.fireworks.ai/inference/v1",
        key_env=("FIREWORKS_API_KEY",),
        quirks=ChatQuirks(thinking="reasoning_content"),
        docs="https://docs.fireworks.ai/guides/reasoning",
        unchecked="that reasoning is taken back",
    ),
    # An output format is not streamed: console.groq.com/docs/structured-outputs
    "groq": ProviderRow(
        title="Groq",
        base_url="https://api.groq.com/openai/v1",
        path="/openai/v1/chat/completions",  # what Groq's own libraries call a base URL is the host alone
        key_env=("GROQ_API_KEY",),
        base_url_env=("GROQ_BASE_URL",),
        quirks=ChatQuirks(max_tokens="max_completion_tokens", output="tool"),
        docs="https://console.groq.com/docs/api-reference",
    ),
    "huggingface": ProviderRow(
        title="Hugging Face Inference Providers",
        base_url="https://router.huggingface.co/v1",
        key_env=("HF_TOKEN",),
        docs="https://huggingface.co/docs/inference-providers",
    ),
    "minimax": ProviderRow(
        title="MiniMax",
        settings=(Setting("region", default="intl"),),
        base_urls={"intl": "https://api.minimax.io/v1", "cn": "https://api.minimaxi.com/v1"},
        key_env=("MINIMAX_API_KEY",),
        docs="https://platform.minimax.io/docs/api-reference/text-openai-api",
        unchecked="the name of the variable",
    ),
    # It refuses fields it does not know, and sends the usage unasked.
    "mistral": ProviderRow(
        title="Mistral",
        base_url="https://api.mistral.ai/v1",
        key_env=("MISTRAL_API_KEY",),
        quirks=ChatQuirks(stream_options=False, output="strict", dialect="mistral"),
        docs="https://docs.mistral.ai/api",
    ),
    # A turn that called a tool is refused without its reasoning.
    "moonshot": ProviderRow(
        title="Moonshot (Kimi)",
        settings=(Setting("region", default="intl"),),
        base_urls={"intl": "https://api.moonshot.ai/v1", "cn": "https://api.moonshot.cn/v1"},
        key_env=("MOONSHOT_API_KEY",),
        quirks=ChatQuirks(thinking="reasoning_content"),
        docs="https://platform.moonshot.ai/docs/guide/use-kimi-k2-thinking-model",
        unchecked="the international address",
    ),
    "nebius": ProviderRow(
        title="Nebius Token Factory",
        base_url="https://api.tokenfactory.nebius.com/v1",
        key_env=("NEBIUS_API_KEY",),
        docs="https://docs.tokenfactory.nebius.com/api-reference/introduction",
        unchecked=_ELSEWHERE,
    ),
    "nvidia": ProviderRow(
        title="NVIDIA",
        base_url="https://integrate.api.nvidia.com/v1",
        key_env=("NVIDIA_API_KEY",),
        docs="https://docs.api.nvidia.com/nim",
        unchecked=_ELSEWHERE,
    ),
    "openrouter": ProviderRow(
        title="OpenRouter",
        base_url="https://openrouter.ai/api/v1",
        key_env=("OPENROUTER_API_KEY",),
        quirks=ChatQuirks(output="strict", output_beside_tools=True, dialect="openrouter"),
        docs="https://openrouter.ai/docs/use-cases/reasoning-tokens",
    ),
    # Its Agent API; the chat completions it had before are said to have ended in September 2026.
    "perplexity": ProviderRow(
        title="Perplexity",
        wire="openai-responses",
        base_url="https://api.perplexity.ai/v1",
        key_env=("PERPLEXITY_API_KEY",),
        quirks=ResponsesQuirks(store=None, encrypted_reasoning=False),
        docs="https://docs.perplexity.ai/docs/agent-api/migrate-from-sonar/overview",
        unchecked="whether it keeps responses and gives encrypted reasoning",
    ),
    "sambanova": ProviderRow(
        title="SambaNova",
        base_url="https://api.sambanova.ai/v1",
        key_env=("SAMBANOVA_API_KEY",),
        docs="https://docs.sambanova.ai/docs/en/features/openai-compatibility",
        unchecked="the base URL",
    ),
    "together": ProviderRow(
        title="Together",
        base_url="https://api.together.ai/v1",
        key_env=("TOGETHER_API_KEY",),
        docs="https://docs.together.ai/docs/inference/openai-compatibility",
    ),
    "venice": ProviderRow(
        title="Venice",
        base_url="https://api.venice.ai/api/v1",
        key_env=("VENICE_API_KEY",),
        docs="https://docs.venice.ai/getting-started/quick-start",
    ),
    "writer": ProviderRow(
        title="Writer",
        base_url="https://api.writer.com/v1",
        path="/chat",
        key_env=("WRITER_API_KEY",),
        docs="https://dev.writer.com/api-guides/introduction",
        unchecked="the path, and how its stream ends",
    ),
    "xai": ProviderRow(
        title="xAI",
        base_url="https://api.x.ai/v1",
        key_env=("XAI_API_KEY",),
        quirks=ChatQuirks(output="strict", output_beside_tools=True),
        docs="https://docs.x.ai/developers/model-capabilities/text/comparison",
    ),
    "xai-responses": ProviderRow(
        title="xAI, Responses API",
        wire="openai-responses",
        base_url="https://api.x.ai/v1",
        key_env=("XAI_API_KEY",),
        docs="https://docs.x.ai/developers/model-capabilities/text/generate-text",
    ),
    # A turn that called a tool wants its reasoning back; JSON is asked for without a schema.
    "zai": ProviderRow(
        title="Z.AI",
        base_url="https://api.z.ai/api/paas/v4",
        key_env=("ZAI_API_KEY",),
        base_url_env=("ZAI_BASE_URL",),
        quirks=ChatQuirks(thinking="reasoning_content", output="json_object", output_beside_tools=True),
        docs="https://docs.z.ai/guides/develop/http/introduction",
        unchecked="the quirks",
    ),
    "zai-coding": ProviderRow(
        title="Z.AI, coding plan",
        base_url="https://api.z.ai/api/coding/paas/v4",
        key_env=("ZAI_API_KEY",),
        quirks=ChatQuirks(thinking="reasoning_content", output="json_object", output_beside_tools=True),
        docs="https://docs.z.ai/devpack/overview",
        unchecked=_ELSEWHERE,
    ),
}
"""In the order of their names, after those that give a wire its name."""
