"""A cassette: the recordings of the sessions that one test opens, made once and played after."""

from __future__ import annotations

import math
import os
from collections.abc import Generator, Iterable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from itertools import zip_longest
from pathlib import Path
from typing import Any, Literal, cast, final
from urllib.parse import urlsplit

import httpx
from msgspec.structs import replace

from streamd.providers import HTTPRequest, known_providers

from ._ambient import staging
from ._http import HTTPClient
from ._recorder import Recorder
from ._recording import Exchange, Recording, Sent, load_recording
from ._recording_file import numbered
from ._recording_scrub import Scrubber, secrets_in
from ._replay_playback import UNTIMED, Playback, PlayedRetry
from ._session_plan import Plan
from .errors import ConfigError

__all__ = ["Cassette", "RecordMode", "placeholder_keys"]

RecordMode = Literal["once", "none", "all"]
"""`once`: record where nothing was recorded, and play otherwise; `none`: play, and never send; `all`: record anew."""

UNFINISHED = ".new"
ANEW = "record the test anew with --streamd-record=all"


@final
class Cassette:
    """Stands between the sessions that are opened while it is inserted and the network.

    When it records, each session writes a file: the first the one that is named, the next `NAME.2.json` and so on. When
    it plays, a session gets the recording whose first request is the same as its own, and every further request must
    be the same as the recorded one: as the provider's API sees it, that is, not as HTTP does. It plays at once. What a
    session's own `record=` asks for is not done meanwhile.

    Args:
        path: The first file.
        mode: See `RecordMode`.

    Raises:
        ConfigError: A file cannot be read or is damaged.
    """

    def __init__(self, path: Path, mode: RecordMode) -> None:
        self.path = path
        """Where the first session is, or will be."""
        self.failures: list[str] = []
        """Why it could not serve a session, and what it could not record."""
        self.recording = mode == "all" or (mode == "once" and not path.exists())
        """Whether it records; otherwise it plays."""
        self._recorders: list[Recorder] = []
        self._tapes = [] if self.recording else [load_recording(file) for file in _files(path)]

    @contextmanager
    def inserted(self) -> Generator[None, None, None]:
        """While the block runs, sessions are recorded or played, in whatever thread they are opened."""
        with staging(self._stage, offline=not self.recording):
            yield

    def keep(self) -> None:
        """Keep what was recorded, in the place of what was there."""
        if not self.recording:
            return
        files = list(_files(self.path))
        for recorder in self._recorders:
            if recorder.error is not None:
                self.failures.append(str(recorder.error))
            elif os.path.exists(recorder.path):
                os.replace(recorder.path, recorder.path.removesuffix(UNFINISHED))
        for stale in files[len(self._recorders) :]:
            stale.unlink()

    def drop(self) -> None:
        """Forget what was recorded; what was there stays."""
        for recorder in self._recorders:
            Path(recorder.path).unlink(missing_ok=True)

    def _stage(self, plan: Plan, client: HTTPClient) -> tuple[Plan, HTTPClient]:
        if self.recording:
            return self._record(plan), client
        requests = [(each.provider, each.request()) for each in plan.candidates]
        scrub = Scrubber(secret for each in requests for secret in secrets_in(*each))
        tape = self._tape(scrub.request(requests[0][1]))
        playback = Playback(tape, speed=math.inf, check=partial(self._check, scrub))
        retry = None if plan.retry is None else PlayedRetry(playback=playback)
        played = replace(plan, timeouts=UNTIMED, retry=retry, recorder=None)
        # Nothing is open in it that would have to be closed.
        return played, httpx.AsyncClient(transport=playback, trust_env=False)

    def _record(self, plan: Plan) -> Plan:
        with suppress(OSError):  # the recorder tells it, in the end
            self.path.parent.mkdir(parents=True, exist_ok=True)
        file = f"{numbered(self.path, len(self._recorders) + 1)}{UNFINISHED}"
        recorder = Recorder(file, [(each.provider, each.model) for each in plan.candidates])
        self._recorders.append(recorder)
        return replace(plan, recorder=recorder)

    def _tape(self, sent: Sent) -> Recording:
        # One that was cancelled before it asked for anything may be any.
        same = (each for each in self._tapes if each.exchanges and _first_difference(each, sent) is None)
        tape = next(same, None) or next((each for each in self._tapes if not each.exchanges), None)
        if tape is not None:
            self._tapes.remove(tape)
            return tape
        if not self.path.exists():
            why = f"there is no recording {self.path}: record it with --streamd-record=once"
        elif not self._tapes:
            why = f"all sessions recorded in {self.path} were played, and another one is opened: {ANEW}"
        else:
            difference = _first_difference(self._tapes[0], sent)
            why = f"the session is not as it was recorded in {self.path}: {difference}; {ANEW}"
        raise self._failed(why)

    def _check(self, scrub: Scrubber, request: httpx.Request, exchange: Exchange) -> None:
        asked = HTTPRequest(request.method, str(request.url), (), request.content)
        difference = _difference(exchange.request, scrub.request(asked))
        if difference is not None:
            raise self._failed(
                f"the request of round {exchange.round} is not as it was recorded: {difference}; {ANEW}"
            )

    def _failed(self, why: str) -> ConfigError:
        self.failures.append(why)
        return ConfigError(why)


def _files(path: Path) -> Iterator[Path]:
    number = 1
    while (file := numbered(path, number)).exists():
        yield file
        number += 1


def _first_difference(tape: Recording, sent: Sent) -> str | None:
    return _difference(tape.exchanges[0].request, sent)


def _difference(recorded: Sent, sent: Sent) -> str | None:
    """The first place in which two requests differ, and how; None where they ask for the same."""
    pairs = (
        ("the method", recorded.method, sent.method),
        ("the path", urlsplit(recorded.url).path, urlsplit(sent.url).path),
    )
    for what, old, new in pairs:
        if old != new:
            return f"{what} was {old!r} and is {new!r}"
    return _value_difference(recorded.body, sent.body, "$")


def _value_difference(old: Any, new: Any, place: str) -> str | None:
    if old == new:
        return None
    items: Iterable[tuple[Any, Any, str]] = ()
    match old, new:
        case dict(), dict():
            before, after = cast("dict[str, Any]", old), cast("dict[str, Any]", new)
            names = [*before, *(name for name in after if name not in before)]
            items = ((before.get(name), after.get(name), f"{place}.{name}") for name in names)
        case list(), list():
            both = list(zip_longest(cast("list[object]", old), cast("list[object]", new)))
            items = ((one, other, f"{place}[{at}]") for at, (one, other) in enumerate(both))
        case _:
            pass
    inner = (_value_difference(*item) for item in items)
    return next((found for found in inner if found), f"{place} was {_short(old)} and is {_short(new)}")


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:79]}…"


def placeholder_keys() -> Iterator[tuple[str, str]]:
    """A stand-in for the key of each known provider that has none: what is only played needs no key."""
    for provider in known_providers():
        if provider.key_required and not provider.key_set and provider.key_env:
            yield provider.key_env[0], "none-is-needed"
