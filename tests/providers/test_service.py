"""A service: where a request goes, what it carries, and whose part is the wire's."""

from collections.abc import Iterable, Mapping

import pytest

from streamd.providers import (
    FORMATS,
    WIRES,
    AnthropicQuirks,
    APIError,
    Bearer,
    ChatQuirks,
    Citation,
    ConfigError,
    Context,
    KeepsState,
    KeyHeader,
    Message,
    Metadata,
    Options,
    Provider,
    Secret,
    ServerError,
    Service,
    Text,
    WireFormat,
)

ASK = Context((Message.user("hi"),))


def write(provider: str, context: Context, options: Options, quirks: object) -> bytes:
    """A body that tells what it was made of."""
    return f"{provider} {len(context.messages)} {options.model} {quirks}".encode()


def read_error(status: int, headers: Mapping[str, str], body: bytes, secrets: Iterable[Secret]) -> APIError:
    """An error that tells what it was made of."""
    hidden = [secret.reveal() for secret in secrets]
    return ServerError(f"{status} {dict(headers)} {body!r} {hidden}")


OWN = WireFormat(
    name="own",
    path="/models/{model}:ask?alt=sse",
    body=write,
    decoder=WIRES["openai-chat"],
    quirks=ChatQuirks(),
    accept="application/x-own",
    headers=(("own-version", "1"),),
    error=read_error,
    state=lambda metadata: {"previous": metadata.response_id},
)


def test_a_wire_brings_everything_of_its_own() -> None:
    """Path, body, headers, decoder, errors and state are the wire's; name, address and key the service's."""
    key, other = Secret("zz-key"), Secret("zz-other")
    provider = Service("here", OWN, "https://x.test/v1", KeyHeader("k", key), headers=(("x-other", other),))
    assert isinstance(provider, Provider)
    assert isinstance(provider, KeepsState)
    request = provider.request(ASK, Options("a/b"))
    assert (request.method, request.url) == ("POST", "https://x.test/v1/models/a%2Fb:ask?alt=sse")
    assert request.headers == (
        ("content-type", "application/json"),
        ("accept", "application/x-own"),
        ("accept-encoding", "identity"),
        ("own-version", "1"),
        ("k", key),
        ("x-other", other),
    )
    assert request.body == f"here 1 a/b {ChatQuirks()}".encode()
    assert type(provider.decoder()) is type(WIRES["openai-chat"]())
    assert provider.error(500, {"a": "b"}, b"c").message == "500 {'a': 'b'} b'c' ['zz-key', 'zz-other']"
    assert provider.state(Metadata("r1")) == {"previous": "r1"}
    assert "own" in repr(provider)


def test_a_wire_without_state_keeps_none() -> None:
    """Nothing is given back where the wire has nothing to give."""
    states = {
        name: Service("here", FORMATS[name], "https://x.test").state(Metadata("r1")) for name in FORMATS
    }
    assert {name for name, state in states.items() if state} == {"openai-responses"}
    assert states["openai-responses"] == {"previous_response_id": "r1"}


def test_later_headers_win() -> None:
    """The caller's over the service's, those over the key's, and those over the wire's."""
    provider = Service(
        "here",
        OWN,
        "https://x.test/v1",
        Bearer(Secret("k")),
        headers=(("authorization", "own"), ("accept", "any")),
    )
    options = Options("m", extra_headers={"Own-Version": "2"})
    fields = dict(provider.request(ASK, options).headers)
    version = fields["own-version"]
    assert (fields["authorization"], fields["accept"]) == ("own", "any")
    assert isinstance(version, Secret)
    assert version.reveal() == "2"


