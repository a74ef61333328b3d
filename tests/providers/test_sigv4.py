"""AWS's signatures: the examples of its documentation, and who may sign for what."""

import traceback
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamd.providers import (
    FORMATS,
    AWSCredentials,
    AWSCredentialSource,
    ConfigError,
    Context,
    HTTPRequest,
    Message,
    Options,
    Secret,
    Service,
    SigV4,
    known_providers,
    resolve,
)
from streamd.providers._sigv4 import sign

ASK = Context((Message.user("hi"),))
AT = datetime(2015, 8, 30, 12, 36, tzinfo=UTC)
EXAMPLE = AWSCredentials(Secret("AKIDEXAMPLE"), Secret("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"))
SITE = "https://example.amazonaws.com"
FORM = (("content-type", "application/x-www-form-urlencoded"),)
KEY, SECRET, TOKEN = "zz-canary-key-01", "zz-canary-secret-01", "zz-canary-token-01"
ENV = {"AWS_REGION": "eu-west-1", "AWS_ACCESS_KEY_ID": KEY, "AWS_SECRET_ACCESS_KEY": SECRET}


def revealed(request: HTTPRequest) -> dict[str, str]:
    """The fields of a request as they are sent."""
    return {name: value.reveal() if isinstance(value, Secret) else value for name, value in request.headers}


def signature(
    method: str,
    url: str,
    headers: tuple[tuple[str, str], ...] = (),
    body: bytes = b"",
    service: str = "service",
) -> str:
    """The signature of a request, by the example's key and at its time."""
    signed = sign(HTTPRequest(method, url, headers, body), EXAMPLE, "us-east-1", service, AT)
    return revealed(signed)["authorization"].rpartition("Signature=")[2]


@pytest.mark.parametrize(
    ("method", "url", "headers", "body", "expected"),
    [
        ("GET", "/", (), b"", "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"),
        ("GET", "//", (), b"", "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"),
        ("GET", "/./", (), b"", "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"),
        ("GET", "/a/b/../..", (), b"", "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"),
        ("POST", "/", (), b"", "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"),
        (
            "GET",
            "/?Param2=value2&Param1=value1",
            (),
            b"",
            "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500",
        ),
        (
            "GET",
            "/?%E1%88%B4=bar",
            (),
            b"",
            "2cdec8eed098649ff3a119c94853b13c643bcf08f8b0a1d91e12c9027818dd04",
        ),
        (
            "POST",
            "/",
            FORM,
            b"Param1=value1",
            "ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a",
        ),
    ],
)
def test_the_examples_of_the_test_suite(
    method: str, url: str, headers: tuple[tuple[str, str], ...], body: bytes, expected: str
) -> None:
    """AWS publishes requests with their signatures."""
    assert signature(method, SITE + url, headers, body) == expected


def test_the_example_of_the_guide() -> None:
    """The one that is computed step by step."""
    form = (("content-type", "application/x-www-form-urlencoded; charset=utf-8"),)
    url = "https://iam.amazonaws.com/?Action=ListUsers&Version=2010-05-08"
    assert (
        signature("GET", url, form, b"", "iam")
        == "5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7"
    )


def test_what_a_signed_request_has() -> None:
    """The time, the token of a session, and the proof, which names what it covers; what was there before is gone."""
    old = (("authorization", "old"), ("x-amz-date", "old"), ("accept-encoding", "identity"), ("x-b", "1"))
    request = HTTPRequest("POST", "https://h.test:443/a", old, b"{}")
    credentials = AWSCredentials(Secret(KEY), Secret(SECRET), Secret(TOKEN))
    fields = revealed(sign(request, credentials, "eu-west-1", "bedrock", AT))
    proof = fields.pop("authorization")
    assert fields == {
        "accept-encoding": "identity",
        "x-b": "1",
        "x-amz-date": "20150830T123600Z",
        "x-amz-security-token": TOKEN,
    }
    assert proof.startswith(
        f"AWS4-HMAC-SHA256 Credential={KEY}/20150830/eu-west-1/bedrock/aws4_request, "
        "SignedHeaders=host;x-amz-date;x-amz-security-token;x-b, Signature="
    )


