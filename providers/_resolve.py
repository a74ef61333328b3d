"""From what a caller writes to a provider, and to the name of a model."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import Any, TypeGuard, cast

from ._build import build_service
from ._catalog import PROVIDERS
from ._plugins import load_provider, registered
from ._provider import Provider
from ._redact import redact
from ._secret import Secret
from .errors import ConfigError

__all__ = ["ModelSpec", "ProviderSpec", "resolve", "resolve_model"]

ProviderSpec = str | Provider | tuple[str, Mapping[str, Any]] | Mapping[str, Any]
"""A name, an instance, `(name, options)`, or a mapping whose `provider` is the name and whose rest is the options."""

ModelSpec = str | tuple[ProviderSpec, str]
"""`"provider:name"`, `"provider/name"`, or `(provider, "name")`."""


def resolve(provider: ProviderSpec, *, environ: Mapping[str, str] | None = None) -> Provider:
    """The provider that is meant.

    The options of a provider known by name are `base_url`, `api_key`, `auth_token`, `path` (what goes below the
    base URL, `{model}` in it being the model's name), `headers` (a mapping), `quirks` (where the server differs
    from the others of its wire, such as `ChatQuirks`), and the settings of its row, such as `location`. Each wins
    over the environment, and the environment over the table. Other providers take the options they document; a key
    given as text reaches them as a `Secret`, a `base_url` given as a `Secret` as text.

    `api_key` is sent as the provider wants its keys sent, `auth_token` always as a bearer token. Either is a `str`, a
    `Secret`, or a function that takes nothing and gives one of the two: it is called for every request, and as it is
    called in the event loop it gives at once the token it holds. A provider of AWS takes `credentials` besides, with
    which requests are signed where there is neither: `AWSCredentials`, a sequence of the access key's id, the secret
    key and the session's token or None, or a function that gives one of the two.

    Args:
        provider: A name such as `"anthropic"`, a `Provider`, `("openai", {"base_url": "https://..."})`, or
            `{"provider": "openai", "base_url": "https://..."}`.
        environ: The environment that keys and base URLs are read from; the process's own where None.

    Raises:
        ConfigError: For a name nobody registered (the message names the known ones and the closest), an unknown
            option, a missing key (the message names where it can be given), or a key, base URL or header that cannot
            be sent. No message shows a key.
    """
    try:
        return _resolve(provider, environ)
    except ConfigError as error:
        refused = error.with_traceback(None)
    del provider, environ  # a traceback with locals shows no key: neither this frame, nor those that are left
    raise refused


def _resolve(provider: ProviderSpec, environ: Mapping[str, str] | None) -> Provider:
    name, options = _name_and_options(provider)
    if not isinstance(name, str):
        return name
    row = PROVIDERS.get(name)
    if row is not None:
        return build_service(name, row, options, os.environ if environ is None else environ)
    entry = registered().get(name)
    if entry is None:
        raise ConfigError(_unknown(name))
    return load_provider(entry, options)


def resolve_model(model: ModelSpec, *, environ: Mapping[str, str] | None = None) -> tuple[Provider, str]:
    """The provider and the model's name that are meant.

    Args:
        model: `"provider:name"`, or `"provider/name"` where the provider is a known one, or `(provider, "name")` with
            a provider as `resolve` takes it. The name may hold further colons and slashes.
        environ: As for `resolve`.

    Raises:
        ConfigError: For a model without a provider or a name, and as `resolve` does.
    """
    try:
        return _resolve_model(model, environ)
    except ConfigError as error:
        refused = error.with_traceback(None)
    del model, environ
    raise refused


def _resolve_model(model: ModelSpec, environ: Mapping[str, str] | None) -> tuple[Provider, str]:
    provider, name = _split(model) if isinstance(model, str) else _provider_and_name(model)
    if not name.strip():
        raise ConfigError(
            "the model has no name: give 'provider:name', such as 'anthropic:claude-sonnet-4-5'"
        )
    return _resolve(provider, environ), name


def _name_and_options(provider: object) -> tuple[str | Provider, Mapping[str, Any]]:
    if isinstance(provider, str) or _is_instance(provider):
        return provider, {}
    name, options = _pair(_unmapped(provider))
    if isinstance(name, str) and isinstance(options, Mapping):
        return name, _wrapped(cast("Mapping[str, Any]", options))
    raise ConfigError(
        "a provider is given as a name, an instance, (name, options) or a mapping with its name under 'provider'"
    )


def _is_instance(provider: object) -> TypeGuard[Provider]:
    # Looking for the methods is slow, and most are given as a pair.
    return not isinstance(provider, tuple) and isinstance(provider, Provider)


def _wrapped(options: Mapping[str, Any]) -> Mapping[str, Any]:
    wrapped = dict(options)
    for name in ("api_key", "auth_token"):
        if isinstance(wrapped.get(name), str):
            wrapped[name] = Secret(wrapped[name])
    address = wrapped.get("base_url")
    if isinstance(address, Secret):
        wrapped["base_url"] = address.reveal()
    return wrapped


def _unmapped(provider: object) -> object:
    if not isinstance(provider, Mapping):
        return provider
    options = dict(cast("Mapping[str, Any]", provider))
    return options.pop("provider", None), options


def _provider_and_name(model: object) -> tuple[ProviderSpec, str]:
    provider, name = _pair(model)
    if not isinstance(name, str):
        raise ConfigError(
            f"a model is given as 'provider:name' or (provider, 'name'), not as a {_kind(model)}"
        )
    return cast("ProviderSpec", provider), name


def _pair(value: object) -> tuple[object, object]:
    items = cast("tuple[object, ...]", value) if isinstance(value, tuple) else ()
    return (items[0], items[1]) if len(items) == 2 else (None, None)


def _split(model: str) -> tuple[str, str]:
    """The provider's name and the model's, at the first colon, or at the first slash after a known provider."""
    head, colon, name = model.partition(":")
    if colon and _is_known(head):
        return head, name
    prefix, slash, rest = model.partition("/")
    if slash and _is_known(prefix):
        return prefix, rest
    if colon or _is_known(model):
        return head, name
    raise ConfigError(
        f"the model {redact(model)!r} names no provider: give 'provider:name'; the known providers are {_known_names()}"
    )


def _is_known(name: str) -> bool:
    return name in PROVIDERS or name in registered()


def _known_names() -> str:
    return ", ".join(sorted(PROVIDERS.keys() | registered().keys()))


def _unknown(name: str) -> str:
    from difflib import get_close_matches  # noqa: PLC0415 - slow to import, and only for a mistake

    near = get_close_matches(name.lower(), PROVIDERS.keys() | registered().keys(), n=1) or _titled(name)
    hint = f"did you mean {near[0]!r}? " if near else ""
    return f"there is no provider {redact(name)!r}: {hint}The known providers are {_known_names()}"


def _titled(text: str) -> list[str]:
    """The providers that call themselves so, as Moonshot does Kimi; a text of two letters names nobody."""
    wanted = re.compile(rf"\b{re.escape(text)}\b", re.IGNORECASE)
    return [name for name, row in PROVIDERS.items() if len(text) > 2 and wanted.search(row.title)]


def _kind(value: object) -> str:
    return type(value).__name__
