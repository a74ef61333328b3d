"""The keys that a caller put into a request's body, as some gateways want them there."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from ._json import is_list, is_object
from ._secret import Secret

__all__ = ["body_secrets"]

_NAME = re.compile(r"(?:key|token|secret|password|passwd|authorization|credentials?)$", re.IGNORECASE)
_WORDS = re.compile(r"[A-Za-z]*(?: [A-Za-z]+)*|.{0,7}", re.DOTALL)  # they stand in what is no secret, too


def body_secrets(extra_body: Mapping[str, Any]) -> tuple[Secret, ...]:
    """The texts under names of keys in what is merged into a body; words and short texts are none.

    Of the caller's own fields alone: in the rest of a body such names are a tool's arguments, or a model's signatures.
    """
    return tuple(_found(dict(extra_body)))


def _found(value: object, depth: int = 0) -> Iterator[Secret]:
    items = value.items() if is_object(value) else enumerate(value) if is_list(value) else ()
    for name, each in items:
        if isinstance(each, str) and _NAME.search(str(name)) and not _WORDS.fullmatch(each):
            yield Secret(each)
        elif depth < 20:  # keys lie no deeper, and what is nested without end cannot be sent
            yield from _found(each, depth + 1)