def test_a_path_is_encoded_once_more_than_it_is_sent() -> None:
    """So an encoded slash is none, and a colon that is sent encoded is not one that is sent plain."""
    paths = ("/model/a%3Ab/x", "/model/a:b/x", "/model/a%2Fb/x", "/model/a/b/x", "/model/a%3Ab/x/")
    assert len({signature("POST", SITE + path) for path in paths}) == len(paths)


def test_the_time_may_be_of_any_zone() -> None:
    """It is told in UTC."""
    request = HTTPRequest("GET", SITE + "/", (), b"")
    elsewhere = AT.astimezone(timezone(timedelta(hours=9)))
    assert revealed(sign(request, EXAMPLE, "r", "s", elsewhere)) == revealed(
        sign(request, EXAMPLE, "r", "s", AT)
    )


def test_a_port_is_a_part_of_the_host_unless_it_is_the_schemes() -> None:
    """As requests name it."""
    plain = signature("GET", "https://h.test/")
    assert signature("GET", "https://h.test:443/") == signature("GET", "https://H.test/") == plain
    assert signature("GET", "http://h.test:80/") == plain
    assert signature("GET", "https://h.test:80/") != plain


_WORDS = st.text("abz/-_.~%2F é\n ", max_size=8)


@given(
    name=_WORDS,
    body=st.binary(max_size=8),
    region=st.sampled_from(["us-east-1", "eu-west-1"]),
    seconds=st.integers(0, 10**9),
)
@settings(deadline=None, max_examples=100)
def test_a_signature_covers_everything(name: str, body: bytes, region: str, seconds: int) -> None:
    """The same request has the same, and any other another: method, path, body, field, region, time."""
    at = datetime.fromtimestamp(seconds, UTC)
    service = Service("b", FORMATS["bedrock-converse"], "https://x.test")
    url = service.request(ASK, Options("m" + name)).url

    def proof(
        method: str = "POST", where: str = url, value: str = "v", told: bytes = body, when: datetime = at
    ) -> str:
        request = HTTPRequest(method, where, (("x-a", value),), told)
        return revealed(sign(request, EXAMPLE, region, "bedrock", when))["authorization"]

    others = [
        proof(method="PUT"),
        proof(where=url + "x"),
        proof(where=url + "?q"),
        proof(value="w"),
        proof(told=body + b"x"),
        proof(when=at + timedelta(seconds=1)),
    ]
    assert proof() == proof(value=" v ")
    assert len({proof(), *others}) == 1 + len(others)


def test_a_service_signs_every_request_anew() -> None:
    """With the time of its own clock, over the fields that the caller adds, and none of it shows."""
    times = iter([AT, AT + timedelta(minutes=1)])
    auth = SigV4(EXAMPLE, "us-east-1", clock=lambda: next(times))
    service = Service("b", FORMATS["bedrock-converse"], "https://x.test", auth)
    options = Options("m", extra_headers={"X-Amzn-Bedrock-Trace": "ENABLED"})
    first, second = (revealed(service.request(ASK, options)) for _ in range(2))
    assert (first["x-amz-date"], second["x-amz-date"]) == ("20150830T123600Z", "20150830T123700Z")
    signed = "SignedHeaders=accept;content-type;host;x-amz-date;x-amzn-bedrock-trace"
    assert signed in first["authorization"]
    assert first["authorization"] != second["authorization"]
    for text in (repr(service), repr(auth), repr(service.request.__self__)):
        assert "EXAMPLE" not in text


def test_the_clock_is_the_systems_where_none_is_given() -> None:
    """Within a minute of now."""
    service = Service("b", FORMATS["bedrock-converse"], "https://x.test", SigV4(EXAMPLE, "r"))
    told = datetime.strptime(
        revealed(service.request(ASK, Options("m")))["x-amz-date"] + "+0000", "%Y%m%dT%H%M%SZ%z"
    )
    assert abs(datetime.now(UTC) - told) < timedelta(minutes=1)


