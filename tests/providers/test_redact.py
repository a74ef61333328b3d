"""Secrets masked in what others say, and in the errors that quote them."""

import json
import traceback
from json import JSONDecodeError
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamd.providers import (
    WIRES,
    APIError,
    AuthenticationError,
    MalformedEvent,
    NotAStream,
    Secret,
    Service,
    StreamdError,
    StreamError,
    redact_error,
)
from streamd.providers._redact import redact
from tests.support.bad_streams import GOOD, garbage
from tests.support.bedrock import exception
from tests.support.decoding import decode
from tests.support.services import anthropic, openai_chat

KEY = "zz/canary+0123456789"
SHORT = "q7xz"


@pytest.mark.parametrize(
    "form",
    [
        KEY,
        KEY.upper(),
        KEY.title(),
        quote(KEY, safe=""),
        quote(KEY, safe="").lower(),
        quote(KEY),
        KEY.replace("/", "\\/"),
        KEY[:8] + "*****",
        f"Bearer {KEY}",
    ],
)
def test_every_form_of_a_secret_is_masked(form: str) -> None:
    """Whole, begun, in either case and encoded: nothing of it stays."""
    told = redact(f"the key '{form}' is wrong", [Secret(KEY)])
    assert told in ("the key '***' is wrong", "the key 'Bearer ***' is wrong")


@pytest.mark.parametrize("wire", sorted(WIRES))
def test_a_secret_at_the_end_of_an_excerpt_is_masked(wire: str) -> None:
    """Wherever the quotation is cut, fewer than four characters of a secret stay."""
    for secret in (KEY, "q7xzw"):
        for pad in range(150, 215):
            error = caught(wire, b"<" + b"." * pad + secret.encode() + b"." * 900)
            redact_error(error, [Secret(secret)])
            assert secret[:4] not in str(error)


def test_every_secret_is_masked() -> None:
    """Short ones too, and all that are given; a credential is found without its scheme."""
    secrets = [Secret(f"Bearer {KEY}"), Secret(SHORT), Secret('say "hush"'), Secret("abc"), Secret("")]
    quoted = json.dumps('SAY "hush"')
    told = redact(f"abc {KEY} x{SHORT}x {quoted} bearer", secrets)
    assert told == 'abc *** x***x "***" bearer'


@pytest.mark.parametrize(
    "key",
    [
        "sk-proj-abcdef0123",
        "AIzaSyA0123456789",
        "AKIA0123456789ABCDEF",
        "ghp_0123456789abcdef",
        "pplx-0123456789",
        "eyJhbGciOiJI.eyJzdWIiOiIx.c2ln",
    ],
)
def test_what_is_shaped_as_a_key_is_masked(key: str) -> None:
    """The keys of others are known by their form."""
    assert redact(f"not {key}, sorry") == "not ***, sorry"


@given(secret=st.text(min_size=4, max_size=12), text=st.text(max_size=20))
def test_no_text_keeps_a_secret(secret: str, text: str) -> None:
    """Any secret in any text is gone, and masking what is masked changes nothing more."""
    secret = secret.strip()
    told = redact(text + secret + text, [Secret(secret)])
    assert len(secret) < 4 or secret in "***" or secret not in told.replace("***", "\0")


@pytest.mark.parametrize(
    "provider",
    [
        openai_chat(
            "a", "http://x.test", Secret(SHORT), headers=(("x-other", Secret(KEY)), ("x-plain", "yes"))
        ),
        anthropic(api_key=Secret(SHORT), headers=(("x-other", Secret(KEY)),)),
        openai_chat("a", "http://x.test", headers=(("x-other", Secret(KEY)), ("x-one", Secret(SHORT)))),
    ],
)
def test_a_provider_masks_all_that_it_sent(provider: Service) -> None:
    """Not the key alone: every header of its own that may hold one."""
    said = f"no {KEY} nor {SHORT}"
    body = json.dumps({"error": {"message": said, "code": said}}).encode()
    error = provider.error(401, {"x-request-id": said}, body)
    assert [error.message, error.code, error.request_id] == ["no *** nor ***"] * 3


def chained(error: BaseException) -> list[BaseException]:
    """An error and all that it holds of what came before it."""
    found, queue = [], [error]
    while queue:
        link = queue.pop()
        found.append(link)
        queue += [each for each in (link.__cause__, link.__context__) if each and each not in found]
    return found


def assert_hidden(error: BaseException) -> None:
    """No key is in an error, its causes and contexts, their attributes, or a traceback with its locals."""
    for link in chained(error):
        for shown in (
            str(link),
            repr(link),
            repr(link.args),
            repr(vars(link)),
            repr(getattr(link, "doc", "")),
        ):
            assert KEY not in shown
            assert SHORT not in shown
    exported = traceback.TracebackException.from_exception(error, capture_locals=True)
    assert KEY not in "".join(exported.format())


def caught(wire: str, body: bytes) -> StreamdError:
    """The error that decoding a body ends in."""
    _chunks, error = decode(wire, body)
    assert error is not None
    return error


