"""Servers of the two oldest wires, as tests give them."""

from streamd.providers import (
    FORMATS,
    Auth,
    Bearer,
    ChatQuirks,
    KeyHeader,
    NoAuth,
    Secret,
    Service,
)


def openai_chat(
    name: str,
    base_url: str,
    api_key: Secret | None = None,
    *,
    path: str | None = None,
    headers: tuple[tuple[str, str | Secret], ...] = (),
    quirks: ChatQuirks | None = None,
) -> Service:
    """A server of chat completions; its key is a bearer token."""
    auth: Auth = NoAuth() if api_key is None else Bearer(api_key)
    return Service(name, FORMATS["openai-chat"], base_url, auth, path, headers, quirks)


def anthropic(
    name: str = "anthropic",
    base_url: str = "https://api.anthropic.com",
    api_key: Secret | None = None,
    *,
    path: str | None = None,
    headers: tuple[tuple[str, str | Secret], ...] = (),
) -> Service:
    """A server of Anthropic's messages; its key has a header of its own."""
    auth: Auth = NoAuth() if api_key is None else KeyHeader("x-api-key", api_key)
    return Service(name, FORMATS["anthropic-messages"], base_url, auth, path, headers)
