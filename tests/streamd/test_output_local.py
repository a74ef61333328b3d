"""Structured output with a real model: the local server holds it to the schema by a grammar."""

from typing import Annotated, Any, Literal

import msgspec
import pytest

from streamd import Message, OutputError, open_session, stream
from streamd._local_server import LocalServer
from tests.support.leaks import no_leaks


class Mood(msgspec.Struct, forbid_unknown_fields=True):
    """The mood of a text. Whatever the model says within it, it comes to an end."""

    mood: Literal["good", "bad", "mixed"]
    stars: Annotated[int, msgspec.Meta(ge=1, le=5)]
    sure: bool


@pytest.fixture
def model(local_server: LocalServer) -> Any:
    """The real model."""
    return local_server.provider, local_server.model


async def test_a_real_model_answers_with_a_value(model: Any) -> None:
    """The answer is of the type, its partial values lead to it, and nothing stays behind."""
    async with no_leaks():
        async with open_session(
            model, "I love this. What is the mood?", output_type=Mood, max_tokens=120, temperature=0.0
        ) as session:
            shown = [value async for value in session.partial]
            answered = await session.response()
    assert isinstance(answered.output, Mood)
    assert answered.stop_reason == "stop"
    assert msgspec.convert(shown[-1], Mood) == answered.output
    assert len(shown) > 1


async def test_a_real_conversation_goes_on_from_a_value(model: Any) -> None:
    """What was answered can be sent back, with another output asked for, and with none."""
    first = await stream(model, "Rain again.", output_type=Mood, max_tokens=120, temperature=0.0)
    second = await stream(
        model,
        [*first.messages, Message.user("Are you sure?")],
        output_type=Literal["yes", "no"],
        max_tokens=60,
        temperature=0.0,
    )
    assert second.output in ("yes", "no")
    third = await stream(model, [*first.messages, *second.messages, Message.user("Why?")], max_tokens=5)
    assert third.output is None
    assert third.usage.output_tokens > 0


async def test_a_real_answer_that_is_cut_is_no_value(model: Any) -> None:
    """A value that its limit cut off is an error that says so."""
    with pytest.raises(OutputError, match="cut at its length limit") as caught:
        await stream(model, "Rain again.", output_type=Mood, max_tokens=3, retries=2)
    assert caught.value.stop_reason == "length"
