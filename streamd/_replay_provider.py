"""The provider of a session that is played, and its decoder."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, final

from streamd.providers import (
    APIError,
    Chunk,
    Context,
    Decoder,
    HTTPRequest,
    KeepsState,
    Metadata,
    Options,
    Provider,
    Resumable,
)

from ._replay_playback import Playback
from .errors import Truncated

__all__ = ["NOWHERE", "Replayed"]

NOWHERE = "http://replay.invalid/"


@final
class Replayed:
    """A provider that asks nobody: what it is asked for is in the recording.

    Args:
        name: The recorded provider's.
        reader: Who reads its bodies.
        playback: What is played.
    """

    def __init__(self, name: str, reader: Provider, playback: Playback) -> None:
        self._name = name
        self._reader = reader
        self._playback = playback

    @property
    def name(self) -> str:
        """The recorded provider's name."""
        return self._name

    def request(self, context: Context, options: Options, /) -> HTTPRequest:
        """A request that leads nowhere."""
        return HTTPRequest("POST", NOWHERE, (), b"")

    def decoder(self) -> Decoder:
        """A decoder of the recorded wire."""
        return ReplayedDecoder(self._reader.decoder(), self._playback)

    def resume(self, request: HTTPRequest, decoder: Decoder, /) -> tuple[HTTPRequest, Decoder] | None:
        """How to read on, where the recorded session did."""
        reader = self._reader
        if not (
            isinstance(reader, Resumable)
            and isinstance(decoder, ReplayedDecoder)
            and self._playback.reads_on()
        ):
            return None
        found = reader.resume(request, decoder.inner)
        return None if found is None else (found[0], ReplayedDecoder(found[1], self._playback))

    def error(self, status: int, headers: Mapping[str, str], body: bytes, /) -> APIError:
        """The typed error for a recorded refusal, unless the session was cancelled while it came."""
        if self._playback.cut:
            self._playback.cancel()
        return self._reader.error(status, headers, body)

    def state(self, metadata: Metadata, /) -> Mapping[str, Any]:
        """What the recorded provider keeps of a conversation on its own side."""
        return self._reader.state(metadata) if isinstance(self._reader, KeepsState) else {}


@final
class ReplayedDecoder:
    """A decoder for which the body of a session that was cancelled ends there, after every byte before."""

    def __init__(self, decoder: Decoder, playback: Playback) -> None:
        self.inner = decoder
        self._playback = playback

    @property
    def done(self) -> bool:
        """Whether the provider's terminal evidence was seen."""
        return self.inner.done

    @property
    def terminal(self) -> bool:
        """Whether the turn is complete should the body break off here."""
        return self.inner.terminal

    def feed(self, data: bytes, /) -> list[Chunk]:
        """Decode the next bytes."""
        return self.inner.feed(data)

    def close(self) -> list[Chunk]:
        """The body has ended, or this is where the session was cancelled."""
        if self._playback.cut:
            self._playback.cancel()
            raise Truncated("the session that was recorded was cancelled here")
        return self.inner.close()
