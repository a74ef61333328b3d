"""What a decoder yields: one frozen struct for each kind of thing a model sends.

`Chunk` is a closed union: match on it exhaustively. Every struct carries a `type` tag in JSON, so a list of
chunks can be written out and read back with msgspec.
"""

from typing import Any, Literal

from msgspec import Struct

__all__ = [
    "Chunk",
    "Citation",
    "LogProbs",
    "Media",
    "Metadata",
    "RedactedThinking",
    "Refusal",
    "Reset",
    "ScoredToken",
    "ServerToolCall",
    "ServerToolResult",
    "Stop",
    "StopReason",
    "Text",
    "Thinking",
    "TokenLogProb",
    "ToolCall",
    "ToolCallDelta",
    "ToolResult",
    "Usage",
]

StopReason = Literal[
    "stop",
    "length",
    "tool_calls",
    "content_filter",
    "refusal",
    "pause",
    "max_rounds",
    "cancelled",
    "incomplete",
    "unknown",
]
"""Why a turn ended, in one vocabulary for all providers.

`max_rounds` and `cancelled` are the runtime's own. `incomplete` is a turn that was to end in tool calls of which none
came whole. The others translate the provider's word.
"""


class Text(Struct, frozen=True, gc=False, tag="text"):
    """A piece of the answer's visible text, as it arrived."""

    text: str


class Thinking(Struct, frozen=True, gc=False, tag="thinking"):
    """A piece of the model's reasoning.

    `signature` is set on the chunk that closes a signed block: the provider's opaque proof of that block, which must
    be sent back unchanged with it. `id` is set there too, where the provider names its blocks.
    """

    text: str
    signature: str | None = None
    id: str | None = None


class RedactedThinking(Struct, frozen=True, gc=False, tag="redacted_thinking"):
    """A whole reasoning block the provider encrypted; `data` must be sent back byte for byte."""

    data: str


class Refusal(Struct, frozen=True, gc=False, tag="refusal"):
    """A piece of the model's own words for not answering, where the provider keeps them apart from the answer."""

    text: str


class ToolCallDelta(Struct, frozen=True, gc=False, tag="tool_call_delta"):
    """A fragment of a tool call that is still being received.

    It is for display only: nothing may be run from it. `index` is the call's place in the turn; `id` and `name` are
    set on the call's first delta; `fragment` is a piece of the arguments' JSON text.
    """

    index: int
    id: str | None
    name: str | None
    fragment: str


class ToolCall(Struct, frozen=True, tag="tool_call"):
    """A closed tool call: its arguments arrived whole, and are the decoded JSON object.

    `signature` is the provider's opaque proof of the reasoning behind the call, which must be sent back with it; None
    where the provider signs no calls.
    """

    index: int
    id: str
    name: str
    arguments: dict[str, Any]
    signature: str | None = None


class ToolResult(Struct, frozen=True, gc=False, tag="tool_result"):
    """What a tool answered to the call `id`; `content` is the text the model is given."""

    id: str
    name: str
    content: str
    is_error: bool = False


class ServerToolCall(Struct, frozen=True, tag="server_tool_call"):
    """A tool the provider ran itself, such as a web search: for display, nothing is to be run from it.

    `wire` names the wire it came by, and `raw` is the provider's own block: both go back with the conversation, to a
    provider of that wire alone.
    """

    id: str
    name: str
    arguments: dict[str, Any]
    wire: str
    raw: dict[str, Any]


class ServerToolResult(Struct, frozen=True, tag="server_tool_result"):
    """What the provider's own tool answered to the `ServerToolCall` of the same `id`.

    `content` is JSON in the provider's own shape; `wire` and `raw` are as in `ServerToolCall`.
    """

    id: str
    name: str
    content: Any
    wire: str
    raw: dict[str, Any]
    is_error: bool = False


class TokenLogProb(Struct, frozen=True, gc=False):
    """One token and the natural logarithm of its probability."""

    token: str
    logprob: float


class ScoredToken(Struct, frozen=True, gc=False):
    """A token of the answer, and the most likely tokens in its place, where they were asked for."""

    token: str
    logprob: float
    top: tuple[TokenLogProb, ...] = ()


class LogProbs(Struct, frozen=True, gc=False, tag="logprobs"):
    """The log probabilities of the tokens of the text that came with it, in order."""

    tokens: tuple[ScoredToken, ...]


class Citation(Struct, frozen=True, tag="citation"):
    """A source the model names for what it just said.

    `wire` and `raw` are as in `ServerToolCall`, where the provider takes its sources back; empty where it does not.
    """

    url: str | None = None
    title: str | None = None
    text: str | None = None
    wire: str = ""
    raw: dict[str, Any] = {}


class Media(Struct, frozen=True, gc=False, tag="media"):
    """An image, sound or file the model sent, as `data` (decoded bytes) or as a `url`.

    `id` is what the provider calls it, where it keeps it and takes it back by that.
    """

    media_type: str
    data: bytes | None = None
    url: str | None = None
    id: str | None = None


class Metadata(Struct, frozen=True, gc=False, tag="metadata"):
    """What the provider says of the response itself, mostly before any content; what is said last counts.

    `container` is the place in which the provider's own tools have run, where the next request has to name it.
    """

    response_id: str | None = None
    model: str | None = None
    container: str | None = None


class Usage(Struct, frozen=True, tag="usage"):
    """Tokens counted by the provider, in one shape for all of them.

    `input_tokens` counts all input, cached and cache-written tokens included; `output_tokens` counts all output,
    reasoning included. The other counts are parts of those two. `raw` is the provider's own object.
    """

    input_tokens: int = 0
    output_tokens: int = 0
    cached_tokens: int = 0
    cache_write_tokens: int = 0
    reasoning_tokens: int = 0
    raw: dict[str, Any] = {}

    @property
    def total_tokens(self) -> int:
        """Input and output together."""
        return self.input_tokens + self.output_tokens

    def __add__(self, other: "Usage") -> "Usage":
        """The sum of two turns; `raw` is empty, as no provider counted it."""
        return Usage(
            self.input_tokens + other.input_tokens,
            self.output_tokens + other.output_tokens,
            self.cached_tokens + other.cached_tokens,
            self.cache_write_tokens + other.cache_write_tokens,
            self.reasoning_tokens + other.reasoning_tokens,
        )


class Stop(Struct, frozen=True, tag="stop"):
    """The turn is complete: the provider gave its own terminal evidence. Always the last chunk of a turn."""

    reason: StopReason
    usage: Usage | None = None
    raw_reason: str | None = None


class Reset(Struct, frozen=True, gc=False, tag="reset"):
    """The turn starts again: what it had delivered so far is void. Sent only where a restart was asked for."""

    attempt: int


Chunk = (
    Text
    | Thinking
    | RedactedThinking
    | Refusal
    | ToolCallDelta
    | ToolCall
    | ToolResult
    | ServerToolCall
    | ServerToolResult
    | LogProbs
    | Citation
    | Media
    | Metadata
    | Usage
    | Stop
    | Reset
)
"""Everything a session yields."""