@pytest.mark.parametrize("wire", sorted(WIRES))
@pytest.mark.parametrize(
    ("text", "kind"),
    [
        (b'{"a": "' + KEY.encode(), MalformedEvent),
        (b"{\xff" + KEY.encode(), MalformedEvent),
        (b"[1]" + KEY.encode(), MalformedEvent),
    ],
)
def test_an_event_that_repeats_a_key_does_not_show_it(
    wire: str, text: bytes, kind: type[StreamdError]
) -> None:
    """Whatever cannot be read, once the error was redacted neither it nor what it holds repeats a secret."""
    turn = GOOD[wire]
    assert_redacted(caught(wire, turn.body(garbage(wire, text))), kind)


@pytest.mark.parametrize("wire", sorted(WIRES))
def test_an_error_that_repeats_a_key_does_not_show_it(wire: str) -> None:
    """Nor does an error that the provider tells inside the stream."""
    told = f"bad {KEY} {SHORT}"
    event = garbage(wire, json.dumps({"error": {"message": told, "code": KEY}}).encode())
    if wire == "bedrock-converse":
        event = exception("validationException", told)
    assert_redacted(caught(wire, GOOD[wire].body(event)), APIError)


@pytest.mark.parametrize("wire", sorted(WIRES))
@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (json.dumps({"error": {"message": f"bad {KEY}"}, "request_id": KEY}).encode(), APIError),
        (json.dumps({"error": {"message": f"bad {KEY} {SHORT}", "code": KEY}}).encode() + b"\n", APIError),
        (f"<html>{KEY} {SHORT}</html>".encode(), NotAStream),
        (f"plain words with {KEY}".encode(), NotAStream),
        (b'{"a": ' + KEY.encode(), StreamError),
        (b"{\xff" + KEY.encode(), StreamError),
        (json.dumps({"told": KEY}).encode(), StreamError),
    ],
)
def test_an_answer_that_repeats_a_key_does_not_show_it(
    wire: str, body: bytes, kind: type[StreamdError]
) -> None:
    """Nor does what is no stream at all."""
    assert_redacted(caught(wire, body), kind)


def assert_redacted(error: StreamdError, kind: type[StreamdError]) -> None:
    """Redacting hides every secret, leaves the class, and does nothing more when done again."""
    assert isinstance(error, kind)
    redact_error(error, [Secret(KEY), Secret(SHORT)])
    assert_hidden(error)
    assert isinstance(error, kind)
    told = str(error)
    redact_error(error, [Secret(KEY), Secret(SHORT)])
    assert str(error) == told


@pytest.mark.parametrize("wire", sorted(WIRES))
@pytest.mark.parametrize("data", [b'{"a": ' + KEY.encode(), b"{\xff" + KEY.encode()])
def test_a_cause_does_not_hold_the_document(wire: str, data: bytes) -> None:
    """What could not be read is quoted in the message, and kept nowhere else."""
    error = caught(wire, GOOD[wire].body(garbage(wire, data)))
    assert error.__cause__ is not None
    for each in (error, caught(wire, data)):
        assert not any(isinstance(link, JSONDecodeError | UnicodeError) for link in chained(each))


def test_what_others_raised_is_redacted_in_the_chain() -> None:
    """Notes and arguments of causes are masked, documents dropped; where nothing was decoded tracebacks are kept."""
    cause = OSError(5, f"broken by {KEY}")
    try:
        raise cause
    except OSError:
        pass
    cause.__cause__ = JSONDecodeError("bad", KEY, 0)
    error = StreamdError(f"failed with {KEY}")
    error.__cause__ = cause
    error.add_note(f"sent {KEY}")
    redact_error(error, iter([Secret(KEY)]))
    assert (error.args, error.__notes__) == (("failed with ***",), ["sent ***"])
    assert cause.args == (5, "broken by ***")
    assert cause.__traceback__ is not None
    assert cause.__cause__ is None


def test_a_chain_that_runs_in_a_circle_ends() -> None:
    """Each error is looked at once."""
    error, other = StreamError(KEY), StreamError(KEY)
    error.__cause__, other.__cause__ = other, error
    redact_error(error, [Secret(KEY)])
    assert (str(error), str(other)) == ("***", "***")


def test_a_context_that_would_be_printed_is_redacted() -> None:
    """One that would not be printed is dropped, so is a document."""
    error, shown = StreamError("failed"), ValueError(KEY)
    error.__context__ = shown
    shown.__context__ = JSONDecodeError("bad", KEY, 0)
    redact_error(error, [Secret(KEY)])
    assert (error.__context__, shown.args, shown.__context__) == (shown, ("***",), None)
    error.__suppress_context__ = True
    redact_error(error, [])
    assert error.__context__ is None


def test_facts_stay_as_they_are() -> None:
    """What tells an error's kind is no text of the provider's."""
    error = AuthenticationError(f"no {KEY}", status_code=401, retry_after=2.0, in_stream=True)
    error.attempt, error.phase = 2, "stream"
    redact_error(error, [Secret(KEY), Secret("stream")])
    assert (str(error), error.retry_after) == ("no *** (status 401)", 2.0)
    assert (error.attempt, error.phase, error.in_stream, error.code, error.request_id) == (
        2,
        "stream",
        True,
        None,
        None,
    )
