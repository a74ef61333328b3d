"""The rows of the scoreboard: answers that are not whole, each as a fault of the catalogue."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["ROWS", "Row"]

BOTH = ("openai-chat", "anthropic-messages")
CHAT, MESSAGES = BOTH[:1], BOTH[1:]

END = "h1.close_delimited_cut@event:4"
"""The end of the body after the fourth event, as HTTP says a body ends."""


@dataclass(frozen=True, slots=True)
class Row:
    """What strikes every request, if anything does; no client that is struck by it has the whole answer.

    `called` says that the conversation has a tool call, so that it is told, too, whether the client gave it.
    """

    says: str
    fault: str
    wires: tuple[str, ...] = BOTH
    called: bool = False

    @property
    def whole(self) -> bool:
        """Whether nothing is wrong: a row that shows that the client is asked rightly."""
        return not self.fault


ROWS = (
    Row("Nothing is wrong", ""),
    Row("Nothing is wrong, and there is a call", "", called=True),
    Row("The connection ends before the answer's head", "net.fin_before_headers"),
    Row("The connection ends in the body, whose end HTTP would tell", "net.fin@event:3"),
    Row("The connection is reset in the body", "net.reset@event:3"),
    Row("The last chunk of the framing is missing", "h1.no_last_chunk@event:3"),
    Row("The connection ends in the size of a chunk", "h1.cut_in_chunk@event:3"),
    Row("The body is shorter than `Content-Length`", "h1.content_length_long@event:3"),
    Row("`Content-Length` ends the body in its middle", "h1.content_length_short@event:3"),
    Row("A body without length ends in its middle", "h1.close_delimited_cut@event:3"),
    Row("The body is compressed, and cut", "http.gzip_cut@event:3"),
    Row("The body ends before the event that ends the turn", "prov.eof_no_terminal"),
    Row("The body is empty", "http.empty_200=length"),
    Row("The body is a web page, called one", "http.html_200=html"),
    Row("The body is a web page, called an event stream", "http.html_200=stream"),
    Row("The body is one JSON error", "http.json_error_200=overloaded"),
    Row("The wire's own error event", "prov.error_mid=overloaded@event:3"),
    Row("An `event: error` with an error object, and the end", f"sse.event_error=overloaded@event:3 + {END}"),
    Row(
        "An `event: error` whose fields stand at its top, and the end",
        f"sse.event_error_flat=overloaded@event:3 + {END}",
    ),
    Row("An `error:` line, and the end", f"sse.error_field=overloaded@event:3 + {END}", CHAT),
    Row("An object of the kind `error`", "prov.object_error@event:3", CHAT),
    Row("`finish_reason` is `error`", "prov.finish_error", CHAT),
    Row("An event's JSON is broken", "json.invalid@event:3"),
    Row("Two events run into one", "sse.glued_events@event:3"),
    Row("A character is cut in two", "sse.utf8_invalid@event:3"),
    Row("The server falls silent in the body", "time.stall@event:3"),
    Row("The server falls silent before the head", "time.stall_before_headers"),
    Row("Keep-alives come, and nothing else, for ever", "time.keepalive_forever=0.5@event:3"),
    Row("A clean end in a call's arguments", "h1.close_delimited_cut@event:4", CHAT, called=True),
    Row("A clean end in a call's arguments", "h1.close_delimited_cut@event:6", MESSAGES, called=True),
    Row("A clean end after a whole call, before the turn's end", "tool.complete_call_then_eof", called=True),
)
"""The rows, in the order in which they are shown."""
