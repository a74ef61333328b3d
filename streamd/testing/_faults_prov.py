"""Faults of what the provider says: errors inside the stream, in all the shapes that they come in."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from streamd.errors import ConfigError

from ._aws_frames import aws_exception
from ._delivery import Delivery
from ._expect import Expect
from ._failures import FAILURES, Failure
from ._faults_prov_end import ENDINGS
from ._faults_prov_parts import PARTS
from ._kind import FaultKind, Strike
from ._outcomes import fails_with
from ._payload import AWS_WIRES, JSON_WIRES, first_number, first_terminal, new_event, numbered
from ._reply import Reply
from ._told import TOLD, Told, told_of
from ._wire_event import WireEvent

__all__ = ["PROV"]

_Apply = Callable[[Reply, Strike], Reply]
_MESSAGE = "The request failed."


def _failure(strike: Strike) -> Failure:
    name = strike.fault.value or "overloaded"
    if name not in FAILURES:
        raise ConfigError(f"the fault {strike.fault}: the failures are {', '.join(FAILURES)}")
    return FAILURES[name]


def _error_first(reply: Reply, strike: Strike) -> Reply:
    return strike.with_events(reply, strike.wire.error(_failure(strike)))


def _error_mid(reply: Reply, strike: Strike) -> Reply:
    at = min(strike.event(reply), first_terminal(reply))
    return strike.with_events(reply, *reply.events[:at], strike.wire.error(_failure(strike)))


def _error_after(reply: Reply, strike: Strike) -> Reply:
    at = first_terminal(reply) + 1
    return strike.with_events(reply, *reply.events[:at], strike.wire.error(_failure(strike)))


def _in_own_words(_delivery: Delivery, strike: Strike) -> Expect:
    failure = _failure(strike)
    told = strike.wire.told(failure)
    return Expect((told,), final=told == failure.error and not failure.retryable)


def _after_the_end(_delivery: Delivery, strike: Strike) -> Expect:
    """A client may take the turn for complete, as the evidence came, or for failed, as the error did."""
    failure = _failure(strike)
    return Expect((strike.wire.told(failure),), either=True)


def _object(told: Told) -> Any:
    return {"error": {"message": _MESSAGE, "type": told.type, "code": told.code or told.type}}


def _choices(told: Told) -> Any:
    choice = {"index": 0, "delta": {"role": "assistant", "content": ""}, "finish_reason": "error"}
    return {"id": "gen-1", "choices": [choice], "error": {"code": told.status, "message": _MESSAGE}}


def _finish(_told: Told) -> Any:
    choice: dict[str, Any] = {"index": 0, "delta": {}, "finish_reason": "error"}
    return {"id": "gen-1", "choices": [choice]}


def _native(_told: Told) -> Any:
    choice: dict[str, Any] = {
        "index": 0,
        "delta": {},
        "finish_reason": "stop",
        "native_finish_reason": "network_error",
    }
    return {"id": "gen-1", "choices": [choice]}


def _named(told: Told) -> Any:
    return {"object": "error", "message": _MESSAGE, "type": told.type, "param": None, "code": told.status}


def _response(error: Any) -> Any:
    response: dict[str, Any] = {
        "id": "resp_1",
        "object": "response",
        "status": "failed",
        "error": error,
        "output": [],
    }
    return {"type": "response.failed", "response": response}


def _google(told: Told) -> Any:
    return {"error": {"code": told.status, "message": _MESSAGE, "status": told.google}}


def _says(shape: Callable[[Told], Any], name: str = "") -> _Apply:
    """End the stream with an error of this shape, before the turn was complete."""

    def apply(reply: Reply, strike: Strike) -> Reply:
        at = min(strike.event(reply), first_terminal(reply))
        payload = msgspec.json.encode(shape(told_of(strike)))
        if strike.wire.name == "openai-responses":
            payload = payload[:-1] + b',"sequence_number":0}'
        event = new_event(strike.wire, payload, "error", name=name, fatal=True)
        done = (WireEvent(b"data: [DONE]\n\n", "end"),) if strike.wire.name == "openai-chat" else ()
        events = (*reply.events[:at], event, *done)
        return strike.with_events(reply, *numbered(events, strike.wire, first_number(reply)))

    return apply


def _as_told(_delivery: Delivery, strike: Strike) -> Expect:
    told = told_of(strike)
    return Expect((told.error,), final=not told.retryable)


_EXCEPTIONS = {
    "internalServerException": ("ServerError", True),
    "modelStreamErrorException": ("ServerError", True),
    "modelTimeoutException": ("ServerError", True),
    "serviceUnavailableException": ("OverloadedError", True),
    "throttlingException": ("RateLimitError", True),
    "validationException": ("BadRequestError", False),
}
"""https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_ResponseStream.html."""


def _exception(strike: Strike) -> str:
    name = strike.fault.value or "internalServerException"
    if name not in _EXCEPTIONS:
        raise ConfigError(f"the fault {strike.fault}: the exceptions are {', '.join(_EXCEPTIONS)}")
    return name


def _raises(reply: Reply, strike: Strike) -> Reply:
    at = min(strike.event(reply), first_terminal(reply))
    return strike.with_events(reply, *reply.events[:at], aws_exception(_exception(strike), _MESSAGE))


def _as_exception(_delivery: Delivery, strike: Strike) -> Expect:
    error, retryable = _EXCEPTIONS[_exception(strike)]
    return Expect((error,), final=not retryable)


_PLACES = ("event:0", "event:1", "event:50%", "kind:finish")
_OBJECTS = tuple(wire for wire in JSON_WIRES if wire != "openai-responses")


def _shape(
    name: str,
    summary: str,
    shape: Callable[[Told], Any],
    wires: tuple[str, ...],
    *,
    event: str = "",
    classed: bool = True,
) -> FaultKind:
    """A row of a shape; `classed` if it tells which failure it is."""
    return FaultKind(
        name=f"prov.{name}",
        summary=summary,
        phase="body",
        retry="R4",
        expect=_as_told if classed else fails_with("APIError"),
        apply=_says(shape, event),
        sweep=_PLACES,
        values=tuple(TOLD) if classed else (),
        wires=wires,
    )


def _own(name: str, summary: str, apply: _Apply, sweep: tuple[str, ...] = ()) -> FaultKind:
    return FaultKind(
        name=f"prov.{name}",
        summary=summary,
        phase="body",
        retry="R4",
        expect=_after_the_end if name == "error_after_finish" else _in_own_words,
        apply=apply,
        sweep=sweep,
        values=tuple(FAILURES),
    )


PROV: tuple[FaultKind, ...] = (
    _own("error_first", "The stream is nothing but an error of the provider's own.", _error_first),
    _own(
        "error_mid",
        "The provider ends the stream with an error of its own, before the turn was complete.",
        _error_mid,
        _PLACES,
    ),
    _own("error_after_finish", "The provider sends an error after its terminal evidence.", _error_after),
    _shape("error_object", "An error comes as an object named `error`.", _object, _OBJECTS),
    _shape(
        "error_choices",
        "An error comes beside a choice that ends in an error, as OpenRouter sends it.",
        _choices,
        ("openai-chat",),
        classed=True,
    ),
    _shape(
        "finish_error",
        "The reason for the end is an error, and nothing else says so.",
        _finish,
        ("openai-chat",),
        classed=False,
    ),
    _shape(
        "native_finish_error",
        "The upstream's own reason for the end is an error, while the provider's is a good one.",
        _native,
        ("openai-chat",),
        classed=False,
    ),
    _shape("object_error", "An event is an object of the kind `error`, as vLLM sends it.", _named, _OBJECTS),
    _shape(
        "response_failed",
        "The response ends as failed, with an error in it.",
        lambda told: _response({"code": told.code or told.type, "message": _MESSAGE}),
        ("openai-responses",),
        event="response.failed",
    ),
    _shape(
        "response_failed_null",
        "The response ends as failed, and does not say why.",
        lambda _told: _response(None),
        ("openai-responses",),
        event="response.failed",
        classed=False,
    ),
    _shape(
        "google_status",
        "An error comes as Google tells it.",
        _google,
        ("gemini", "gemini-array", "openai-chat"),
    ),
    _shape(
        "error_text",
        "An error is a text, as with Ollama.",
        lambda _told: {"error": "unexpected EOF"},
        ("openai-chat", "ollama-chat", "gemini"),
        classed=False,
    ),
    FaultKind(
        name="prov.aws_exception",
        summary="The stream ends with one of Bedrock's exceptions.",
        phase="body",
        retry="R4",
        expect=_as_exception,
        apply=_raises,
        sweep=_PLACES,
        values=tuple(_EXCEPTIONS),
        wires=AWS_WIRES,
    ),
    *ENDINGS,
    *PARTS,
)
"""The kinds of the layer `prov`."""
