"""Log probabilities of chat completions: asked for, and read."""

from typing import Any

import msgspec
import pytest

from streamd.providers import (
    ConfigError,
    Context,
    LogProbs,
    Message,
    Options,
    ScoredToken,
    Stop,
    Text,
    TokenLogProb,
)
from tests.support.decoding import decode, sse
from tests.support.services import openai_chat

ASK = Context((Message.user("hi"),))


def _scored(logprobs: Any, finish: str | None = None) -> dict[str, Any]:
    choice = {"index": 0, "delta": {"content": "a"}, "logprobs": logprobs, "finish_reason": finish}
    return {"choices": [choice]}


def test_the_tokens_of_an_event() -> None:
    """They follow the text they belong to, with the most likely ones in their place; a refusal's are read too."""
    entry = {"token": "a", "logprob": -0.25, "bytes": [97]}
    top = [{"token": "a", "logprob": -0.25}, {"token": "b", "logprob": -2}, {"token": "c"}]
    chunks, error = decode(
        "openai-chat",
        sse(
            _scored({"content": [{**entry, "top_logprobs": top}], "refusal": None}),
            _scored({"content": None, "refusal": [entry]}, "stop"),
            "[DONE]",
        ),
    )
    assert error is None
    assert chunks == [
        Text("a"),
        LogProbs((ScoredToken("a", -0.25, (TokenLogProb("a", -0.25), TokenLogProb("b", -2.0))),)),
        Text("a"),
        LogProbs((ScoredToken("a", -0.25),)),
        Stop("stop", None, "stop"),
    ]


@pytest.mark.parametrize(
    "odd",
    [
        None,
        [],
        7,
        {},
        {"content": []},
        {"content": [7, {"token": "a"}, {"token": 1, "logprob": 1}]},
        {"tokens": ["a"]},
    ],
)
def test_other_shapes_are_not_read(odd: Any) -> None:
    """They cost nothing of the answer."""
    assert decode("openai-chat", sse(_scored(odd, "stop"), "[DONE]"))[0] == [
        Text("a"),
        Stop("stop", None, "stop"),
    ]


@pytest.mark.parametrize(
    ("count", "asked"), [(None, {}), (0, {"logprobs": True}), (5, {"logprobs": True, "top_logprobs": 5})]
)
def test_how_they_are_asked_for(count: int | None, asked: dict[str, Any]) -> None:
    """With the most likely tokens or without, and only where they are wanted."""
    request = openai_chat("here", "https://x.test/v1").request(ASK, Options("m", logprobs=count))
    body = msgspec.json.decode(request.body)
    assert {name: value for name, value in body.items() if "logprobs" in name} == asked


@pytest.mark.parametrize("count", [-1, 21])
def test_more_than_there_are(count: int) -> None:
    """Refused before anything is sent."""
    with pytest.raises(ConfigError, match="here: logprobs must be 0 to 20"):
        openai_chat("here", "https://x.test/v1").request(ASK, Options("m", logprobs=count))
