"""Where a server differs from the others that speak its wire."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

__all__ = [
    "AnthropicQuirks",
    "ChatQuirks",
    "ConverseQuirks",
    "Dialect",
    "GeminiQuirks",
    "InvokeQuirks",
    "Quirks",
    "ResponsesQuirks",
]

Dialect = Literal["openai", "mistral", "openrouter"]
"""How a server that speaks chat completions wants messages written; see `ChatQuirks`."""


class ChatQuirks(Struct, frozen=True):
    """Where a server differs from the others that speak this wire.

    Args:
        max_tokens: The name of the field that bounds the output. OpenAI itself takes `max_completion_tokens`, and
            refuses the older name for its reasoning models; most compatible servers know only the older one.
        stream_options: Whether the server takes `stream_options`, which asks for the usage at the end of the stream.
        thinking: The field of an assistant's message in which the server wants its own reasoning back; None where
            reasoning is not sent back.
        output: How the server is asked for an output: by a schema in the form of `strict_schema`, which it shows to
            the model itself; by any JSON schema, which only bounds what the model may write, so that the model is told
            it too; as any JSON object, the model being told the schema; or as the call of a tool.
        output_beside_tools: Whether the server takes that together with tools; where not, the output is one of them.
        dialect: How messages are written. Mistral's server refuses fields it does not know, and ids of calls that are
            not of nine letters and digits: others are mapped to such. It takes thinking back as a part of the content,
            a last turn of the assistant as the beginning of the answer, and no `logprobs`. OpenRouter takes back what
            it said of its reasoning and the images that it drew, documents by their URL, and cache points.
    """

    max_tokens: Literal["max_tokens", "max_completion_tokens"] = "max_tokens"
    stream_options: bool = True
    thinking: str | None = None
    output: Literal["strict", "json_schema", "json_object", "tool"] = "json_schema"
    output_beside_tools: bool = False
    dialect: Dialect = "openai"


class ResponsesQuirks(Struct, frozen=True):
    """Where a server differs from the others that speak this wire.

    Args:
        store: Whether the provider is asked to keep responses; None where the server does not take the field.
        encrypted_reasoning: Whether reasoning is asked for in a form that can be sent back, where it is not kept.
        reasoning: The field in which the server wants its own reasoning back: OpenAI shows only a summary of it, and
            takes it with its encrypted form alone; the servers of open models show all as its content. A gateway to
            both takes either: a summary where there is an encrypted form, the content where there is none.
        output: How the server is asked for an output: by a schema in the form of `strict_schema`, which it shows to
            the model itself; or by any JSON schema, the model being told it too.
    """

    store: bool | None = False
    encrypted_reasoning: bool = True
    reasoning: Literal["summary", "content", "either"] = "summary"
    output: Literal["strict", "json_schema"] = "strict"


class AnthropicQuirks(Struct, frozen=True):
    """Where a server differs from Anthropic's own.

    Args:
        output: How the server is asked for an output: by a schema that it holds the model to, or as the call of a
            tool, which models before Claude 4.5 and most compatible servers need.
        version: Sent as `anthropic_version`, in the place of the model's name, where clouds have that in their URL.
        stream: Whether the body says that the answer is to be streamed, as it must where the URL does not.
    """

    output: Literal["json_schema", "tool"] = "json_schema"
    version: str | None = None
    stream: bool = True


class GeminiQuirks(Struct, frozen=True):
    """Where a server or its models differ from the others that speak this wire.

    Args:
        output_beside_tools: Whether an output's schema is taken together with tools, as Gemini 3 does; where not, the
            output is asked for as the call of a tool.
    """

    output_beside_tools: bool = False


class ConverseQuirks(Struct, frozen=True):
    """Where a model differs from the others of Bedrock.

    Args:
        output: How it is asked for an output: by a schema that Bedrock holds it to, or as the call of a tool, which
            Amazon's own models and Anthropic's before Claude 4.5 need. By what the model's name tells where None.
    """

    output: Literal["json_schema", "tool"] | None = None


class InvokeQuirks(Struct, frozen=True):
    """How a model is asked that Bedrock only passes requests on to.

    Args:
        model: Whose words it takes. Where None the name tells: before its dot stands who made the model. A name
            without one, such as that of an inference profile of your own, is taken for one of Anthropic's.
        output: How it is asked for an output; see `AnthropicQuirks`. Nova's are always asked by a tool.
    """

    model: Literal["anthropic", "nova"] | None = None
    output: Literal["json_schema", "tool"] = "json_schema"


Quirks = ChatQuirks | ResponsesQuirks | AnthropicQuirks | GeminiQuirks | ConverseQuirks | InvokeQuirks
"""Those of any wire."""
