"""What may be given as a prompt, and the conversation it stands for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

import msgspec

from streamd.providers import Message

from .errors import ConfigError

__all__ = ["Prompt", "messages_of"]

Prompt = str | Message | Mapping[str, Any] | Sequence[Message | Mapping[str, Any]]
"""A user's text, one message, or a conversation whose last message is to be answered.

A mapping is a message in the common form `{"role": "user", "content": "..."}`. A conversation that ends with an
assistant's message asks the model to go on from its words, which not every provider does.
"""


def messages_of(prompt: Prompt) -> tuple[Message, ...]:
    """The conversation a prompt stands for.

    Raises:
        ConfigError: It is empty, or a message in it is not one.
    """
    if isinstance(prompt, str):
        if not prompt.strip():
            raise ConfigError("the prompt is empty: give the model something to answer")
        return (Message.user(prompt),)
    if isinstance(prompt, Message | Mapping):
        return (_message(prompt, 0),)
    if not isinstance(cast("object", prompt), Sequence):
        raise ConfigError(f"a prompt is a text, a message or a list of messages, not {type(prompt).__name__}")
    if not prompt:
        raise ConfigError("the prompt is an empty list of messages: give the model something to answer")
    return tuple(_message(each, place) for place, each in enumerate(prompt))


def _message(given: object, place: int) -> Message:
    if isinstance(given, Message):
        return given
    if not isinstance(given, Mapping):
        raise ConfigError(f"message {place} of the prompt is a {type(given).__name__}, not a message")
    form = dict(cast("Mapping[str, Any]", given))
    if isinstance(form.get("content"), str):
        form["content"] = ({"type": "text", "text": form["content"]},)
    try:
        return msgspec.convert(form, Message)
    except msgspec.ValidationError as exc:
        raise ConfigError(
            f"message {place} of the prompt is no message: {exc}; its content is a text, or a list of parts such as "
            "streamd.Text and streamd.Image"
        ) from exc
