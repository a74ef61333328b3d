"""Content as a list of parts, as Mistral and Databricks give it when the model thinks, cites or draws.

https://docs.mistral.ai/capabilities/reasoning, https://docs.mistral.ai/capabilities/citations, and for the latter
https://docs.databricks.com/aws/en/machine-learning/foundation-model-apis/api-reference.
"""

from __future__ import annotations

from typing import Any

from ._json import as_list, as_object, as_text
from ._media import media
from .chunks import Chunk, Citation, Media, Text, Thinking

__all__ = ["chat_parts", "image"]


def chat_parts(parts: list[Any], out: list[Chunk]) -> None:
    """Tell of each part that is of a known kind.

    Thinking is itself a list of parts. A reference to what the request held, such as a tool's answer, has no address:
    the source is named by its number there.
    """
    for part in map(as_object, parts):
        thoughts = part.get("thinking") or part.get("summary")
        for thought in map(as_object, as_list(thoughts) or [{"text": thoughts}]):
            text, signature = as_text(thought.get("text")), as_text(thought.get("signature"))
            if text or signature:
                out.append(Thinking(text or "", signature))
            _cite(thought, out)
        if text := as_text(part.get("text")):
            out.append(Text(text))
        _cite(part, out)
        if (found := image(part)) is not None:
            out.append(found)


def image(part: dict[str, Any]) -> Media | None:
    """The image in the place of `image_url`, which is its URL or an object with it; None where there is none."""
    given = part.get("image_url")
    url = as_text(given) or as_text(as_object(given).get("url"))
    return None if url is None else media(url)


def _cite(part: dict[str, Any], out: list[Chunk]) -> None:
    match part.get("type"):
        case "reference":
            numbers = as_list(part.get("reference_ids"))
            out += [Citation(None, str(number)) for number in numbers if isinstance(number, int | str)]
        case "tool_reference":
            url, title, text = (as_text(part.get(name)) for name in ("url", "title", "description"))
            if url or title or text:
                out.append(Citation(url, title, text))
        case _:
            pass
