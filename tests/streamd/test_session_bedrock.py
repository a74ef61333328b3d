"""Sessions with Amazon Bedrock, played by a scripted server that looks at every signature."""

from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from streamd import NotFoundError, RateLimitError, ServerError, Text, Truncated, open_session, tool
from streamd.providers import AWSCredentials, HTTPRequest, Secret
from streamd.providers._sigv4 import sign
from tests.support import bedrock
from tests.support.leaks import no_leaks
from tests.support.server import FIN, Request, Script, Step, chunked, response
from tests.support.sessions import read, scripted_network

CREDENTIALS = ("zz-canary-key-01", "zz-canary-secret-01", "zz-canary-token-01")
MODEL = "arn:aws:bedrock:eu-west-1:123456789012:inference-profile/eu.anthropic.claude"
TYPE = "application/vnd.amazon.eventstream"


@tool
async def weather(town: str) -> str:
    """The weather of a town."""
    return f"{town}: rain"


def model(url: str, provider: str = "bedrock") -> Any:
    """A model of the scripted server, asked with signed requests."""
    options = {"base_url": url, "region": "eu-west-1", "credentials": CREDENTIALS}
    return (provider, options), MODEL


def ends(reason: str) -> bytes:
    """The end of a turn, and what it has cost."""
    usage = {"inputTokens": 3, "outputTokens": 2, "cacheReadInputTokens": 5}
    return bedrock.event("messageStop", stopReason=reason) + bedrock.event("metadata", usage=usage)


def says(text: str) -> bytes:
    """A piece of the answer."""
    return bedrock.event("contentBlockDelta", contentBlockIndex=0, delta={"text": text})


def answer(body: bytes, *more: Step) -> Script:
    """The script that answers with a stream."""
    return [chunked(body, headers={"Content-Type": TYPE}), *more]


START = bedrock.event("messageStart", role="assistant")
USE = {"toolUseId": "t1", "name": "weather"}
CALL = (
    bedrock.event("contentBlockStart", contentBlockIndex=0, start={"toolUse": USE})
    + bedrock.event("contentBlockDelta", contentBlockIndex=0, delta={"toolUse": {"input": '{"town":'}})
    + bedrock.event("contentBlockDelta", contentBlockIndex=0, delta={"toolUse": {"input": '"Ulm"}'}})
    + bedrock.event("contentBlockStop", contentBlockIndex=0)
)


def signed_rightly(request: Request) -> bool:
    """Whether the signature is that of the request as it came."""
    given = request.headers["authorization"]
    covered = given.partition("SignedHeaders=")[2].partition(",")[0].split(";")
    fields = tuple((name, request.headers[name]) for name in covered if name != "host")
    at = datetime.strptime(request.headers["x-amz-date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    key, secret, token = map(Secret, CREDENTIALS)
    plain = HTTPRequest("POST", f"http://{request.headers['host']}{request.target}", fields, request.body)
    again = dict(sign(plain, AWSCredentials(key, secret, token), "eu-west-1", "bedrock", at).headers)
    proof = again["authorization"]
    assert isinstance(proof, Secret)
    return proof.reveal() == given


async def test_a_round_of_tools(autojump_clock: object) -> None:
    """The call is run, its result is sent back, every request is signed, and usage is added up."""
    async with scripted_network(
        answer(START + CALL + ends("tool_use")), answer(START + says("Rain.") + ends("end_turn"))
    ) as (network, client):
        async with (
            no_leaks(),
            open_session(model(network.url), "Ulm?", tools=[weather], client=client) as session,
        ):
            result = await session.response()
        first, second = network.requests
    assert (result.message.text, result.usage.input_tokens, result.usage.cached_tokens) == ("Rain.", 16, 10)
    assert first.target == (
        "/model/arn%3Aaws%3Abedrock%3Aeu-west-1%3A123456789012%3Ainference-profile%2Feu.anthropic.claude"
        "/converse-stream"
    )
    assert signed_rightly(first)
    assert signed_rightly(second)
    messages = msgspec.json.decode(second.body)["messages"]
    assert messages[1:] == [
        {"role": "assistant", "content": [{"toolUse": {**USE, "input": {"town": "Ulm"}}}]},
        {
            "role": "user",
            "content": [{"toolResult": {"toolUseId": "t1", "content": [{"text": "Ulm: rain"}]}}],
        },
    ]


async def test_anthropics_own_events(autojump_clock: object) -> None:
    """The other provider asks and reads in the words of the model."""
    delta = {"type": "text_delta", "text": "Rain."}
    body = b"".join(
        map(
            bedrock.chunk,
            (
                {"type": "message_start", "message": {"id": "m", "usage": {"input_tokens": 3}}},
                {"type": "content_block_delta", "index": 0, "delta": delta},
                {
                    "type": "message_delta",
                    "delta": {"stop_reason": "end_turn"},
                    "usage": {"output_tokens": 2},
                },
                {"type": "message_stop"},
            ),
        )
    )
    async with scripted_network(answer(body)) as (network, client):
        async with open_session(model(network.url, "bedrock-invoke"), "Ulm?", client=client) as session:
            result = await session.response()
        (request,) = network.requests
    assert (result.message.text, result.usage.total_tokens) == ("Rain.", 5)
    assert request.target.endswith("/invoke-with-response-stream")
    assert msgspec.json.decode(request.body)["anthropic_version"] == "bedrock-2023-05-31"
    assert signed_rightly(request)


@pytest.mark.parametrize(
    ("tail", "kind"),
    [
        (b"", Truncated),
        (says("b")[:11], Truncated),
        (bedrock.exception("throttlingException"), RateLimitError),
        (bedrock.exception("modelStreamErrorException") + ends("end_turn"), ServerError),
    ],
)
async def test_a_stream_that_fails(autojump_clock: object, tail: bytes, kind: type[Exception]) -> None:
    """What came before is delivered, and then the failure, never an end that looks like success."""
    async with (
        scripted_network(answer(START + says("a") + tail, FIN)) as (network, client),
        open_session(model(network.url), "Ulm?", client=client) as session,
    ):
        chunks, error = await read(session)
    assert chunks == [Text("a")]
    assert type(error) is kind


async def test_a_refusal_is_retried_or_not_as_its_kind_says(autojump_clock: object) -> None:
    """A throttled request is asked again, an unknown model is not; no key shows in either."""
    kind = "x-amzn-errortype"
    throttled = response(429, {kind: "ThrottlingException"}, b'{"message":"slow down"}')
    lost = response(404, {kind: "ResourceNotFoundException:"}, b'{"message":"no model for zz-canary-key-01"}')
    async with scripted_network([throttled], answer(START + says("a") + ends("end_turn")), [lost]) as (
        network,
        client,
    ):
        async with open_session(model(network.url), "Ulm?", client=client) as session:
            assert (await session.response()).message.text == "a"
        async with open_session(model(network.url), "Ulm?", client=client) as session:
            _, error = await read(session)
        assert all(map(signed_rightly, network.requests))
    assert len(network.requests) == 3
    assert isinstance(error, NotFoundError)
    assert (error.code, error.message) == ("ResourceNotFoundException", "no model for ***")
