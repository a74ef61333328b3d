"""What may be given as a prompt."""

from typing import Any

import pytest

from streamd import ConfigError, Image, Message, Text
from streamd._prompt import messages_of


@pytest.mark.parametrize(
    ("prompt", "messages"),
    [
        ("Hi", (Message.user("Hi"),)),
        (Message.user("Hi"), (Message.user("Hi"),)),
        ([Message.user("a"), Message.assistant("b"), Message.user("c")], None),
        ([{"role": "user", "content": "Hi"}], (Message.user("Hi"),)),
        ({"role": "user", "content": "Hi"}, (Message.user("Hi"),)),
        ([{"role": "user", "content": [{"type": "text", "text": "Hi"}]}], (Message.user("Hi"),)),
    ],
)
def test_a_prompt_is_a_text_a_message_or_a_conversation(prompt: Any, messages: Any) -> None:
    """Every form stands for a tuple of messages."""
    assert messages_of(prompt) == (tuple(prompt) if messages is None else messages)


def test_a_user_message_holds_texts_and_images_in_order() -> None:
    """Parts keep the order they were given in."""
    image = Image(url="https://images.example/cat.png")
    assert Message.user("look:", image, "what is it?").content == (Text("look:"), image, Text("what is it?"))


@pytest.mark.parametrize(
    ("prompt", "words"),
    [
        ("", "empty"),
        (" \n", "empty"),
        ([], "empty list"),
        (7, "not int"),
        ([7], "message 0 of the prompt is a int"),
        ([{"role": "user", "content": "a"}, {"role": "king", "content": "b"}], "message 1 .*king"),
        ([{"role": "user"}], "content"),
        (
            [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "x"}}]}],
            r"streamd\.Image",
        ),
    ],
)
def test_anything_else_is_refused_by_name(prompt: Any, words: str) -> None:
    """The error says which message, and what of it."""
    with pytest.raises(ConfigError, match=words):
        messages_of(prompt)
