"""How chunks, errors and statistics read: pure functions from values to text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, assert_never

import msgspec
from msgspec import Struct

from streamd.providers import (
    Chunk,
    Citation,
    LogProbs,
    Media,
    Metadata,
    ProviderInfo,
    RedactedThinking,
    Refusal,
    Reset,
    ServerToolCall,
    ServerToolResult,
    Stop,
    StopReason,
    Text,
    Thinking,
    ToolCall,
    ToolCallDelta,
    ToolResult,
    Usage,
)

from ._cost import cost
from ._response import Response, SessionStatistics
from .errors import (
    AuthenticationError,
    ConfigError,
    ConnectFailed,
    NotAStream,
    NotFoundError,
    RedirectRefused,
)

__all__ = [
    "Piece",
    "early_end",
    "error_text",
    "json_line",
    "one_line",
    "price_line",
    "render",
    "safe",
    "statistics_line",
]

NOTE_WIDTH = 100

# A model must not move the cursor, set the title or answer for the terminal: every control character but a tab and a
# line's end goes.
_CONTROLS = {code: None for code in (*range(0x20), *range(0x7F, 0xA0)) if chr(code) not in "\t\n"}

_EARLY: dict[StopReason, str] = {
    "length": "it reached the limit of tokens",
    "content_filter": "the provider's content filter stopped it",
    "refusal": "the model refused to go on",
    "pause": "the provider paused the turn",
    "max_rounds": "the limit of tool rounds was reached",
    "incomplete": "it is not whole",
}


class Piece(Struct, frozen=True):
    """Something to show: the answer's `text`, the model's `thinking`, or a `note` on a line of its own."""

    kind: Literal["text", "thinking", "note"]
    text: str


def render(chunk: Chunk) -> Piece | None:
    """What a person is shown of a chunk; None where that is nothing."""
    match chunk:
        case Text(text) | Refusal(text):
            return Piece("text", text)
        case Thinking(text):
            return Piece("thinking", text)
        case ToolCall(name=name, arguments=arguments):
            return Piece("note", one_line(f"→ {name} {msgspec.json.encode(arguments).decode()}"))
        case ToolResult(name=name, content=content, is_error=is_error):
            return Piece("note", one_line(f"{'✗' if is_error else '←'} {name}: {content}"))
        case ServerToolCall(name=name, arguments=arguments):
            return Piece("note", one_line(f"⇢ {name} {msgspec.json.encode(arguments).decode()}"))
        case ServerToolResult(name=name, is_error=is_error):
            return Piece("note", one_line(f"{'✗' if is_error else '⇠'} {name}"))
        case Citation(url=url, title=title):
            return Piece("note", one_line(f"source: {title or ''} {url or ''}"))
        case Media(media_type=media_type, url=url):
            return Piece("note", one_line(f"a file came: {media_type} {url or ''}"))
        case Reset():
            return Piece("note", "the answer starts again")
        case RedactedThinking() | ToolCallDelta() | LogProbs() | Metadata() | Usage() | Stop():
            return None
    assert_never(chunk)


def json_line(chunk: Chunk) -> str:
    """A chunk as one line of JSON, its `type` first."""
    return msgspec.json.encode(chunk).decode() + "\n"


def safe(text: str) -> str:
    """`text` without the control characters that would drive a terminal; tabs and line ends stay."""
    return text if text.isprintable() else text.translate(_CONTROLS)


def one_line(text: str) -> str:
    """`text` on one line, cut where it is long."""
    joined = " ".join(safe(text).split())
    return joined if len(joined) <= NOTE_WIDTH else joined[: NOTE_WIDTH - 1] + "…"


def early_end(reason: StopReason | None) -> str | None:
    """What to say of an answer that ended before its own end; None of one that did not."""
    return f"the answer ended early: {_EARLY[reason]}" if reason in _EARLY else None


def statistics_line(statistics: SessionStatistics) -> str:
    """A session's counters on one line."""
    first = statistics.time_to_first_chunk
    facts = ["no chunk came"]
    if first is not None:
        # Coarse clocks may have a whole short answer arrive in no time.
        streaming = max(statistics.duration - first, 1e-6)
        facts = [f"first chunk after {first:.2f} s", f"{statistics.chunks_decoded / streaming:.1f} chunks/s"]
    usage = statistics.usage
    facts += [
        f"{usage.input_tokens} tokens in",
        f"{usage.output_tokens} tokens out",
        f"{statistics.rounds} {'round' if statistics.rounds == 1 else 'rounds'}",
        f"{statistics.duration:.2f} s in all",
    ]
    return ", ".join(facts)


def price_line(model: str, response: Response) -> str | None:
    """What an answer cost; None where that is not known."""
    try:
        price = cost(model, response)
    except ConfigError:  # the table is not installed, or the model is one's own
        return None
    return None if price is None else f"${price.total:.6f} at list prices"


def error_text(error: BaseException, model: str = "", providers: Sequence[ProviderInfo] = ()) -> str:
    """An error as it is shown, with what to do about it where that is known.

    Args:
        error: What ended the command.
        model: The model that was asked, as the user gave it.
        providers: The known providers, to name the variables that the key and the address came from.
    """
    text = f"streamd: error: {safe(str(error)) or type(error).__name__}"
    name = model.replace("/", ":", 1).partition(":")[0]
    hints = [_hint(error, each) for each in providers if each.name == name]
    return "\n".join([text, *(f"streamd: hint: {hint}" for hint in hints if hint)])


def _hint(error: BaseException, provider: ProviderInfo) -> str:
    key, address = " or ".join(provider.key_env), " or ".join(provider.base_url_env)
    match error:
        case AuthenticationError() if key:
            return f"the key is read from {key}"
        case ConnectFailed() | NotAStream() | RedirectRefused() | NotFoundError():
            other = f"; {address} gives another address" if address else ""
            return f"{provider.name} is asked at {provider.base_url}{other}"
        case _:
            return ""
