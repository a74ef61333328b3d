"""What a conversation is made of, on its way to a provider and back.

A `Message` is a role and an ordered tuple of parts. The parts an assistant's turn is made of are the chunks
themselves, so that what was decoded can be sent back unchanged: thinking blocks keep their signatures and their place.
"""

from collections.abc import Mapping
from typing import Any, Literal

from msgspec import Struct

from .chunks import (
    Citation,
    Media,
    RedactedThinking,
    Refusal,
    ServerToolCall,
    ServerToolResult,
    StopReason,
    Text,
    Thinking,
    ToolCall,
    ToolResult,
    Usage,
)

__all__ = [
    "CachePoint",
    "CacheTime",
    "Context",
    "File",
    "Image",
    "Message",
    "Options",
    "OutputSpec",
    "Part",
    "Role",
    "ToolSpec",
]

Role = Literal["system", "user", "assistant", "tool"]


class Image(Struct, frozen=True, gc=False, tag="image"):
    """An image given to the model: `data` (the file's bytes) with its `media_type`, or a `url`."""

    media_type: str = "image/png"
    data: bytes | None = None
    url: str | None = None


class File(Struct, frozen=True, gc=False, tag="file"):
    """A document or a sound given to the model.

    It is given as `data` (the file's bytes) with its `media_type`, as a `url`, or by the `file_id` under which the
    provider keeps it. `name` is what the model is told it is called.
    """

    media_type: str = "application/pdf"
    data: bytes | None = None
    url: str | None = None
    file_id: str | None = None
    name: str | None = None


CacheTime = Literal["5m", "1h"]
"""How long a provider keeps a prompt's beginning for the next request."""


class CachePoint(Struct, frozen=True, gc=False, tag="cache_point"):
    """Asks the provider to cache the prompt up to here.

    Providers that cache by themselves are not told of it.
    """

    time: CacheTime = "5m"


Part = (
    Text
    | Thinking
    | RedactedThinking
    | Refusal
    | ToolCall
    | ToolResult
    | ServerToolCall
    | ServerToolResult
    | Citation
    | Media
    | Image
    | File
    | CachePoint
)
"""Everything a message can hold."""


class Message(Struct, frozen=True):
    """One turn of a conversation: who speaks, and what, in order.

    `usage` and `stop_reason` are set on turns a model made. `Message.user("...")` and its siblings make the plain
    ones.
    """

    role: Role
    content: tuple[Part, ...]
    usage: Usage | None = None
    stop_reason: StopReason | None = None

    @classmethod
    def system(cls, text: str) -> "Message":
        """An instruction that stands over the conversation."""
        return cls("system", (Text(text),))

    @classmethod
    def user(cls, *parts: str | Image | File | CachePoint) -> "Message":
        """What the user says: texts, images and files, in order."""
        return cls("user", tuple(Text(part) if isinstance(part, str) else part for part in parts))

    @classmethod
    def assistant(cls, text: str) -> "Message":
        """What the model is held to have said."""
        return cls("assistant", (Text(text),))

    @classmethod
    def tool(cls, *results: ToolResult) -> "Message":
        """What tools answered to the calls of the turn before."""
        return cls("tool", results)

    @property
    def text(self) -> str:
        """The visible text, joined."""
        return "".join(part.text for part in self.content if isinstance(part, Text))

    @property
    def thinking(self) -> str:
        """The text of all reasoning blocks, joined."""
        return "".join(part.text for part in self.content if isinstance(part, Thinking))

    @property
    def refusal(self) -> str:
        """The model's words for not answering, joined; empty where it answered or said them in its text."""
        return "".join(part.text for part in self.content if isinstance(part, Refusal))

    @property
    def tool_calls(self) -> tuple[ToolCall, ...]:
        """The closed tool calls, in the order the model made them."""
        return tuple(part for part in self.content if isinstance(part, ToolCall))

    @property
    def tool_results(self) -> tuple[ToolResult, ...]:
        """The tools' answers this message carries."""
        return tuple(part for part in self.content if isinstance(part, ToolResult))


class ToolSpec(Struct, frozen=True):
    """A tool as the model is told of it; `input_schema` is the JSON schema of its arguments, an object."""

    name: str
    description: str
    input_schema: dict[str, Any]


class OutputSpec(Struct, frozen=True):
    """The shape an answer is to have; `schema` is a JSON schema, an object, and `name` what the provider is told."""

    name: str
    schema: dict[str, Any]


class Context(Struct, frozen=True):
    """All that a request says: the conversation so far, the instruction over it, and the tools on offer.

    `server_tools` are tools the provider runs itself, each declared in the provider's own JSON. `provider_state` is
    what the provider gave with the last turn to be given back, such as `previous_response_id`.
    """

    messages: tuple[Message, ...]
    system: str | None = None
    tools: tuple[ToolSpec, ...] = ()
    server_tools: tuple[Mapping[str, Any], ...] = ()
    provider_state: Mapping[str, Any] = {}


class Options(Struct, frozen=True):
    """How a request is to be answered. `None` leaves a choice to the provider.

    `tool_choice` is `"auto"`, `"none"`, `"required"` or the name of a tool. `max_tokens` bounds the output, in tokens.
    `output` is the shape the answer is to have. `logprobs` asks for the log probability of each token, and for so many
    of the most likely tokens in its place. `cache` asks a provider that caches only what it is told to for the
    instruction, the tools and the conversation so far to be kept so long.
    `extra_headers` (texts, or `Secret`s) and `extra_body` are sent as they are, over what the provider would send
    itself.
    """

    model: str
    max_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    stop: tuple[str, ...] = ()
    tool_choice: str | None = None
    output: OutputSpec | None = None
    logprobs: int | None = None
    cache: CacheTime | None = None
    extra_headers: Mapping[str, Any] = {}
    extra_body: Mapping[str, Any] = {}
