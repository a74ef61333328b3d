"""A conversation as the body of a response: platform.openai.com/docs/api-reference/responses/create."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ._answer_tool import schema_instruction
from ._conversation import check_conversation, encode_json
from ._json import as_text
from ._openai_responses_input import InputStyle, input_items
from ._quirks import ResponsesQuirks
from ._strict_schema import strict_schema
from .chunks import Media, Metadata
from .errors import ConfigError
from .messages import Context, File, Message, Options, OutputSpec, ToolSpec

__all__ = ["openai_responses_body", "responses_state"]


def openai_responses_body(
    provider: str, context: Context, options: Options, quirks: ResponsesQuirks
) -> bytes:
    """The JSON body that asks for one streamed turn.

    The provider is asked to keep nothing, and for its reasoning in encrypted form, so that every request holds the
    whole conversation. Where it is asked to keep responses (by `quirks.store`, by `store` in `options.extra_body`, or
    by `background` there, which needs it) and `context.provider_state` names a `previous_response_id`, only what
    follows the last assistant's turn is sent, as that response holds all before; the instruction is sent again.

    A tool that `context.server_tools` declares as `custom` takes any text: it is declared in that form alone, also
    where `context.tools` has one of its name, and its calls go back as such. A tool's error is sent as its text: the
    wire has no flag for it. Prompts are cached without being asked for.

    Raises:
        ConfigError: For a conversation this wire cannot carry; see `check_conversation`. For stop sequences, which it
            has not. For a response to go on from that nothing follows, or that was not kept and is not given.
    """
    check_conversation(provider, context, options, also={"user": (File,), "assistant": (Media,)})
    if options.stop:
        raise ConfigError(f"{provider}: this API has no stop sequences")
    extra = options.extra_body
    stores = bool(extra.get("store", quirks.store or extra.get("background")))
    previous = as_text(context.provider_state.get("previous_response_id"))
    if previous is not None and not stores:
        _check_is_whole(provider, context)
        previous = None
    messages = context.messages if previous is None else _unanswered(provider, context.messages)
    custom = frozenset(str(tool.get("name")) for tool in context.server_tools if tool.get("type") == "custom")
    style = InputStyle(custom, quirks.reasoning, stores)
    body: dict[str, Any] = {
        "model": options.model,
        "input": input_items(provider, messages, style),
        "stream": True,
    }
    if quirks.store is not None or stores:
        body["store"] = stores
    if previous is not None:
        body["previous_response_id"] = previous
    instructions = [context.system] if context.system else []
    if options.output is not None:
        body["text"] = {"format": _format(options.output, quirks)}
        if quirks.output == "json_schema":
            instructions.append(schema_instruction(provider, options.output))
    if instructions:
        body["instructions"] = "\n\n".join(instructions)
    tools = [_tool(tool) for tool in context.tools if tool.name not in custom]
    tools += [dict(tool) for tool in context.server_tools]
    if tools:
        body["tools"] = tools
        if options.tool_choice is not None:
            body["tool_choice"] = _tool_choice(options.tool_choice, custom)
    include = ["reasoning.encrypted_content"] if quirks.encrypted_reasoning and not stores else []
    include += ["message.output_text.logprobs"] if options.logprobs is not None else []
    given = {
        "include": include or None,
        "top_logprobs": options.logprobs,
        "max_output_tokens": options.max_tokens,
        "temperature": options.temperature,
        "top_p": options.top_p,
    }
    body.update((name, value) for name, value in given.items() if value is not None)
    return encode_json(provider, {**body, **extra})


def responses_state(metadata: Metadata) -> dict[str, Any]:
    """What the next request's `Context.provider_state` is to hold; it counts only where responses are kept."""
    return {"previous_response_id": metadata.response_id} if metadata.response_id else {}


def _check_is_whole(provider: str, context: Context) -> None:
    if not any(message.role == "assistant" for message in context.messages):
        raise ConfigError(
            f"{provider}: `previous_response_id` needs `store` in `extra_body`; without it give the whole conversation"
        )


def _unanswered(provider: str, messages: Sequence[Message]) -> Sequence[Message]:
    last = max((at for at, message in enumerate(messages) if message.role == "assistant"), default=-1)
    if last == len(messages) - 1:
        raise ConfigError(f"{provider}: no message follows the response that is to be gone on from")
    return messages[last + 1 :]


def _format(output: OutputSpec, quirks: ResponsesQuirks) -> dict[str, Any]:
    strict = strict_schema(output.schema) if quirks.output == "strict" else None
    held = {"schema": strict, "strict": True} if strict is not None else {"schema": output.schema}
    return {"type": "json_schema", "name": output.name, **held}


def _tool(tool: ToolSpec) -> dict[str, Any]:
    described = {"description": tool.description} if tool.description else {}
    return {
        "type": "function",
        "name": tool.name,
        **described,
        "parameters": tool.input_schema,
        "strict": False,  # the wire's default would refuse a schema with optional properties
    }


def _tool_choice(choice: str, custom: frozenset[str]) -> str | dict[str, Any]:
    if choice in {"auto", "none", "required"}:
        return choice
    return {"type": "custom" if choice in custom else "function", "name": choice}
