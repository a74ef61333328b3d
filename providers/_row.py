"""What is known of a provider: one row of the table."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

from ._quirks import Quirks

__all__ = ["ProviderRow", "Setting"]


class Setting(Struct, frozen=True):
    """Something a provider's address is made with: it is put where `{name}` stands in the base URL or the path.

    Args:
        name: The name of the option.
        env: The environment variables it is read from, in order.
        default: What it is where nothing gives it; None where something must.
    """

    name: str
    env: tuple[str, ...] = ()
    default: str | None = None


class ProviderRow(Struct, frozen=True, kw_only=True):
    """What must be known of a provider to speak with it.

    Args:
        title: What it calls itself.
        wire: The name of its wire, one of `FORMATS`.
        base_url: Where it is, with `{name}` for each setting; None where there is no telling.
        base_urls: Where it is for some values of the first setting, such as regions.
        settings: What its address is made with.
        path: A path below the base URL that is not the wire's own.
        key_env: The environment variables a key is read from, in order.
        key_header: The header the key is sent in; None where it is sent as a bearer token.
        signed_for: The name by which AWS knows the service that requests are signed for where there is no key or
            token, in the region that is a setting of the row.
        token_env: The variables a bearer token is read from, after those of a key.
        base_url_env: The variables a base URL is read from, in order.
        header_env: Variables sent as a header each, where they are set.
        headers: Further fields that every request has, with lower-case names.
        key_required: Whether nothing can be asked without a key.
        quirks: Where the server differs from others of its wire.
        docs: The page of its documentation this was read from.
        unchecked: What of this was not found in the provider's own documentation.
    """

    title: str
    wire: str = "openai-chat"
    base_url: str | None = None
    base_urls: Mapping[str, str] = {}
    settings: tuple[Setting, ...] = ()
    path: str | None = None
    key_env: tuple[str, ...] = ()
    key_header: str | None = None
    token_env: tuple[str, ...] = ()
    signed_for: str | None = None
    base_url_env: tuple[str, ...] = ()
    header_env: tuple[tuple[str, str], ...] = ()
    headers: tuple[tuple[str, str], ...] = ()
    key_required: bool = True
    quirks: Quirks | None = None
    docs: str = ""
    unchecked: str = ""
