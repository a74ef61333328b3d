"""Keys taken out of what a provider said: some repeat the key they refuse."""

from __future__ import annotations

import re

from ._secret import Secret

__all__ = ["redact"]

_PREFIX = 8  # characters of our own key that must not be shown, even where the provider masked the rest

_PATTERNS = (
    re.compile(r"()\b(?:sk|pk|rk|gsk|xai|csk|fw|hf|tgp|nvapi)[-_][\w.*-]{6,}"),
    re.compile(r"()\bAIza[\w-]{10,}"),
    # What follows these words is a key only if it has a digit or a mask: "bearer token required" stays.
    re.compile(r"(?i)(\bbearer\s+)(?=\S*[\d*])\S+"),
    re.compile(r"(?i)(\bapi[ _-]?key(?: provided)?\s*[:=]\s*)(?=\S*[\d*])\S+"),
)


def redact(text: str, key: Secret | None) -> str:
    """`text` with `***` in the place of everything that looks like a key, and of `key` or what begins like it."""
    secret = key.reveal() if key is not None else ""
    if len(secret) >= _PREFIX:
        text = re.sub(re.escape(secret[:_PREFIX]) + r"[^\s\"'<>]*", "***", text)
    for pattern in _PATTERNS:
        text = pattern.sub(r"\1***", text)
    return text
