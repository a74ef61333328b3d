"""Joining a base URL and a path."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamd.providers import ConfigError, join_url
from tests.support.services import openai_chat

SEGMENT = st.text("abv1.-_~", min_size=1, max_size=3)
SEGMENTS = st.lists(SEGMENT, max_size=4)


@pytest.mark.parametrize(
    ("base", "path", "url"),
    [
        ("https://x.test", "/v1/chat/completions", "https://x.test/v1/chat/completions"),
        ("https://x.test/v1", "/v1/chat/completions", "https://x.test/v1/chat/completions"),
        ("https://x.test/v1/", "v1/chat/completions/", "https://x.test/v1/chat/completions"),
        ("https://x.test/a/v1", "/v1/chat", "https://x.test/a/v1/chat"),
        ("https://x.test/v1/messages", "/v1/messages", "https://x.test/v1/messages"),
        ("http://[::1]:8080/v1", "/v1/chat", "http://[::1]:8080/v1/chat"),
        ("https://x.test/v1/v1", "/v1/v1/v1", "https://x.test/v1/v1/v1"),
        ("https://x.test/v", "/v1", "https://x.test/v/v1"),
        ("https://x.test?a=1#b", "/v1", "https://x.test/v1?a=1#b"),
        ("https://x.test?a=1#b", "/v1?c=2", "https://x.test/v1?c=2#b"),
        ("https://x.test?a=1#b", "/v1#d", "https://x.test/v1?a=1#d"),
        ("https://x.test", "", "https://x.test"),
    ],
)
def test_overlapping_segments_are_written_once(base: str, path: str, url: str) -> None:
    """The end of the base that begins the path stands once; the path's query and fragment win."""
    assert join_url(base, path) == url


@given(above=SEGMENTS, shared=st.lists(SEGMENT, min_size=1, max_size=3), below=SEGMENTS)
def test_a_shared_run_of_segments_is_merged(above: list[str], shared: list[str], below: list[str]) -> None:
    """The joined path ends with the path, begins with the base, and is no longer than the shared run allows."""
    base = "/".join(["https://x.test", *above, *shared])
    path = "/".join([*shared, *below])
    joined = join_url(base, path)
    assert joined.endswith("/" + path)
    assert joined.startswith(base) or base.startswith(joined)
    assert joined.count("/") <= "/".join(["https://x.test", *above, *shared, *below]).count("/")


@given(above=SEGMENTS, below=SEGMENTS, slashes=st.integers(0, 2))
def test_joining_twice_changes_nothing(above: list[str], below: list[str], slashes: int) -> None:
    """A base URL that already holds the whole path is left as it is, whatever slashes end it."""
    path = "/" + "/".join(below)
    once = join_url("/".join(["https://x.test", *above]), path)
    assert join_url(once + "/" * slashes, path) == once


@given(model=st.text(min_size=1, max_size=12).filter(lambda text: text not in {".", ".."}))
def test_a_model_is_one_segment(model: str) -> None:
    """A model's name is percent-encoded whole: it can add no segment, query or fragment."""
    try:
        model.encode()
    except UnicodeEncodeError:
        model = "m"
    url = join_url("https://x.test/v1", "/models/{model}/go?v=1", model)
    assert url.isascii()
    assert url.count("/") == 6
    assert url.endswith("/go?v=1")
    assert "#" not in url


def test_a_model_in_the_base_url_is_replaced() -> None:
    """`{model}` may stand in either part."""
    assert join_url("https://x.test/d/{model}", "chat?v=1", "a/b:c") == "https://x.test/d/a%2Fb%3Ac/chat?v=1"


@pytest.mark.parametrize("model", ["", ".", ".."])
def test_a_model_that_would_move_the_path_is_refused(model: str) -> None:
    """A name that a URL reads as a step up is refused."""
    with pytest.raises(ConfigError, match="cannot stand in a URL"):
        join_url("https://x.test", "/models/{model}/go", model)


@pytest.mark.parametrize(
    "base", ["localhost:8080/v1", "x.test", "", "ftp://x.test", "https:///v1", "//x.test/v1"]
)
def test_a_base_url_without_scheme_or_host_is_named(base: str) -> None:
    """The message repeats the URL and shows a right one."""
    with pytest.raises(ConfigError, match="needs a scheme and a host") as caught:
        join_url(base, "/v1")
    assert repr(base) in str(caught.value)


@pytest.mark.parametrize(
    "base",
    [
        "https://user:hush-hush@x.test/v1",
        "user:hush-hush@x.test",
        "https://x.test/v1?key=hush-hush",
        "https://x.test/v1?API_KEY=hush-hush",
        "x.test/v1?api-key=hush-hush",
        "ftp://x.test/hush?a=hush-hush",
        "https://x.test/hush-hush\n",
        "https://x.test/hüsh-hush",
        "https://[hush-hush/v1",
        "https://x.test:hush-hush/v1",
    ],
)
def test_a_base_url_that_may_hold_a_secret_is_not_repeated(base: str) -> None:
    """Users, keys and what cannot be read are refused without being shown."""
    with pytest.raises(ConfigError) as caught:
        join_url(base, "/v1")
    assert "hush-hush" not in str(caught.value)
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


def test_a_key_in_the_path_is_refused() -> None:
    """The query of a path may hold a version, and no key."""
    with pytest.raises(ConfigError, match="path holds a key"):
        join_url("https://x.test", "/v1?v=1&token=hush-hush")


@pytest.mark.parametrize(("base", "path"), [(7, None), ("https://x.test", 7)])
def test_a_url_and_a_path_are_text(base: object, path: object) -> None:
    """What is no text is named by its kind."""
    with pytest.raises(ConfigError, match="is text, not a int"):
        openai_chat("here", base, path=path)  # type: ignore[arg-type] # wrong on purpose


def test_a_model_that_utf_8_cannot_hold_is_refused() -> None:
    """Half a surrogate pair stands in no URL; where the name is not asked for it does not matter."""
    with pytest.raises(ConfigError, match="lone surrogate"):
        join_url("https://x.test", "/{model}/go", "m\ud800")
    assert join_url("https://x.test", "/go", "m\ud800") == "https://x.test/go"
