"""The Responses API as those speak it who copied it: texts that come late, ids that change, places that are missing."""

import tracemalloc
from collections.abc import Callable
from typing import Any

import pytest

from streamd.providers import WIRES, Chunk, Stop, Text, Thinking, ToolCall, fold
from tests.support.decoding import decode, named, sse
from tests.support.responses import ITEMS, body, ended, sent

WIRE = "openai-responses"
PART: dict[str, Any] = {"type": "output_text", "text": "Ulm, Köln.", "annotations": []}
MESSAGE: dict[str, Any] = {"type": "message", "id": "msg_1", "role": "assistant", "content": [PART]}
AT: dict[str, Any] = {"item_id": "msg_1", "output_index": 0, "content_index": 0}


def text(chunks: list[Chunk]) -> str:
    """The text that was delivered."""
    return "".join(chunk.text for chunk in chunks if isinstance(chunk, Text))


def delta(piece: str, **more: Any) -> dict[str, Any]:
    """A piece of the message's text."""
    return {"type": "response.output_text.delta", **AT, "delta": piece, **more}


def whole(told: str, **more: Any) -> dict[str, Any]:
    """A whole part of the message."""
    return {"type": "response.output_text.done", **AT, "text": told, **more}


def item(told: dict[str, Any], event: str = "done", **more: Any) -> dict[str, Any]:
    """An item begins or ends."""
    return {"type": f"response.output_item.{event}", "output_index": 0, "item": told, **more}


@pytest.mark.parametrize(
    "events",
    [
        [delta("Ulm, "), delta("Köln."), whole("Ulm, Köln."), item(MESSAGE), ended(output=[MESSAGE])],
        [delta("Ulm, "), whole("Ulm, Köln."), item(MESSAGE), ended(output=[MESSAGE])],
        [whole("Ulm, Köln."), item(MESSAGE), ended(output=[MESSAGE])],
        [whole("Ulm, Köln."), whole("Ulm, Köln."), ended()],
        [item(MESSAGE), ended(output=[MESSAGE])],
        [item(MESSAGE), item(MESSAGE), ended()],
        [delta("Ulm"), item(MESSAGE), whole("Ulm, Köln."), ended()],
        [ended(output=[MESSAGE])],
        [delta("Ulm, Köln."), ended(output=[MESSAGE | {"id": "other"}])],
        [delta("Ulm, Köln.", content_index=1), whole("Ulm, Köln."), item(MESSAGE), ended(output=[MESSAGE])],
        [delta("Ulm"), ended(output=[ITEMS[0], MESSAGE | {"id": None}])],
        [delta("Ulm, Köln."), item(MESSAGE | {"content": [PART | {"text": " Ulm, Köln. "}]}), ended()],
        [delta("Ulm, Köln."), item(MESSAGE | {"content": []}), ended(output=[MESSAGE | {"content": None}])],
        [
            *(delta("Ulm"), whole("Ulm"), delta(", Köln", content_index=1)),
            *(whole(", Köln.", content_index=1), whole(", Köln.", content_index=1)),
            item(MESSAGE | {"content": [PART | {"text": "Ulm"}, PART | {"text": ", Köln."}]}),
            ended(output=[MESSAGE]),
        ],
    ],
)
def test_a_text_is_neither_lost_nor_doubled(events: list[dict[str, Any]]) -> None:
    """Whichever of its tellings a server leaves out, and however it counts the parts."""
    chunks, error = decode(WIRE, body(*events))
    assert error is None
    assert text(chunks) == "Ulm, Köln."


def test_two_messages_that_say_the_same() -> None:
    """They are two, and not one that is told twice."""
    second = MESSAGE | {"id": "msg_2"}
    events = [delta("Ulm, Köln."), item(second, output_index=1), ended(output=[MESSAGE, second])]
    assert text(decode(WIRE, body(*events))[0]) == "Ulm, Köln." * 2


def test_reasoning_is_neither_lost_nor_doubled() -> None:
    """Of an item told only whole the summary comes part by part; thoughts are left out where there is a summary."""
    both = ITEMS[0] | {"content": [{"type": "reasoning_text", "text": "One and two."}]}
    parts = (Thinking("One.", None, "rs_1"), Thinking("Two.", "c2VhbA==", "rs_1"))
    piece = {"type": "response.reasoning_summary_text.delta", "item_id": "rs_1", "summary_index": 0}
    for events in (
        [ended(output=[both])],
        [item(both), ended(output=[both])],
        [piece | {"delta": "One."}, piece | {"delta": "Two.", "summary_index": 1}, item(both), ended()],
    ):
        assert fold(decode(WIRE, body(*events))[0]).content == parts
    thoughts = {"type": "response.reasoning_text.delta", "item_id": "rs_1", "delta": "One and "}
    chunks, _ = decode(WIRE, body(thoughts, ended(output=[both])))
    assert fold(chunks).content == (Thinking("One and two.", "c2VhbA==", "rs_1"),)


