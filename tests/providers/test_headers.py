"""What may stand in a header."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamd.providers import ConfigError, Secret
from streamd.providers._headers import key_fault, merge_headers, secret_headers


def shown(fields: tuple[tuple[str, str | Secret], ...]) -> list[tuple[str, str]]:
    """The fields as they are sent."""
    return [(name, value.reveal() if isinstance(value, Secret) else value) for name, value in fields]


@pytest.mark.parametrize(
    ("text", "position"),
    [
        ("hush-hush\n", 9),
        (" hush-hush", 0),
        ("hush hush", 4),
        ("hush\thush", 4),
        ("hush\x7fhush", 4),
        ("hüsh", 1),
    ],
)
def test_a_key_that_cannot_be_sent_is_not_repeated(text: str, position: int) -> None:
    """The message says which character and where the key came from, and nothing of the key."""
    fault = f"the key from SOME_API_KEY has an invalid character at position {position}"
    assert key_fault(Secret(text), "SOME_API_KEY") == fault


@pytest.mark.parametrize(("key", "reason"), [(Secret(""), "is empty"), ("hush-hush", "is not wrapped")])
def test_a_key_is_there_and_wrapped(key: object, reason: str) -> None:
    """An empty key is refused, and so is one whose repr would show it."""
    fault = key_fault(key, "`api_key`")
    assert fault is not None
    assert reason in fault
    assert "hush" not in fault


def test_a_good_key_has_no_fault() -> None:
    """Printable ASCII passes."""
    assert key_fault(Secret("".join(map(chr, range(0x21, 0x7F)))), "x") is None


def test_fields_are_a_mapping() -> None:
    """Anything else is named by its kind, and not shown."""
    with pytest.raises(ConfigError, match="are a mapping of names to values, not a list"):
        secret_headers([("x-one", "hush")], "extra_headers")  # type: ignore[arg-type] # wrong on purpose


def test_fields_are_lowered_and_their_values_wrapped() -> None:
    """Any header a caller gives may hold a key, so none of the values shows."""
    fields = secret_headers({"X-One": "a\tb c", "x-two": Secret("d"), "x-three": ""}, "headers")
    assert shown(fields) == [("x-one", "a\tb c"), ("x-two", "d"), ("x-three", "")]
    assert "a\tb" not in repr(fields)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        (
            "x-one",
            "hush\r\nx-two: hush",
            "headers: the header 'x-one' has an invalid character at position 4",
        ),
        ("x-one", "hush ", "headers: the header 'x-one' has an invalid character at position 4"),
        ("x-one", "\thush", "headers: the header 'x-one' has an invalid character at position 0"),
        ("x-one", "hüsh", "headers: the header 'x-one' has an invalid character at position 1"),
        ("x-one", b"hush", "headers: the value of the header 'x-one' is not text"),
        ("x-one: hush", "1", "headers: the name of field 0 is not a header's name"),
        ("", "1", "headers: the name of field 0 is not a header's name"),
        (b"x-one", "1", "headers: the name of field 0 is not a header's name"),
        ("Content-Length", "1", "headers: the header 'Content-Length' is set by the transport"),
    ],
)
def test_a_field_that_cannot_be_sent_is_not_repeated(name: str, value: str, message: str) -> None:
    """Nothing that would split, smuggle or break a message passes, and no value is shown."""
    with pytest.raises(ConfigError) as caught:
        secret_headers({name: value}, "headers")
    assert str(caught.value) == message


@given(value=st.text(max_size=12))
def test_a_value_that_passes_can_be_sent(value: str) -> None:
    """What passes is ASCII without line breaks and without white space at its ends."""
    try:
        [(_name, secret)] = secret_headers({"x": value}, "headers")
    except ConfigError:
        return
    assert isinstance(secret, Secret)
    assert value.encode("ascii").strip() == value.encode()
    assert not {"\r", "\n", "\0"} & set(value)


def test_a_later_field_replaces_an_earlier_one() -> None:
    """The caller's own fields win over the provider's, in the place the provider's had."""
    assert merge_headers([("a", "1"), ("b", "2")], (("a", "3"), ("c", "4"))) == (
        ("a", "3"),
        ("b", "2"),
        ("c", "4"),
    )
