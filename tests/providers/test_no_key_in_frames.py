"""A traceback printed with its locals shows no key and no URL that was refused."""

import traceback
from collections.abc import Callable

import pytest

from streamd.providers import (
    FORMATS,
    Bearer,
    ConfigError,
    Context,
    KeyHeader,
    Message,
    Options,
    Secret,
    Service,
    join_url,
    resolve,
    resolve_model,
)
from streamd.providers._headers import secret_headers

CANARY = "zz-canary-0123456789"
SHAPED = "sk-canary0123456789"
NAMES_OF_KEYS = (
    "key",
    "x-goog-api-key",
    "subscription_key",
    "token",
    "sig",
    "auth",
    "pwd",
    "client_secret",
    "creds",
    "code",
)
CHAT = FORMATS["openai-chat"]
ASK = Context((Message.user("hi"),))


def refused(make: Callable[[], object]) -> ConfigError:
    """The error that making it raises."""
    with pytest.raises(ConfigError) as caught:
        make()
    return caught.value


def printed(error: BaseException) -> str:
    """Everything a log with locals shows of an error, its causes included."""
    return "".join(traceback.TracebackException.from_exception(error, capture_locals=True).format())


CASES: dict[str, Callable[[], object]] = {
    "user in a base URL": lambda: resolve(
        ("openai", {"api_key": CANARY, "base_url": f"https://u:{CANARY}@x.test"})
    ),
    "key in a query": lambda: resolve(
        ("openai", {"api_key": CANARY, "base_url": f"https://x.test?sig={CANARY}"})
    ),
    "nameless key in a query": lambda: resolve(("vllm", {"base_url": f"https://x.test/?{SHAPED}"})),
    "key in a fragment": lambda: resolve(("vllm", {"base_url": f"https://x.test/#{SHAPED}"})),
    "key in the environment's URL": lambda: resolve(
        "openai", environ={"OPENAI_API_KEY": CANARY, "OPENAI_BASE_URL": f"https://{CANARY}@x.test"}
    ),
    "key as a base URL": lambda: resolve(("vllm", {"base_url": SHAPED})),
    "bad character in a key": lambda: resolve(("openai", {"api_key": CANARY + "\n"})),
    "bad character in the environment's key": lambda: resolve(
        "openai", environ={"OPENAI_API_KEY": CANARY + "\n"}
    ),
    "unknown option": lambda: resolve(("openai", {"api_key": CANARY, "nothing": CANARY})),
    "unknown provider": lambda: resolve(("nobody", {"api_key": CANARY})),
    "no model": lambda: resolve_model((("openai", {"api_key": CANARY}), "")),
    "no model of a mapping": lambda: resolve_model(({"provider": "openai", "api_key": CANARY}, " ")),
    "no name beside an environment": lambda: resolve_model("openai:", environ={"OPENAI_API_KEY": CANARY}),
    "a key for a model": lambda: resolve_model(SHAPED, environ={}),
    "a key for a provider": lambda: resolve(SHAPED, environ={}),
    "bad header": lambda: resolve(("openai", {"api_key": CANARY, "headers": {"x-a": CANARY + "\n"}})),
    "bad header's name": lambda: resolve(("openai", {"api_key": CANARY, "headers": {f"x-a: {CANARY}": ""}})),
    "bad extra header": lambda: secret_headers({"x-a": CANARY + "\n"}, "extra_headers"),
    "bad wrapped extra header": lambda: Service("a", CHAT, "http://x.test").request(
        ASK, Options("m", extra_headers={"x-a": Secret(CANARY + "\n")})
    ),
    "own provider's URL": lambda: Service("a", CHAT, f"https://{CANARY}@x.test"),
    "own provider's key": lambda: Service("a", CHAT, "http://x.test", Bearer(CANARY)),  # type: ignore[arg-type] # text is what is refused
    "own provider's wrapped key": lambda: Service(
        "a", CHAT, "http://x.test", KeyHeader("x-api-key", Secret(CANARY + "\n"))
    ),
    "own provider's path": lambda: Service("a", CHAT, "http://x.test", path=f"/v1?token={CANARY}"),
    "joined URL": lambda: join_url(f"https://x.test?password={CANARY}", "/v1"),
    "joined path": lambda: join_url("https://x.test", f"/v1?access-key={CANARY}"),
}


@pytest.mark.parametrize("case", CASES)
def test_a_refusal_shows_no_key(case: str) -> None:
    """Neither the message nor any frame that is left, its locals and causes included."""
    error = refused(CASES[case])
    shown = printed(error)
    for form in (CANARY, SHAPED, CANARY[:9], SHAPED[:9]):
        assert form not in shown
    assert error.__context__ is None


@pytest.mark.parametrize("name", [*NAMES_OF_KEYS, "Api-Key", "accessToken", "PASSWORD", "X-Amz-Signature"])
def test_a_name_that_may_mean_a_key_is_refused(name: str) -> None:
    """Whatever the provider calls it, it does not belong in a URL."""
    for make in (
        lambda: Service("a", CHAT, f"https://x.test/v1?a=1&{name}={CANARY}"),
        lambda: Service("a", CHAT, "https://x.test", path=f"/v1?{name}={CANARY}"),
    ):
        error = refused(make)
        assert "holds a key in its query" in str(error)
        assert CANARY not in printed(error)


@pytest.mark.parametrize(
    "query", ["api-version=2024-10-21", "alt=sse", "region=eu&deployment=a", "encoding=utf-8"]
)
def test_a_name_that_means_no_key_passes(query: str) -> None:
    """Versions and the like belong there."""
    url = Service("a", CHAT, f"https://x.test/v1?{query}").request(ASK, Options("m")).url
    assert url.endswith("?" + query)
