"""The rows of servers one runs oneself: the base URL is where each listens when it is told nothing else."""

from ._row import ProviderRow

__all__ = ["OWN_SERVERS"]

OWN_SERVERS: dict[str, ProviderRow] = {
    "litellm": ProviderRow(
        title="LiteLLM proxy",
        base_url="http://127.0.0.1:4000/v1",
        key_env=("LITELLM_PROXY_API_KEY", "LITELLM_API_KEY"),
        base_url_env=("LITELLM_PROXY_API_BASE",),
        key_required=False,
        docs="https://docs.litellm.ai/docs/providers/litellm_proxy",
        unchecked="the names of the variables",
    ),
    "llamacpp": ProviderRow(
        title="llama.cpp",
        base_url="http://127.0.0.1:8080/v1",
        key_env=("LLAMA_API_KEY",),
        key_required=False,
        docs="https://github.com/ggml-org/llama.cpp/tree/master/tools/server",
    ),
    "lmstudio": ProviderRow(
        title="LM Studio",
        base_url="http://127.0.0.1:1234/v1",
        key_env=("LM_API_TOKEN",),
        key_required=False,
        docs="https://lmstudio.ai/docs/developer/openai-compat",
    ),
    # It speaks chat completions too, below `/v1`: that is `openai-compatible` with a base URL.
    "ollama": ProviderRow(
        title="Ollama",
        wire="ollama-chat",
        base_url="http://127.0.0.1:11434",
        key_env=("OLLAMA_API_KEY",),
        base_url_env=("OLLAMA_HOST",),
        key_required=False,
        docs="https://docs.ollama.com/api",
    ),
    "sglang": ProviderRow(
        title="SGLang",
        base_url="http://127.0.0.1:30000/v1",
        key_env=("SGLANG_API_KEY",),
        key_required=False,
        docs="https://docs.sglang.io/docs/basic_usage/send_request",
        unchecked="the name of the variable",
    ),
    "vllm": ProviderRow(
        title="vLLM",
        base_url="http://127.0.0.1:8000/v1",
        key_env=("VLLM_API_KEY",),
        key_required=False,
        docs="https://docs.vllm.ai/en/latest/serving/openai_compatible_server.html",
    ),
    # Its server has an address only while it runs: the runtime starts it, and gives the base URL.
    "local": ProviderRow(title="The local model", key_required=False),
    "openai-compatible": ProviderRow(
        title="Any other server of chat completions",
        key_env=("OPENAI_COMPATIBLE_API_KEY",),
        base_url_env=("OPENAI_COMPATIBLE_BASE_URL",),
        key_required=False,
    ),
}
"""In the order of their names, the two that are no product last."""
