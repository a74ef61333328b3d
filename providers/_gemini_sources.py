"""What Gemini says of where an answer comes from."""

from __future__ import annotations

from typing import Any

from ._gemini_events import GeminiCandidate
from ._json import as_list, as_object, as_text
from .chunks import Chunk, Citation

__all__ = ["GeminiSources"]

_RETRIEVED = {None, 1, "URL_RETRIEVAL_STATUS_SUCCESS"}


class GeminiSources:
    """The sources of one turn, each told once: later events repeat what earlier ones said."""

    def __init__(self) -> None:
        self._told: set[tuple[str | None, str | None, str | None]] = set()
        self._urls: set[str] = set()

    def take(self, candidate: GeminiCandidate, out: list[Chunk]) -> None:
        """Tell the sources that an event adds.

        They are the grounding's (https://ai.google.dev/api/generate-content#GroundingChunk: pages, documents, places),
        those that the model recited (#v1beta.CitationMetadata), and the pages that it was told to read
        (#UrlContextMetadata), where they could be read.
        """
        if candidate.grounding_metadata is not None:
            for chunk in candidate.grounding_metadata.grounding_chunks or ():
                for source in as_object(chunk).values():
                    self._tell(as_object(source), out)
        if candidate.citation_metadata is not None:
            found = candidate.citation_metadata
            for source in as_list(found.get("citationSources")) + as_list(found.get("citations")):
                self._tell(as_object(source), out)
        if candidate.url_context_metadata is not None:
            for page in map(as_object, as_list(candidate.url_context_metadata.get("urlMetadata"))):
                url = as_text(page.get("retrievedUrl"))
                status = page.get("urlRetrievalStatus")
                if url not in self._urls and isinstance(status, str | int | None) and status in _RETRIEVED:
                    self._tell({"uri": url}, out)

    def _tell(self, source: dict[str, Any], out: list[Chunk]) -> None:
        url = as_text(source.get("uri")) or as_text(source.get("sourceUri"))
        told = (url, as_text(source.get("title")), as_text(source.get("text")))
        if any(told) and told not in self._told:
            self._told.add(told)
            if url is not None:
                self._urls.add(url)
            out.append(Citation(*told))
