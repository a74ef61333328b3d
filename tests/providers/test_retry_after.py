"""Reading how long a provider asks to wait."""

import math
from email.utils import formatdate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamd.providers._retry_after import retry_after

NOW = 1_700_000_000.0


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after": "2"}, 2.0),
        ({"retry-after": " 2 "}, 2.0),
        ({"retry-after": "0"}, 0.0),
        ({"retry-after": "1.5"}, 1.5),
        ({"retry-after": ".5"}, 0.5),
        ({"retry-after": "86400000"}, 86_400_000.0),
        ({"retry-after-ms": "250"}, 0.25),
        ({"retry-after-ms": "250", "retry-after": "9"}, 0.25),
        ({"retry-after-ms": "soon", "retry-after": "9"}, 9.0),
        ({"retry-after": "Tue, 14 Nov 2023 22:13:25 GMT"}, 5.0),
        ({"retry-after": "Tue, 14 Nov 2023 22:13:25 GMT", "date": "Tue, 14 Nov 2023 22:12:25 GMT"}, 60.0),
        ({"retry-after": "Tue, 14 Nov 2023 22:13:25 GMT", "date": "Tue, 14 Nov 2023 23:00:00 GMT"}, 0.0),
        ({"retry-after": "Tue, 14 Nov 2023 22:13:25 GMT", "date": "today"}, 5.0),
        ({"retry-after": "2", "date": "Tue, 14 Nov 2023 22:12:25 GMT"}, 2.0),
        ({"retry-after": "Tuesday, 14-Nov-23 22:13:25 GMT"}, 5.0),
        ({"retry-after": "Tue Nov 14 22:13:25 2023"}, 5.0),
        ({"retry-after": "Tue, 14 Nov 2023 22:13:15 GMT"}, 0.0),
        ({"retry-after": "Tue, 14 Nov 2023 23:13:25 +0100"}, 5.0),
        ({"retry-after": "-2"}, None),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "inf"}, None),
        ({"retry-after": "9" * 400}, math.inf),
        ({"retry-after-ms": "9" * 400}, math.inf),
        ({"retry-after-ms": "9" * 400, "retry-after": "1"}, math.inf),
        ({"retry-after": "1e3"}, None),
        ({"retry-after": "1_000"}, None),
        ({"retry-after": "٣"}, None),
        ({"retry-after": "later"}, None),
        ({"retry-after": ""}, None),
        ({"retry-after": "Tue, 99 Nov 2023 22:13:25 GMT"}, None),
        ({"retry-after": "Tue, 14 Nov 99999999999999999999 22:13:25 GMT"}, None),
    ],
)
def test_what_is_read(headers: dict[str, str], seconds: float | None) -> None:
    """Seconds, milliseconds and dates are read, what has passed is 0, and anything else is nothing."""
    assert retry_after(headers, NOW) == seconds


@given(text=st.text(max_size=40) | st.from_regex(r"[A-Z][a-z]{2}, \d+ [A-Z][a-z]{2} \d+ \d+:\d+:\d+ \S*"))
def test_no_text_is_too_strange(text: str) -> None:
    """Whatever a server sends, the answer is None or a number that is not negative."""
    for name in ("retry-after", "retry-after-ms"):
        seconds = retry_after({name: text}, NOW)
        assert seconds is None or seconds >= 0


@given(offset=st.integers(-(10**9), 10**9))
def test_a_date_is_read_against_now(offset: int) -> None:
    """A date is as far away as it says, or 0."""
    assert retry_after({"retry-after": formatdate(NOW + offset, usegmt=True)}, NOW) == max(0, offset)


@given(milliseconds=st.integers(0, 10**12))
def test_milliseconds_are_thousandths(milliseconds: int) -> None:
    """Milliseconds become seconds, however many there are."""
    assert retry_after({"retry-after-ms": str(milliseconds)}, NOW) == milliseconds / 1000
