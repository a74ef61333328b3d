"""Scenarios: a conversation written down."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamd import ConfigError
from streamd.providers import Usage
from streamd.testing import (
    HELLO,
    NAMED,
    ONE_TOOL,
    WIRES,
    CallPart,
    Scenario,
    TextPart,
    ThinkingPart,
    simulate,
    streamd_app,
    streamd_app_with,
)
from streamd.testing._turn import cut_evenly


def test_a_scenario_is_built_part_by_part() -> None:
    """Each method adds to the turn under way, and `then` begins the next."""
    built = (
        Scenario()
        .ask("How is it?")
        .thinking("hm", signature="c2ln")
        .text("Let ", "me see.")
        .call("weather", {"city": "Oslo"}, pieces=3, result="rain")
        .usage(7, 3)
        .then()
        .text("Wet.")
        .stop("length")
    )
    first, second = built.turns
    assert built.prompt == "How is it?"
    assert first.parts == (
        ThinkingPart(("hm",), "c2ln"),
        TextPart(("Let ", "me see.")),
        CallPart("call_1_1", "weather", {"city": "Oslo"}, 3, "rain"),
    )
    assert (first.text, first.usage, first.stop_reason) == ("Let me see.", Usage(7, 3), "tool_calls")
    assert (second.text, second.stop_reason) == ("Wet.", "length")


def test_building_on_leaves_the_old_one_as_it_was() -> None:
    """A scenario is immutable: what is named can be the beginning of others."""
    longer = HELLO.text(" More.")
    assert longer.turns[0].text == HELLO.turns[0].text + " More."
    assert HELLO is NAMED["hello"]
    assert HELLO.turns[0].text == "Hello, wörld \U0001f44b!"


def test_the_pieces_of_arguments_are_their_json() -> None:
    """The fragments of a call, one after the other, are the JSON text."""
    (call,) = ONE_TOOL.turns[0].calls
    assert len(call.fragments) == 3
    assert "".join(call.fragments) == '{"city":"Oslo","days":2}'


@pytest.mark.parametrize("wire", WIRES)
@pytest.mark.parametrize("name", NAMED)
def test_a_recording_is_a_scenario(wire: str, name: str, tmp_path: Path) -> None:
    """A session recorded in any wire comes back as the conversation it was, in the provider's own pieces."""
    scenario = NAMED[name]
    file = tmp_path / "recording.json"
    simulate(streamd_app_with(record=file), scenario, wire=wire).verdict.raise_if_found()
    recorded = Scenario.from_recording(file)
    assert [turn.usage for turn in recorded.turns] == [turn.usage for turn in scenario.turns]
    assert [turn.stop_reason for turn in recorded.turns] == [turn.stop_reason for turn in scenario.turns]
    assert [turn.text for turn in recorded.turns] == [turn.text for turn in scenario.turns]
    assert [
        (call.id, call.name, call.arguments, call.result) for turn in recorded.turns for call in turn.calls
    ] == [(call.id, call.name, call.arguments, call.result) for turn in scenario.turns for call in turn.calls]
    texts = [part for turn in recorded.turns for part in turn.parts if isinstance(part, TextPart)]
    assert texts == [part for turn in scenario.turns for part in turn.parts if isinstance(part, TextPart)]
    simulate(streamd_app, recorded, wire=wire).verdict.raise_if_found()


def test_a_recording_of_what_went_wrong_is_none(tmp_path: Path) -> None:
    """A scenario is a good conversation; the message says which answer was not."""
    file = tmp_path / "recording.json"
    simulate(streamd_app_with(record=file), HELLO, "net.fin@event:3")
    with pytest.raises(ConfigError, match=r"round 1 .* not whole"):
        Scenario.from_recording(file)


@given(st.text(), st.integers(1, 20))
def test_a_text_is_cut_evenly(text: str, pieces: int) -> None:
    """No piece is empty but that of an empty text, none is over one longer than another, and nothing is lost."""
    cut = cut_evenly(text, pieces)
    sizes = [len(piece) for piece in cut]
    assert "".join(cut) == text
    assert len(cut) == max(1, min(pieces, len(text)))
    assert max(sizes) - min(sizes) <= 1