@pytest.mark.parametrize(
    ("options", "environ", "starts"),
    [
        ({}, {**ENV, "AWS_BEARER_TOKEN_BEDROCK": "b-1"}, "Bearer b-1"),
        ({}, ENV, f"AWS4-HMAC-SHA256 Credential={KEY}/"),
        ({"api_key": "k-1"}, ENV, "Bearer k-1"),
        (
            {"credentials": ("o-1", "s-1")},
            {**ENV, "AWS_BEARER_TOKEN_BEDROCK": "b-1"},
            "AWS4-HMAC-SHA256 Credential=o-1/",
        ),
        ({"credentials": ["o-1", Secret("s-1"), None]}, ENV, "AWS4-HMAC-SHA256 Credential=o-1/"),
        (
            {"credentials": AWSCredentials(Secret("o-1"), Secret("s"))},
            ENV,
            "AWS4-HMAC-SHA256 Credential=o-1/",
        ),
        ({"credentials": AWSCredentialSource(lambda: ("o-1", "s"))}, ENV, "AWS4-HMAC-SHA256 Credential=o-1/"),
    ],
)
@pytest.mark.parametrize("provider", ["bedrock", "bedrock-invoke"])
def test_who_asks(provider: str, options: dict[str, Any], environ: dict[str, str], starts: str) -> None:
    """An option before the environment, a bearer token before a signature."""
    made = resolve((provider, options), environ=environ)
    request = made.request(ASK, Options("anthropic.m"))
    assert revealed(request)["authorization"].startswith(starts)
    assert request.url.startswith("https://bedrock-runtime.eu-west-1.amazonaws.com/model/anthropic.m/")
    assert ("/eu-west-1/bedrock/" in revealed(request)["authorization"]) == starts.startswith("AWS4")


def test_temporary_credentials() -> None:
    """The session's token is sent, and signed."""
    provider = resolve("bedrock", environ={**ENV, "AWS_SESSION_TOKEN": TOKEN})
    fields = revealed(provider.request(ASK, Options("m")))
    assert fields["x-amz-security-token"] == TOKEN
    assert "x-amz-security-token" in fields["authorization"]


def test_credentials_that_a_function_gives() -> None:
    """They are asked for at every request, in the shape in which botocore freezes them, and kept out of errors."""
    given_ = iter([("o-1", "s-1", None, "account"), (KEY, SECRET, TOKEN)])
    provider = resolve(("bedrock", {"credentials": lambda: next(given_)}), environ=ENV)
    assert provider.error(403, {}, b'{"message":"m"}').message == "m"
    first, second = (revealed(provider.request(ASK, Options("m")))["authorization"] for _ in range(2))
    assert "Credential=o-1/" in first
    assert f"Credential={KEY}/" in second
    for secret in (KEY, SECRET, TOKEN):
        body = f'{{"message":"the key {secret} is bad"}}'.encode()
        assert provider.error(403, {}, body).message == "the key *** is bad"


def _raise() -> Any:
    raise OSError(SECRET)


async def _later() -> tuple[str, str]:
    return KEY, SECRET


@pytest.mark.parametrize(
    ("give", "why"),
    [
        (_raise, "b: the function that gives the credentials failed: OSError"),
        (_later, "b: the function that gives the credentials is async: give a plain one"),
        (lambda: None, "b: the function that gives the credentials gave a NoneType, not AWSCredentials"),
        (lambda: (KEY,), "b: the function that gives the credentials gave a tuple, not AWSCredentials"),
        (lambda: (KEY, "\n"), "invalid character at position 0"),
    ],
)
def test_a_function_that_gives_no_credentials(give: Callable[[], Any], why: str) -> None:
    """The error names the provider and shows nothing of a key."""
    auth = SigV4(AWSCredentialSource(give), "r")
    service = Service("b", FORMATS["bedrock-converse"], "https://x.test", auth)
    with pytest.raises(ConfigError) as caught:
        service.request(ASK, Options("m"))
    assert why in str(caught.value)
    assert "canary" not in str(caught.value)


