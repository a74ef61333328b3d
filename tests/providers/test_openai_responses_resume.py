"""A response that goes on in the background, read on from where its connection broke."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamd.providers import (
    WIRES,
    Chunk,
    Decoder,
    HTTPRequest,
    Message,
    Metadata,
    Resumable,
    Secret,
    SequenceGap,
    Service,
    Stop,
    StreamdError,
    Thinking,
    ToolCall,
    fold,
)
from streamd.providers._formats import FORMATS
from streamd.providers._openai_responses_resume import ResponsesDecoder, resume_response
from tests.support.decoding import named
from tests.support.responses import ITEMS, ended, numbered, sent

KEY = Secret("Bearer zz")
ASKED = HTTPRequest(
    "POST",
    "https://x.test/v1/responses",
    (("content-type", "application/json"), ("accept", "text/event-stream"), ("authorization", KEY)),
    b"{}",
)
CREATED: dict[str, Any] = {
    "type": "response.created",
    "response": {"id": "resp_1", "model": "m", "status": "queued", "background": True},
}
EVENTS = numbered(
    [
        CREATED,
        {"type": "response.queued", "response": {"id": "resp_1", "background": True}},
        *(event for index, item in enumerate(ITEMS) for event in sent(item, index)),
        ended(output=ITEMS),
    ]
)
WHOLE = named(*EVENTS)


def read(decoder: Decoder, data: bytes) -> tuple[list[Chunk], StreamdError | None]:
    """What a body gives until it breaks off, and the error it then has."""
    chunks: list[Chunk] = []
    try:
        chunks += decoder.feed(data)
        chunks += decoder.close()
    except StreamdError as error:
        return [*chunks, *error.chunks], error
    return chunks, None


def resumed(request: HTTPRequest, decoder: Decoder) -> tuple[HTTPRequest, Decoder]:
    """How to read on, where that can be done."""
    found = resume_response(request, decoder)
    assert found is not None
    return found


def broken(*events: dict[str, Any]) -> ResponsesDecoder:
    """The decoder of a body that broke off behind these events."""
    decoder = ResponsesDecoder()
    decoder.feed(named(*events))
    return decoder


def message(chunks: list[Chunk]) -> Message:
    """The message these chunks are, and nothing is missing of it."""
    assert isinstance(chunks[-1], Stop)
    return fold(chunks)


def test_the_request_that_reads_on() -> None:
    """The response under its id, from the last event on, with the headers of the one that asked; again likewise."""
    request, decoder = resumed(ASKED, broken(*EVENTS[:5]))
    assert request == HTTPRequest(
        "GET",
        "https://x.test/v1/responses/resp_1?stream=true&starting_after=4",
        (("accept", "text/event-stream"), ("authorization", KEY)),
        b"",
    )
    decoder.feed(named(*EVENTS[5:9]))
    again, _ = resumed(request, decoder)
    assert again.url == "https://x.test/v1/responses/resp_1?stream=true&starting_after=8"


def test_a_query_of_ones_own_is_kept() -> None:
    """Such as the version that Azure wants; an id is quoted."""
    asked = HTTPRequest("POST", "https://x.test/openai/responses?api-version=1", (), b"{}")
    event = {
        "type": "response.created",
        "response": {"id": "a/b?c", "background": True},
        "sequence_number": 0,
    }
    request, _ = resumed(asked, broken(event))
    assert (
        request.url == "https://x.test/openai/responses/a%2Fb%3Fc?api-version=1&stream=true&starting_after=0"
    )


@given(first=st.integers(0, len(WHOLE)), second=st.integers(0, len(WHOLE)), again=st.integers(0, 3))
@settings(deadline=None, max_examples=150)
def test_a_response_in_pieces_is_the_whole_response(first: int, second: int, again: int) -> None:
    """Wherever it breaks, however often, and however much of it comes twice: the same chunks as without a break."""
    known, _ = read(WIRES["openai-responses"](), WHOLE)
    decoder: Decoder = ResponsesDecoder()
    request, chunks = ASKED, list[Chunk]()
    rest = EVENTS
    for cut in (first, second):
        body = named(*rest)
        more, error = read(decoder, body[: min(cut, len(body))])
        chunks += more
        if error is None:
            break
        found = resume_response(request, decoder)
        if found is None:
            assert len(chunks) == 0  # before the event that names the response there is nothing to go on from
            return
        request, decoder = found
        start = int(request.url.rpartition("=")[2]) + 1
        rest = EVENTS[max(0, start - again) :]
    else:
        more, error = read(decoder, named(*rest))
        chunks += more
    assert error is None
    assert chunks == known


def test_a_hole_may_be_filled() -> None:
    """After a `SequenceGap` the missing events can be asked for; a hole in what is read on is one too."""
    decoder = ResponsesDecoder()
    before = decoder.feed(named(*EVENTS[:4]))
    with pytest.raises(SequenceGap):
        decoder.feed(named(*EVENTS[6:8]))
    request, more = resumed(ASKED, decoder)
    assert request.url.endswith("starting_after=3")
    with pytest.raises(SequenceGap):
        more.feed(named(*EVENTS[5:]))
    _, last = resumed(request, more)
    assert message(before + last.feed(named(*EVENTS[4:]))).text == "Ulm, Köln."


def test_a_server_that_answers_with_the_response_itself() -> None:
    """What was not delivered yet comes from it, and once."""
    _, decoder = resumed(ASKED, broken(*EVENTS[:4]))
    answer = EVENTS[-1]["response"] | {"object": "response"}
    chunks, error = read(decoder, json.dumps(answer).encode())
    assert error is None
    assert chunks[:3] == [Thinking("", None, "rs_1"), Thinking("Two."), Thinking("", "c2VhbA==", "rs_1")]
    assert len([chunk for chunk in chunks if isinstance(chunk, ToolCall)]) == 2


@pytest.mark.parametrize(
    "events",
    [
        [],
        [{**CREATED, "response": {"id": "resp_1"}, "sequence_number": 0}],
        [{**CREATED, "response": {"background": True}, "sequence_number": 0}],
        [CREATED],
        [EVENTS[0], EVENTS[0], EVENTS[0]],
        EVENTS,
    ],
)
def test_what_cannot_be_read_on(events: list[dict[str, Any]]) -> None:
    """Not in the background, without a name, without numbers, or at its end: there is nothing to ask for."""
    assert resume_response(ASKED, broken(*events)) is None


def test_a_response_that_failed_is_not_read_on() -> None:
    """Nor is the body of another wire."""
    decoder = broken(*EVENTS[:3])
    with pytest.raises(StreamdError):
        decoder.feed(named({"type": "error", "code": "server_error"}))
    assert resume_response(ASKED, decoder) is None
    assert resume_response(ASKED, WIRES["openai-chat"]()) is None


def test_a_provider_reads_on_as_its_wire_does() -> None:
    """A provider of this wire can, and one of another says that it cannot."""
    for wire, can in (("openai-responses", True), ("openai-chat", False)):
        provider = Service("here", FORMATS[wire], "https://x.test/v1")
        assert isinstance(provider, Resumable)
        assert (provider.resume(ASKED, broken(*EVENTS[:3])) is not None) == can


def test_where_a_response_stands() -> None:
    """Its id, the number of the last event, and whether it goes on without a connection."""
    decoder = ResponsesDecoder()
    assert (decoder.response_id, decoder.sequence_number, decoder.in_background) == (None, None, False)
    assert decoder.feed(named(*EVENTS[:3])) == [Metadata("resp_1", "m")]
    assert (decoder.response_id, decoder.sequence_number, decoder.in_background) == ("resp_1", 2, True)
    decoder.feed(named(*EVENTS[3:]))
    assert not decoder.in_background
