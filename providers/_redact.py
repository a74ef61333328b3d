"""Keys taken out of what a provider said: some repeat the key they refuse."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from urllib.parse import quote

from ._secret import Secret

__all__ = ["redact"]

_SHORTEST = 4  # characters: what is shorter is part of ordinary words
_PREFIX = 8  # characters of a secret that must not be shown, even where the provider masked the rest
_REST = r"[^\s\"'<>\\]*"
_VALUE = r"[^\s\"'\\{}\[\],]"  # no more than the value: what is JSON stays JSON

_SCHEME = re.compile(r"\s*(?:basic|bearer|token)\s+", re.IGNORECASE)

_NAMES = (
    *("sk", "pk", "rk", "gsk", "xai", "csk", "fw", "hf", "tgp", "nvapi", "pplx", "gho", "ghp"),
    *("github_pat", "xoxa", "xoxb", "xoxp"),
)
_PATTERNS = (
    # What a text must hold, in lower case, for the pattern to find anything in it; that is looked for much faster.
    (
        tuple(name + dash for name in _NAMES for dash in "-_"),
        re.compile(rf"()\b(?:{'|'.join(_NAMES)})[-_][\w.*-]{{6,}}"),
    ),
    (("aiza",), re.compile(r"()\bAIza[\w-]{10,}")),
    (("akia", "asia"), re.compile(r"()\b(?:AKIA|ASIA)[A-Z0-9]{12,}")),
    (("eyj",), re.compile(r"()\beyJ[\w-]{6,}\.[\w-]+(?:\.[\w-]*)?")),
    # What follows these words is a key only if it has a digit or a mask: "bearer token required" stays.
    (("bearer",), re.compile(rf"(?i)(\bbearer\s+[\"'\\]*)(?={_VALUE}*[\d*]){_VALUE}+")),
    (
        ("api",),
        re.compile(rf"(?i)(\bapi[ _-]?key(?: provided)?\s*[:=]\s*[\"'\\]*)(?={_VALUE}*[\d*]){_VALUE}+"),
    ),
)


def _stars(_hidden: str) -> str:
    return "***"


def redact(text: str, secrets: Iterable[Secret] = (), *, mask: Callable[[str], str] = _stars) -> str:
    """`text` with `***` in the place of every secret, and of everything that looks like a key.

    A secret is found whole, and by its first eight characters, as providers mask keys themselves; by four where an
    excerpt was cut there; in upper and lower case, percent-encoded, and as JSON writes it. The scheme before a
    credential (`Bearer`) is no part of it.

    Args:
        text: What somebody else said.
        secrets: What must not show; those of fewer than four characters are left alone.
        mask: Gives what stands in the place of a hidden text.
    """
    folded = text.casefold()
    forms = {form for secret in secrets for form in _forms(secret.reveal())}
    # Whatever is hidden of a secret begins as one of its forms does.
    if any(form[:_SHORTEST].casefold() in folded for form in forms):
        starts = {form[:_PREFIX] for form in forms if len(form) >= _PREFIX}
        hidden = [re.escape(form) for form in sorted(forms, key=len, reverse=True)]
        hidden += [re.escape(start) + _REST for start in starts]
        # An excerpt may end within the secret.
        hidden += [re.escape(form[:cut]) + "…" for form in forms for cut in range(_SHORTEST, _PREFIX)]
        text = re.sub("|".join(hidden), lambda found: mask(found[0]), text, flags=re.IGNORECASE)
    for hints, pattern in _PATTERNS:
        if any(hint in folded for hint in hints):
            text = pattern.sub(lambda found: found[1] + mask(found[0][len(found[1]) :]), text)
    return text


def _forms(secret: str) -> set[str]:
    scheme = _SCHEME.match(secret)
    plain = (secret[scheme.end() :] if scheme else secret).strip()
    if len(plain) < _SHORTEST:
        return set()
    written = json.dumps(plain)[1:-1]
    encoded = {quote(plain, safe=safe, errors="replace") for safe in ("", "/", "/+=:@")}
    return {plain, written, written.replace("/", "\\/"), *encoded}
