"""What every wire asks of a conversation before it is written down, and the writing itself."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import msgspec

from ._input_types import check_types
from .chunks import (
    Citation,
    RedactedThinking,
    Refusal,
    ServerToolCall,
    ServerToolResult,
    Text,
    Thinking,
    ToolCall,
    ToolResult,
)
from .errors import ConfigError
from .messages import CachePoint, Context, File, Image, Message, Options, Part, Role

__all__ = ["check_conversation", "encode_json", "sound_text"]

_TAKES: dict[Role, tuple[type, ...]] = {
    "system": (Text, CachePoint),
    "user": (Text, Image, CachePoint),
    # A citation says where a text came from, and a provider's own tools what another provider did: both are left out
    # of what is sent where they mean nothing, and the text stays.
    "assistant": (
        *(Text, Thinking, RedactedThinking, Refusal, ToolCall, Citation),
        *(ServerToolCall, ServerToolResult, CachePoint),
    ),
    "tool": (ToolResult,),
}


def check_conversation(
    provider: str, context: Context, options: Options, also: Mapping[Role, tuple[type, ...]] = {}
) -> None:
    """Raise `ConfigError` for a conversation that cannot be sent; the message names the provider and the place.

    Each role takes its own kinds of part: texts in a system message; texts and images in a user's; texts, thinking,
    refusals, tool calls and citations in an assistant's; tool results in a tool's. A user's message says something.
    An image is given as data or as a URL. A named tool choice is one of the tools. Every field is of its type.

    Args:
        provider: The provider's name.
        context: The conversation.
        options: How it is to be answered.
        also: The kinds of part the provider takes beyond those that every provider takes, by role.
    """
    check_types(provider, context, options)
    if not options.model:
        raise ConfigError(f"{provider}: the model has no name")
    if sound_text(options.model) != options.model:
        raise ConfigError(f"{provider}: the model's name has a lone surrogate")
    if not any(message.role in {"user", "tool"} for message in context.messages):
        raise ConfigError(f"{provider}: the prompt is empty: there is no message to answer")
    if options.max_tokens is not None and options.max_tokens < 1:
        raise ConfigError(f"{provider}: max_tokens must be at least 1, not {options.max_tokens}")
    for name, value in (("temperature", options.temperature), ("top_p", options.top_p)):
        if value is not None and not math.isfinite(value):
            raise ConfigError(f"{provider}: {name} must be a finite number, not {value}")
    for number, message in enumerate(context.messages):
        _check_message(provider, number, message, also)
    _check_tool_choice(provider, context, options)


def encode_json(provider: str, value: Mapping[str, Any]) -> bytes:
    """The JSON of a request's body, or of a part of it. Raises `ConfigError` if something in it has none."""
    try:
        return msgspec.json.encode(value)
    except UnicodeEncodeError as error:
        # The exception holds the whole text, which may be anything: it is not kept as a cause.
        reason = f"a text has a lone surrogate at position {error.start}"
    except RecursionError:
        reason = "it is nested too deeply"
    except (TypeError, ValueError, OverflowError) as error:
        raise ConfigError(f"{provider}: the request cannot be written as JSON: {error}") from error
    raise ConfigError(f"{provider}: the request cannot be written as JSON: {reason}")


def sound_text(text: str) -> str:
    """`text` as UTF-8 can hold it: a tool may answer with half a surrogate pair, which becomes a question mark."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")


def _check_message(
    provider: str, number: int, message: Message, also: Mapping[Role, tuple[type, ...]]
) -> None:
    where = f"{provider}: message {number} ({message.role})"
    if message.role not in _TAKES:
        raise ConfigError(f"{where}: no such role; the roles are {', '.join(_TAKES)}")
    takes = _TAKES[message.role] + also.get(message.role, ())
    for part in message.content:
        if not isinstance(part, takes):
            raise ConfigError(f"{where} cannot hold a part of kind {_kind(part)!r}")
        if isinstance(part, Image):
            _check_image(where, part)
        elif isinstance(part, File):
            _check_file(where, part)
    if message.role in {"user", "tool"} and not any(_says_something(part) for part in message.content):
        raise ConfigError(f"{where} is empty")


def _says_something(part: Part) -> bool:
    match part:
        case Text(text):
            return bool(text.strip())
        case CachePoint():
            return False
        case _:
            return True


def _check_image(where: str, image: Image) -> None:
    if bool(image.data) == bool(image.url):
        raise ConfigError(f"{where}: an image is given as `data` or as a `url`, and one of the two")
    if image.data and not image.media_type.startswith("image/"):
        raise ConfigError(f"{where}: {image.media_type!r} is no media type of an image")


def _check_file(where: str, file: File) -> None:
    if sum(map(bool, (file.data, file.url, file.file_id))) != 1:
        raise ConfigError(
            f"{where}: a file is given as `data`, as a `url` or by its `file_id`, and one of them"
        )
    if file.data and "/" not in file.media_type:
        raise ConfigError(f"{where}: {file.media_type!r} is no media type of a file")


def _check_tool_choice(provider: str, context: Context, options: Options) -> None:
    choice = options.tool_choice
    names = [tool.name for tool in context.tools]
    if choice in {None, "auto", "none"} or (names and choice == "required") or choice in names:
        return
    from difflib import get_close_matches  # noqa: PLC0415 - slow to import, and only for a mistake

    near = get_close_matches(str(choice), ["auto", "none", "required", *names], n=1)
    hint = f"; did you mean {near[0]!r}?" if near and names else ""
    offered = ", ".join(names) or "there are none"
    raise ConfigError(f"{provider}: the tool choice {choice!r} needs a tool (offered: {offered}){hint}")


def _kind(part: object) -> str:
    tag = part.__struct_config__.tag if isinstance(part, msgspec.Struct) else None
    return str(tag or type(part).__name__)
