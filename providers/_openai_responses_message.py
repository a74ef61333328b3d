"""What a message says: its text, refusals, sound, sources and log probabilities."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ._json import as_list, as_object, as_text
from ._logprobs import score
from ._openai_responses_events import ResponsesEvent
from ._openai_responses_items import OutputItem
from ._openai_responses_tools import decoded
from .chunks import Chunk, Citation, Media, Refusal, Text

__all__ = ["MESSAGE_EVENTS", "complete_message"]

_SOUND = "audio/pcm"  # of the formats to be had the one that can be cut; an event does not name it


def complete_message(item: OutputItem, told: dict[str, Any], out: list[Chunk]) -> None:
    """Deliver what the whole message has beyond the events before it."""
    content = told.get("content")
    parts = [{"type": "output_text", "text": content}] if isinstance(content, str) else as_list(content)
    whole: dict[str, list[str]] = {"text": [], "refusal": [], "transcript": []}
    citations: list[Any] = []
    for part in map(as_object, parts):
        for kind, texts in whole.items():
            texts += filter(None, [as_text(part.get(kind))])
        citations += as_list(part.get("annotations"))
    _say("text", item.text("text").rest("".join(whole["text"])), out)
    _say("transcript", item.text("transcript").rest("".join(whole["transcript"])), out)
    _say("refusal", item.text("refusal").rest("".join(whole["refusal"])), out)
    for part in map(as_object, parts):
        if not item.scored:
            score(as_list(part.get("logprobs")), out)
        data = None if item.heard else decoded(part.get("data"))
        if data is not None and part.get("type") == "output_audio":
            out.append(Media(_SOUND, data=data))
    item.scored = item.heard = True
    for citation in citations[item.cited :]:
        _cite(item, as_object(citation), out)


def _text(item: OutputItem, event: ResponsesEvent, out: list[Chunk]) -> None:
    text = event.delta
    if text:
        item.text("text").add(text)
        out.append(Text(text))
    if event.logprobs:
        item.scored = True
        score(event.logprobs, out)


def _text_done(item: OutputItem, event: ResponsesEvent, out: list[Chunk]) -> None:
    _say("text", item.text("text").rest_of_part(event.content_index, event.text or ""), out)
    if event.logprobs and not item.scored:
        item.scored = True
        score(event.logprobs, out)


def _refusal(item: OutputItem, event: ResponsesEvent, out: list[Chunk]) -> None:
    if event.delta:
        item.text("refusal").add(event.delta)
        out.append(Refusal(event.delta))


def _refusal_done(item: OutputItem, event: ResponsesEvent, out: list[Chunk]) -> None:
    _say("refusal", item.text("refusal").rest_of_part(event.content_index, event.refusal or ""), out)


def _transcript(item: OutputItem, event: ResponsesEvent, out: list[Chunk]) -> None:
    if event.delta:
        item.text("transcript").add(event.delta)
        out.append(Text(event.delta))


def _sound(item: OutputItem, event: ResponsesEvent, out: list[Chunk]) -> None:
    data = decoded(event.delta)
    if data is not None:
        item.heard = True
        out.append(Media(_SOUND, data=data))


def _annotation(item: OutputItem, event: ResponsesEvent, out: list[Chunk]) -> None:
    _cite(item, as_object(event.annotation), out)


MESSAGE_EVENTS: dict[str, Callable[[OutputItem, ResponsesEvent, list[Chunk]], None]] = {
    "response.output_text.delta": _text,
    "response.output_text.done": _text_done,
    "response.output_text.annotation.added": _annotation,
    "response.output_text_annotation.added": _annotation,
    "response.refusal.delta": _refusal,
    "response.refusal.done": _refusal_done,
    "response.audio.delta": _sound,
    "response.audio.transcript.delta": _transcript,
    "response.output_audio.delta": _sound,
    "response.output_audio_transcript.delta": _transcript,
}
"""What each event that belongs to a message does; some servers spell a name as it was once spelt."""


def _say(kind: str, text: str, out: list[Chunk]) -> None:
    if text:
        out.append(Refusal(text) if kind == "refusal" else Text(text))


def _cite(item: OutputItem, source: dict[str, Any], out: list[Chunk]) -> None:
    """A source on the web, or a file, which is known by its name."""
    item.cited += 1
    url = as_text(source.get("url"))
    title = as_text(source.get("title")) or as_text(source.get("filename")) or as_text(source.get("file_id"))
    if url or title:
        out.append(Citation(url, title))