def test_an_error_of_ours_passes_through() -> None:
    """A function may say itself what is wrong."""

    def refuse() -> Any:
        raise ConfigError("log in first")

    with pytest.raises(ConfigError, match=r"^log in first$"):
        AWSCredentialSource(refuse).credentials("b")


@pytest.mark.parametrize(
    ("options", "environ", "why"),
    [
        (
            {},
            {"AWS_REGION": "r"},
            "or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or give the option `api_key`",
        ),
        ({}, {"AWS_REGION": "r", "AWS_ACCESS_KEY_ID": KEY}, "no key"),
        ({}, {**ENV, "AWS_REGION": ""}, "no region: give the option `region` or set AWS_REGION"),
        (
            {"base_url": "https://x.test"},
            {**ENV, "AWS_REGION": ""},
            "no region: give the option `region` or set AWS_REGION",
        ),
        ({}, {**ENV, "AWS_SECRET_ACCESS_KEY": "a\nb"}, "AWS_SECRET_ACCESS_KEY has an invalid character"),
        ({"credentials": (KEY, "a\nb")}, ENV, "AWS_SECRET_ACCESS_KEY has an invalid character"),
        ({"credentials": 5}, ENV, "the option `credentials` is AWSCredentials, a sequence"),
        (
            {"credentials": (KEY, SECRET), "api_key": KEY},
            ENV,
            "one of the options `api_key` and `credentials`",
        ),
        ({"credentials": (KEY, 5)}, ENV, "the option `credentials` is AWSCredentials, a sequence"),
    ],
)
def test_what_is_missing_or_cannot_be_sent(
    options: dict[str, Any], environ: dict[str, str], why: str
) -> None:
    """The error says what to do, and a traceback with locals shows no key."""
    with pytest.raises(ConfigError) as caught:
        resolve(("bedrock", options), environ=environ)
    assert why in str(caught.value)
    printed = "".join(
        traceback.TracebackException.from_exception(
            caught.value.with_traceback(None), capture_locals=True
        ).format()
    )
    assert "canary" not in printed


def test_credentials_are_an_option_of_what_is_signed() -> None:
    """Other providers have none."""
    with pytest.raises(ConfigError, match="no option 'credentials'"):
        resolve(("openai", {"credentials": (KEY, SECRET)}), environ={})


def test_credentials_cannot_be_sent_unless_they_are_sound() -> None:
    """A service refuses them when it is made."""
    auth = SigV4(AWSCredentials(Secret(""), Secret(SECRET)), "r")
    with pytest.raises(ConfigError, match=r"^b: the key from AWS_ACCESS_KEY_ID is empty$"):
        Service("b", FORMATS["bedrock-converse"], "https://x.test", auth)


@pytest.mark.parametrize(
    ("environ", "key_set"),
    [
        ({}, False),
        ({"AWS_ACCESS_KEY_ID": KEY}, False),
        (ENV, True),
        ({"AWS_BEARER_TOKEN_BEDROCK": "b"}, True),
    ],
)
def test_whether_there_is_a_key(environ: dict[str, str], key_set: bool) -> None:
    """A bearer token is one, an access key with its secret is one."""
    (info,) = (info for info in known_providers(environ) if info.name == "bedrock")
    assert info.key_set == key_set
    assert info.key_env == ("AWS_BEARER_TOKEN_BEDROCK", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")


def test_nothing_shows_credentials() -> None:
    """Neither their own repr nor their source's."""
    credentials = AWSCredentials(Secret(KEY), Secret(SECRET), Secret(TOKEN))
    assert "canary" not in repr(credentials) + repr(AWSCredentialSource(lambda: (KEY, SECRET)))
