"""A conversation as the body of `streamGenerateContent`: https://ai.google.dev/api/generate-content.

Vertex AI takes the same: https://cloud.google.com/vertex-ai/generative-ai/docs/model-reference/inference.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ._answer_tool import answer_choice, answer_tool
from ._conversation import check_conversation, encode_json
from ._gemini_parts import gemini_parts
from ._json import as_object
from ._quirks import GeminiQuirks
from .chunks import Media
from .errors import ConfigError
from .messages import Context, File, Image, Message, Options, ToolSpec

__all__ = ["gemini_body"]

_ALSO: dict[Any, tuple[type, ...]] = {"user": (File,), "assistant": (Media, Image, File)}
_MODES = {"auto": "AUTO", "none": "NONE", "required": "ANY"}
_LAID_OVER = frozenset(("generationConfig", "toolConfig"))
_MAX_LOGPROBS = 20


_PLAIN = GeminiQuirks()


def gemini_body(provider: str, context: Context, options: Options, quirks: GeminiQuirks = _PLAIN) -> bytes:
    """The JSON body that asks for one turn; the model and the wish to stream are in the URL.

    System messages are all moved to the top, behind `context.system`. Neighbours of one role become one content, and
    so do tool results, apart from what the user says next. Signatures go back with what they came on; thoughts
    without one are left out, and so are citations, what other providers encrypted, and a turn with nothing left. Gemini
    3 refuses a call of the present turn without its signature; for a call that another model made the documentation
    (https://ai.google.dev/gemini-api/docs/thought-signatures) names one to give as `ToolCall.signature`. Prompts are
    cached by Gemini itself. `tool_choice` is sent only beside tools. An output is asked for by its JSON schema, or as
    the call of a tool where there are tools; see `GeminiQuirks`.

    `extra_body` lies over what is written here, field by field. Its `generationConfig` and `toolConfig` do so within
    those two, such that `{"generationConfig": {"thinkingConfig": {…}}}` leaves the temperature in place.

    Raises:
        ConfigError: For a conversation this wire cannot carry; see `check_conversation`.
    """
    check_conversation(provider, context, options, also=_ALSO)
    _check_logprobs(provider, options)
    body: dict[str, Any] = {"contents": _contents(context)}
    spoken = [
        context.system or "",
        *(message.text for message in context.messages if message.role == "system"),
    ]
    system = "\n\n".join(text for text in spoken if text.strip())
    if system:
        body["systemInstruction"] = {"parts": [{"text": system}]}
    tools, choice, output = context.tools, options.tool_choice, options.output
    if output is not None and tools and not quirks.output_beside_tools:
        tools, choice, output = (*tools, answer_tool(output)), answer_choice(context, options, output), None
    if tools or context.server_tools:
        declared = [{"functionDeclarations": [_tool(tool) for tool in tools]}] if tools else []
        body["tools"] = [*declared, *map(dict, context.server_tools)]
    if tools and choice is not None:
        body["toolConfig"] = {"functionCallingConfig": _tool_choice(choice)}
    given: dict[str, Any] = {
        "maxOutputTokens": options.max_tokens,
        "temperature": options.temperature,
        "topP": options.top_p,
        "stopSequences": list(options.stop) or None,
        "responseMimeType": None if output is None else "application/json",
        "responseJsonSchema": None if output is None else output.schema,
        "responseLogprobs": None if options.logprobs is None else True,
        "logprobs": options.logprobs or None,
    }
    config = {name: value for name, value in given.items() if value is not None}
    if config:
        body["generationConfig"] = config
    for name, value in options.extra_body.items():
        within = as_object(body.get(name)) if name in _LAID_OVER else {}
        body[name] = {**within, **value} if isinstance(value, Mapping) else value
    return encode_json(provider, body)


def _contents(context: Context) -> list[dict[str, Any]]:
    contents: list[dict[str, Any]] = []
    before = None
    for message in context.messages:
        parts = gemini_parts(message) if message.role != "system" else []
        if not parts:
            continue
        if message.role == before:
            contents[-1]["parts"] += parts
        else:
            contents.append({"role": _role(message), "parts": parts})
        before = message.role
    return contents


def _role(message: Message) -> str:
    return "model" if message.role == "assistant" else "user"


def _tool(tool: ToolSpec) -> dict[str, Any]:
    declared: dict[str, Any] = {"name": tool.name}
    if tool.description:
        declared["description"] = tool.description
    if tool.input_schema.keys() - {"type", "title", "description"} - _empty(tool):
        declared["parametersJsonSchema"] = tool.input_schema
    return declared


def _empty(tool: ToolSpec) -> set[str]:
    """The fields of a schema by which it takes nothing: such a tool is declared without parameters."""
    return {
        name
        for name in ("properties", "required", "additionalProperties", "$defs")
        if not tool.input_schema.get(name)
    }


def _tool_choice(choice: str) -> dict[str, Any]:
    mode = _MODES.get(choice)
    return {"mode": "ANY", "allowedFunctionNames": [choice]} if mode is None else {"mode": mode}


def _check_logprobs(provider: str, options: Options) -> None:
    if options.logprobs is not None and not 0 <= options.logprobs <= _MAX_LOGPROBS:
        raise ConfigError(f"{provider}: logprobs must be 0 to {_MAX_LOGPROBS}, not {options.logprobs}")