def test_ids_that_change_with_every_event() -> None:
    """An item is known by its place then; reasoning goes back under the id that its proof came with."""
    count = 0

    def changed(event: dict[str, Any]) -> dict[str, Any]:
        nonlocal count
        count += 1
        event = event | ({"item_id": f"id{count}"} if "item_id" in event else {})
        return event | ({"item": event["item"] | {"id": f"id{count}"}} if "item" in event else {})

    events = [changed(event) for index, each in enumerate(ITEMS) for event in sent(each, index)]
    output = [each | {"id": f"out{index}"} for index, each in enumerate(ITEMS)]
    message = fold(decode(WIRE, body(*events, ended(output=output)))[0])
    assert message.text == "Ulm, Köln."
    assert message.thinking == "One.Two."
    assert [call.arguments for call in message.tool_calls] == [{"town": "Ulm"}, {}]
    signed = [part for part in message.content if isinstance(part, Thinking) and part.signature]
    done = next(event["item"]["id"] for event in events if event["type"] == "response.output_item.done")
    assert signed == [Thinking("Two.", "c2VhbA==", done)]


@pytest.mark.parametrize("left_out", [("output_index",), ("item_id",), ("output_index", "item_id")])
def test_places_and_ids_that_are_missing(left_out: tuple[str, ...]) -> None:
    """One of the two is enough, and neither is needed where the items come one after the other."""
    events = [event for index, each in enumerate(ITEMS) for event in sent(each, index)]
    bare = [{key: value for key, value in event.items() if key not in left_out} for event in events]
    if left_out == ("output_index", "item_id"):
        for event in bare:
            if "item" in event:
                event["item"] = {key: value for key, value in event["item"].items() if key != "id"}
    complete, _ = decode(WIRE, body(*events, ended(output=ITEMS)))
    message, known = fold(decode(WIRE, body(*bare, ended(output=ITEMS)))[0]), fold(complete)
    assert (message.text, message.thinking) == (known.text, known.thinking)
    assert message.tool_calls == known.tool_calls


def test_one_place_for_every_item() -> None:
    """A server that gives each item the first place is read by the ids; one that gives all one id, by the order."""
    complete = fold(decode(WIRE, body(*_all(lambda index: index), ended(output=ITEMS)))[0])
    first_place = fold(decode(WIRE, body(*_all(lambda _: 0), ended(output=ITEMS)))[0])
    assert first_place == complete
    calls = [each | {"id": "x"} for each in ITEMS[3:]]
    one_id = [event for index, each in enumerate(calls) for event in sent(each, index)]
    message = fold(decode(WIRE, body(*one_id, ended()))[0])
    assert [call.arguments for call in message.tool_calls] == [{"town": "Ulm"}, {}]


def _all(place: Callable[[int], int]) -> list[dict[str, Any]]:
    return [event for index, each in enumerate(ITEMS) for event in sent(each, place(index))]


def test_an_output_that_the_end_does_not_repeat() -> None:
    """Some backends end with an empty output: what came before stands."""
    events = [event for index, each in enumerate(ITEMS) for event in sent(each, index)]
    chunks, error = decode(WIRE, body(*events, ended(output=[])))
    assert error is None
    assert [type(chunk) for chunk in chunks[-3:]] == [ToolCall, ToolCall, Stop]


def test_a_stream_without_names_and_numbers() -> None:
    """Only the data of an event are needed."""
    chunks, error = decode(WIRE, sse(delta("Ulm"), ended(output=[MESSAGE]), "[DONE]"))
    assert error is None
    assert text(chunks) == "Ulm, Köln."


def test_what_is_remembered_of_a_text_is_small() -> None:
    """A long text is not kept to compare it with its later tellings."""
    decoder = WIRES[WIRE]()
    event = named(delta("x" * 10_000))
    decoder.feed(event)
    tracemalloc.start()
    try:
        for _ in range(300):
            decoder.feed(event)
        assert tracemalloc.get_traced_memory()[0] < 300_000
    finally:
        tracemalloc.stop()
    chunks = decoder.feed(named(whole("x" * 3_010_000 + "y")))
    assert chunks == [Text("y")]