@pytest.mark.parametrize(
    ("wire", "base_url", "path", "url"),
    [
        ("openai-chat", "https://x.test", None, "https://x.test/v1/chat/completions"),
        ("openai-chat", "https://x.test/v1", None, "https://x.test/v1/chat/completions"),
        ("openai-chat", "https://x.test/api/paas/v4/", None, "https://x.test/api/paas/v4/chat/completions"),
        ("openai-chat", "https://x.test/v1", "/chat", "https://x.test/v1/chat"),
        (
            "openai-chat",
            "https://x.test",
            "/openai/deployments/{model}/chat/completions?api-version=2024-10-21",
            "https://x.test/openai/deployments/m%3A1/chat/completions?api-version=2024-10-21",
        ),
        ("openai-responses", "https://x.test", None, "https://x.test/v1/responses"),
        ("openai-responses", "https://x.test/v1", None, "https://x.test/v1/responses"),
        ("openai-responses", "https://x.test", "/openai/v1/responses", "https://x.test/openai/v1/responses"),
        (
            "gemini",
            "https://x.test",
            None,
            "https://x.test/v1beta/models/m%3A1:streamGenerateContent?alt=sse",
        ),
        ("anthropic-messages", "https://x.test", None, "https://x.test/v1/messages"),
        ("anthropic-messages", "https://x.test/v1", None, "https://x.test/v1/messages"),
        ("anthropic-messages", "https://x.test/anthropic", None, "https://x.test/anthropic/v1/messages"),
        (
            "anthropic-vertex",
            "https://x.test/publishers/anthropic",
            None,
            "https://x.test/publishers/anthropic/models/m%3A1:streamRawPredict",
        ),
    ],
)
def test_where_a_turn_is_asked_for(wire: str, base_url: str, path: str | None, url: str) -> None:
    """A base URL with a path is complete; a service's own path wins; the model's name is percent-encoded."""
    assert Service("here", FORMATS[wire], base_url, path=path).request(ASK, Options("m:1")).url == url


def test_quirks_reach_the_body() -> None:
    """A server's own ways are the body's business."""
    quirks = ChatQuirks(stream_options=False)
    provider = Service("here", OWN, "https://x.test", quirks=quirks)
    assert provider.request(ASK, Options("m")).body == f"here 1 m {quirks}".encode()


@pytest.mark.parametrize(
    ("wire", "quirks", "kind"),
    [
        ("openai-chat", AnthropicQuirks(), "AnthropicQuirks"),
        ("anthropic-messages", ChatQuirks(), "ChatQuirks"),
        ("anthropic-vertex", ChatQuirks(), "ChatQuirks"),
    ],
)
def test_quirks_of_another_wire_are_refused(
    wire: str, quirks: ChatQuirks | AnthropicQuirks, kind: str
) -> None:
    """They would be passed over."""
    with pytest.raises(ConfigError, match=f"^here: the wire {wire} has no quirks of kind {kind}$"):
        Service("here", FORMATS[wire], "https://x.test", quirks=quirks)


def test_anthropic_on_vertex_names_no_model_in_its_body() -> None:
    """The model is in the URL, and the version in the body."""
    request = Service("v", FORMATS["anthropic-vertex"], "https://x.test").request(ASK, Options("claude@1"))
    assert b'"anthropic_version":"vertex-2023-10-16"' in request.body
    assert b'"model"' not in request.body
    assert "anthropic-version" not in dict(request.headers)


@pytest.mark.parametrize("wire", list(FORMATS))
def test_what_a_wire_cannot_carry_is_named(wire: str) -> None:
    """A kind of content that a provider cannot take is refused before any byte is sent, with both names."""
    context = Context((Message("user", (Text("hi"), Citation("a", "b"))),))
    with pytest.raises(ConfigError) as caught:
        Service("here", FORMATS[wire], "https://x.test").request(context, Options("m"))
    assert str(caught.value).startswith("here: ")
    assert "'citation'" in str(caught.value)


def test_every_wire_is_asked_under_its_own_name() -> None:
    """The table's names are the rows' own, and for every decoder there is a way to ask."""
    assert [row.name for row in FORMATS.values()] == list(FORMATS)
    assert {row.decoder for row in FORMATS.values()} == set(WIRES.values())
