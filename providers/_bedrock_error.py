"""What AWS says of a request it refuses."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from ._json import UNREADABLE, as_object, load
from ._response_error import response_error
from ._secret import Secret
from .errors import APIError

__all__ = ["bedrock_error"]


def bedrock_error(
    status: int, headers: Mapping[str, str], body: bytes, secrets: Iterable[Secret]
) -> APIError:
    """The typed error for a response that is not 200; see `response_error`.

    AWS names the kind of error in a field of the head, as `ThrottlingException:http://…` say, or in the body's
    `__type`, after a namespace and a `#`.
    """
    try:
        told = as_object(load(body))
    except UNREADABLE:
        told = {}
    kind = headers.get("x-amzn-errortype") or told.get("__type")
    if isinstance(kind, str) and kind and "error" not in told:
        code = kind.partition(":")[0].rpartition("#")[2]
        message = told.get("message") or told.get("Message")
        body = msgspec.json.encode({"code": code, "message": message if isinstance(message, str) else code})
    return response_error(status, headers, body, secrets)
