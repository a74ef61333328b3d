"""The guards of the runtime: where each is, what takes it out, and which faults must then find something.

What is not here, as taking it out changes nothing that a session can show: the age after which a kept connection is not
used again (`Connections._is_young`), as one that the server closed is seen to be closed; that a web page is told by its
first byte (`SSEChunkDecoder._is_page`), as one that is read for events has none, and is no stream either; that a value
which no JSON can hold is no answer of a tool (`_tool_run._text`), as what the encoder raises is told to the model, too.
"""

from __future__ import annotations

from dataclasses import dataclass

from tests.mutants.strike import Strike

__all__ = ["GUARDS", "Edit", "Guard"]

ALL_WIRES = (
    *("openai-chat", "openai-responses", "anthropic-messages", "gemini", "gemini-array", "ollama-chat"),
    *("cohere-v2", "bedrock-converse"),
)


@dataclass(frozen=True, slots=True)
class Edit:
    """An exact substitution in one file, by its path in the repository."""

    file: str
    old: str
    new: str


@dataclass(frozen=True, slots=True)
class Guard:
    """One guard: what it holds off, how it is taken out, and what is then run.

    Where two stand behind one another, both are taken out.
    """

    name: str
    against: str
    edits: tuple[Edit, ...]
    strikes: tuple[Strike, ...]


def guard(name: str, against: str, file: str, old: str, new: str, *strikes: Strike | str) -> Guard:
    """A guard at one place; a fault's name strikes streamd as it comes."""
    return Guard(name, against, (Edit(file, old, new),), tuple(map(strike, strikes)))


def strike(given: Strike | str) -> Strike:
    """The strike that a fault's name stands for."""
    return Strike((given,)) if isinstance(given, str) else given


def in_background(name: str, app: str = "background") -> Strike:
    """The strike of a fault at responses that go on without a connection; some faults ask for these themselves."""
    return Strike((name,), app=app, wires=("openai-responses",))


_DECODER = "providers/_sse_chunk_decoder.py"
_CALLS = "providers/_tool_calls.py"
_AWS = "providers/_aws_event_stream.py"
_RECOVERY = "streamd/_recovery.py"
_RESPONSES = "providers/_openai_responses_decoder.py"
_RESUMES = "prov.resume_*"

GUARDS = (
    # What is whole, and what is not
    guard(
        "truncation at close",
        "a body that ends cleanly without the provider's terminal evidence is no answer",
        _DECODER,
        "        elif self._any:\n            raise Truncated(",
        "        elif self._any:\n            machine.finish(out)\n"
        "        elif self._any:\n            raise Truncated(",
        "h1.close_delimited_cut",
    ),
    guard(
        "empty body",
        "a body without an event is no answer",
        _DECODER,
        '            raise Truncated("the stream ended before its first whole event")',
        "            machine.finish(out)",
        "http.empty_200",
    ),
    guard(
        "end marker without an answer",
        "[DONE] alone is no evidence of an answer",
        "providers/_openai_chat_decoder.py",
        "        if not self._answered:\n",
        "        if False:\n",
        "prov.done_alone",
    ),
    guard(
        "unterminated last event",
        "half an event is not delivered",
        _DECODER,
        "        if self._machine.terminal or self._machine.done:\n            out += chunks",
        "        out += chunks",
        "sse.final_event_unterminated",
        "h1.close_delimited_cut",
    ),
    guard(
        "whole framing",
        "the end of a connection is the end of a body only where nothing else tells it",
        "streamd/_http1.py",
        "        if self._until_end and not self.over:",
        "        if not self.over:",
        "net.fin",
    ),
    guard(
        "break after the end",
        "nothing that happens after terminal evidence fails a finished turn",
        "streamd/_parser.py",
        "        if self._decoder.terminal:\n            self._close()\n        elif isinstance(error, StreamdError):",
        "        if isinstance(error, StreamdError):",
        "net.reset",
        "net.fin",
    ),
    guard(
        "damage after the end",
        "what is damaged behind terminal evidence cannot fail a turn",
        "providers/_event_decoder.py",
        "            if self._machine.terminal:\n                # The turn",
        "            if False:\n                # The turn",
        "json.invalid_after_finish",
    ),
    guard(
        "chunks before an error",
        "what came before an error in the same read is delivered before it",
        "streamd/_parser.py",
        "            chunks = self._decoder.feed(data)\n        except StreamdError as error:\n"
        "            self._deliver(error.chunks)\n",
        "            chunks = self._decoder.feed(data)\n        except StreamdError as error:\n",
        Strike(("json.invalid@event:3 x*",), besides=("net.coalesce x*",)),
    ),
    guard(
        "error inside a 200",
        "an error object for a body is the error that it would be as a status",
        _DECODER,
        "                raise in_stream_error(text)\n",
        "                pass\n",
        "http.json_error_200",
    ),
    guard(
        "error event",
        "an error inside a stream is one",
        "providers/_openai_chat_decoder.py",
        '        if event.error or event.object == "error" or event.type == "error":\n'
        "            raise in_stream_error(data)\n",
        "",
        "prov.error_mid",
        "prov.error_*",
    ),
    guard(
        "error by its event's name",
        "an event that is named an error is one, whatever its data",
        "providers/_anthropic_decoder.py",
        '        if name == b"error":\n            raise in_stream_error(data)\n',
        "",
        "sse.event_error*",
        "sse.bare_error",
    ),
    guard(
        "error field",
        "an `error:` line is an error, and so is one between events",
        "providers/_sse.py",
        '            elif field == b"error" and self._error_field:',
        "            elif False:",
        "sse.error_field",
        "sse.bare_error",
    ),
    guard(
        "class by the code",
        "an error has the class that its code says, wherever it comes",
        "providers/_api_errors.py",
        "    by_code = _class_of_code(code)\n",
        "    by_code = None\n",
        "prov.error_*",
    ),
    guard(
        "spent quota",
        "a 429 that is a spent quota is no rate limit, and waiting does not help",
        "providers/_api_errors.py",
        "    if by_status is not None and by_code is not None and issubclass(by_code, _SPECIFIC):",
        "    if False:",
        "http.insufficient_quota",
    ),
    guard(
        "sequence gap",
        "a number that is left out is an event that was lost",
        "providers/_openai_responses_numbers.py",
        '            raise SequenceGap(f"the event after number {last} has the number {number}: some are missing")',
        "            self.last, self._data = number, data",
        Strike(("sse.dropped_event",), wires=("openai-responses",)),
    ),
    guard(
        "repeated event",
        "an event that a proxy sends twice is read once",
        "providers/_openai_responses_numbers.py",
        "            if self._continued or (self._proved and number == last and data == self._data):",
        "            if self._continued:",
        Strike(("sse.duplicate_event",), wires=("openai-responses",)),
    ),
    guard(
        "checksum of a message",
        "a message whose checksum is wrong is not read",
        _AWS,
        "            if crc32(view[at:end]) != _CRC.unpack_from(data, end)[0]:",
        "            if False:",
        Strike(("sse.aws_bad_message_crc", "sse.aws_bitflip"), wires=("bedrock-converse",)),
    ),
    guard(
        "checksum of a head",
        "the lengths of a message whose checksum is wrong are not believed",
        _AWS,
        "        if crc32(data[:8]) != checksum:",
        "        if False:",
        Strike(("sse.aws_bad_prelude_crc", "sse.aws_bitflip"), wires=("bedrock-converse",), seeds=60),
    ),
    guard(
        "wrong UTF-8",
        "bytes that are no text are not read as something else",
        "providers/_json.py",
        "    if not data.isascii() and not",
        "    if False and not",
        "sse.utf8_invalid",
        "net.bitflip",
    ),
    guard(
        "depth",
        "an event that is nested too deep is one that cannot be read, and no crash",
        "providers/_json.py",
        "UNREADABLE = (msgspec.MsgspecError, ValueError, RecursionError)",
        "UNREADABLE = (msgspec.MsgspecError, ValueError)",
        "json.deep",
    ),
    guard(
        "split CRLF",
        "a CRLF that two reads share ends one line",
        "providers/_sse.py",
        "            self._after_cr = data[-1] == _CR\n",
        "            pass\n",
        Strike(("net.lockstep=1 x*",), besides=("sse.multi_data_line x*", "sse.crlf x*")),
    ),
    guard(
        "byte order mark",
        "a byte order mark is no part of the first event",
        "providers/_sse.py",
        "        if head.startswith(_BOM):",
        "        if False:",
        Strike(("sse.bom", "sse.bom_split"), wires=ALL_WIRES),
    ),
    # Limits
    guard(
        "size of an event",
        "an event that does not end is not collected for ever",
        "providers/_sse.py",
        "        if len(tail) > self._limit + 2:",
        "        if False:",
        "sse.endless_line=96",
    ),
    guard(
        "size of a line",
        "a line of a stream of lines that does not end is not collected for ever",
        "providers/_ndjson.py",
        "        if len(self._tail) > self._limit + 1:",
        "        if False:",
        Strike(("sse.ndjson_endless_line=96",), wires=("ollama-chat",)),
    ),
    guard(
        "size of an element",
        "an element of an array that does not end is not collected for ever",
        "providers/_json_array.py",
        "        if self._depth and len(self._buffer) - self._start > self._limit:",
        "        if False:",
        Strike(("sse.array_endless_element",), wires=("gemini-array",)),
    ),
    guard(
        "size of a message",
        "a message that says it is enormous is not waited for",
        _AWS,
        "        if total > self._limit:",
        "        if False:",
        Strike(("sse.aws_huge_length",), wires=("bedrock-converse",)),
    ),
    guard(
        "size of arguments",
        "arguments that do not end are not collected for ever",
        _CALLS,
        "        if call.size > _MAX_ARGUMENTS:",
        "        if False:",
        "tool.args_flood",
    ),
    guard(
        "number of calls",
        "calls without end are not collected",
        _CALLS,
        "        if len(self._calls) >= _MAX_CALLS:",
        "        if False:",
        "tool.call_flood",
    ),
    guard(
        "size of an error's body",
        "the body of a refusal is read so far and no further",
        "streamd/_parser.py",
        "                    if len(self._body) >= ERROR_BODY_LIMIT:",
        "                    if False:",
        "http.error_body_endless=flood x*",
    ),
    guard(
        "time for an error's body",
        "a refusal is not waited for, as its status is known",
        "streamd/_producer.py",
        "                        with trio.move_on_after(ERROR_BODY_SECONDS):",
        "                        with trio.move_on_after(3000.0):",
        "http.error_body_endless=trickle x*",
    ),
    Guard(
        "size of a head",
        "a head that does not end is not collected for ever",
        (
            Edit("streamd/_http1.py", "        if self._room < 0:", "        if False:"),
            Edit("streamd/_http1.py", "        if self._barren > HEAD_LIMIT:", "        if False:"),
        ),
        (Strike(("h1.header_flood",)),),
    ),
    guard(
        "watermark",
        "what is decoded and unread is bounded",
        "streamd/_edge.py",
        "        return (len(self._queue) >= self.high_watermark or self._bytes >= HIGH_BYTES) and not self._ended",
        "        return False",
        "use.unread_flood",
    ),
    guard(
        "bytes unread",
        "what is decoded and unread is bounded in bytes, too: few chunks may be large",
        "streamd/_edge.py",
        " or self._bytes >= HIGH_BYTES)",
        ")",
        "use.unread_flood",
    ),
    guard(
        "backpressure",
        "what was read of the network and is not decoded is bounded",
        "streamd/_pipeline.py",
        "trio.open_memory_channel[ParserInput](0)",
        "trio.open_memory_channel[ParserInput](1_000_000_000)",
        "use.unread_flood",
    ),
    # Tools
    guard(
        "closed arguments",
        "a call whose arguments never closed is not run",
        _CALLS,
        "            if arguments is None or not call.name or call.doubtful:",
        "            arguments = arguments or {}\n            if not call.name or call.doubtful:",
        "tool.args_unclosed",
    ),
    guard(
        "doubtful call",
        "a call of which it is not sure which piece is its own is not run",
        _CALLS,
        "            if arguments is None or not call.name or call.doubtful:",
        "            if arguments is None or not call.name:",
        Strike(("tool.*",), wires=("openai-chat",), scenarios=("two_tools",)),
    ),
    guard(
        "closed block",
        "a call whose block was not closed is not run",
        "providers/_anthropic_decoder.py",
        "        calls = [call for call in calls if call.index in self._closed_calls]\n",
        "",
        "tool.block_unclosed",
    ),
    guard(
        "arguments are an object",
        "arguments that are JSON, and no object, are not run",
        _CALLS,
        "    return value if is_object(value) else None",
        "    return value if is_object(value) else {}",
        "tool.args_non_object",
    ),
    guard(
        "cut before the first byte",
        "no arguments at all stand for none only where the provider ended the turn by itself",
        _CALLS,
        "            return {} if self.given is None and may_be_empty else self.given",
        "            return {} if self.given is None else self.given",
        Strike(("tool.*", "prov.*"), scenarios=("one_tool", "two_tools")),
    ),
    guard(
        "calls of one index",
        "an id that is new at a known index opens another call",
        _CALLS,
        "        if latest is not None and latest.id == id_:",
        "        if latest is not None:",
        Strike(("tool.same_index_two_ids",), wires=("openai-chat",), scenarios=("two_tools",)),
    ),
    Guard(
        "one run for an id",
        "a call that is made twice with one id is run once",
        (
            Edit("streamd/_toolbox.py", "            twin = by_id.get(call.id)", "            twin = None"),
            Edit(
                _CALLS,
                "            twin = next((other for other in calls if other.id == call.id), None)",
                "            twin = None",
            ),
        ),
        (Strike(("tool.*",), scenarios=("one_tool", "two_tools"), wires=ALL_WIRES),),
    ),
    guard(
        "declared tools",
        "a tool that was not declared is not run",
        "streamd/_toolbox.py",
        "            tool = self._tools.get(call.name)",
        "            tool = self._tools.get(call.name) or next(iter(self._tools.values()), None)",
        "tool.name_unknown",
    ),
    guard(
        "tool timeout",
        "a tool that hangs is given up",
        "streamd/_tool_run.py",
        "                scope.deadline = began + (math.inf if self._timeout is None else self._timeout)",
        "                pass",
        "tool.hangs",
    ),
    guard(
        "failing tool",
        "what a tool raises is told to the model, and fails nothing",
        "streamd/_tool_run.py",
        "        except Exception as exc:  # noqa: BLE001  (whatever it is, the model is told)",
        "        except _Failure as exc:",
        "tool.raises",
    ),
    guard(
        "effectful fence",
        "a call that may not be made again is not made again where it failed",
        "streamd/_tool_run.py",
        "            if not self.tool.idempotent:",
        "            if False:",
        Strike(("tool.raises",), app="effects"),
    ),
    # Time
    guard(
        "first_chunk timer",
        "a server that never begins is given up",
        "streamd/_timers.py",
        "        if self._first_at is not None:\n            due.append",
        "        if False:\n            due.append",
        "time.stall_before_headers",
    ),
    guard(
        "idle timer",
        "a body that falls silent is given up",
        "streamd/_timers.py",
        '(self._byte_at + (limits.idle or math.inf), "idle")',
        '(math.inf, "idle")',
        "time.stall",
    ),
    guard(
        "progress timer",
        "keep-alives without output are given up",
        "streamd/_timers.py",
        '(self._progress_at + (limits.progress or math.inf), "progress")',
        '(math.inf, "progress")',
        "time.keepalive_forever",
    ),
    guard(
        "output is progress",
        "what is no output does not feed the progress timer",
        "streamd/_parser.py",
        "                self._clock.note_bytes()\n",
        "                self._clock.note_bytes()\n                self._clock.note_progress()\n",
        "time.keepalive_forever",
    ),
    guard(
        "total timer",
        "a session takes no longer than it was given, whatever comes",
        "streamd/_conversation.py",
        "            with trio.move_on_after(math.inf if total is None else total) as limit:",
        "            with trio.move_on_after(math.inf) as limit:",
        Strike(
            ("time.keepalive_forever", "time.slow_but_live", "http.429_retry_after=90 x*"),
            besides=("use.in_a_hurry",),
            limit=60.0,
        ),
    ),
    guard(
        "connect timer",
        "a server that does not take the connection is given up",
        "streamd/_http_dial.py",
        "        with trio.fail_after(math.inf if timeout is None else timeout):",
        "        with trio.fail_after(math.inf):",
        "net.blackhole_connect",
    ),
    guard(
        "paused clock",
        "no timer runs while the session does not read because its consumer does not",
        "streamd/_parser.py",
        "                        with self._clock.paused():\n                            await self._outlet.room()",
        "                        await self._outlet.room()",
        "use.stops_reading",
    ),
    guard(
        "clock after a pause",
        "the time in which nobody read does not count against the server",
        "streamd/_timers.py",
        "            self._byte_at += pause\n            self._progress_at += pause\n",
        "",
        Strike(("use.stops_reading=50@event:1",), besides=("time.burst_after_silence=100@event:3",)),
    ),
    guard(
        "linger",
        "a server that keeps the body open after the turn's end is not waited for",
        "streamd/_parser.py",
        "LINGER = 0.05",
        "LINGER = float('inf')",
        Strike(("time.stall_after_terminal x*",), limit=10.0),
    ),
    # Whether, when and where it is tried again
    guard(
        "retry before delivery",
        "a turn of which something was delivered is not made again",
        "streamd/_recovery.py",
        "    return not failed.delivered or (retry.restart and not failed.acted)",
        "    return True",
        Strike(("net.fin", "net.reset"), app="trusting"),
    ),
    guard(
        "voided output",
        "a turn that starts again says that what came of it is void",
        "streamd/_attempts.py",
        "            self._edge.push([Reset(state.attempts)])",
        "            pass",
        Strike(("net.reset",), app="restart"),
    ),
    guard(
        "retry-after is a floor",
        "no attempt is made before the provider's time",
        "streamd/_retry.py",
        "        return max(asked or 0.0, backoff)",
        "        return backoff",
        "http.429_retry_after",
    ),
    guard(
        "retry-after in milliseconds",
        "the provider's time is read in its own unit",
        "providers/_retry_after.py",
        "    if milliseconds is not None:",
        "    if False:",
        "http.429_retry_after",
    ),
    guard(
        "retry-after as a date",
        "the provider's time is read as a date, by the provider's own clock",
        "providers/_retry_after.py",
        "    return None if then is None else max(0.0, then - (now if sent is None else sent))",
        "    return None",
        "http.429_retry_after",
    ),
    guard(
        "longest retry-after",
        "who asks to wait for years is not waited for",
        "streamd/_retry.py",
        "        if asked is not None and (asked > self.max_retry_after or math.isinf(asked)):",
        "        if False:",
        "http.429_retry_after",
    ),
    guard(
        "non-retryable errors",
        "what cannot succeed is not tried again",
        "streamd/_retry.py",
        "        if not error.retryable or retries >= self.max_retries:",
        "        if retries >= self.max_retries:",
        "http.400",
        "http.401",
    ),
    guard(
        "told not to retry",
        "a server that says not to come again is believed",
        "providers/_response_error.py",
        '    error.retryable = _SHOULD_RETRY.get(headers.get("x-should-retry", ""), error.retryable)\n',
        "",
        "http.x_should_retry",
    ),
    guard(
        "certificate that does not verify",
        "an unknown server is not tried again",
        "streamd/_http_dial.py",
        "        retryable = not isinstance(exc.__cause__, ssl.SSLCertVerificationError)",
        "        retryable = True",
        "net.tls_bad_cert",
    ),
    guard(
        "one retry budget",
        "a session makes so many attempts more, and then fails",
        "streamd/_retry.py",
        "        if not error.retryable or retries >= self.max_retries:",
        "        if not error.retryable:",
        Strike(("http.503", "net.refuse"), limit=120.0),
    ),
    guard(
        "count of the retries",
        "every retry is taken from the session's budget",
        "streamd/_attempts.py",
        "                state.retries += 1\n",
        "",
        Strike(("http.503",), limit=120.0),
    ),
    guard(
        "shared retry budget",
        "where a runtime has no retry left its sessions make none",
        "streamd/_attempts.py",
        'steps[0] != "another" and (tokens is None or tokens.left)',
        'steps[0] != "another"',
        Strike(("net.reset_before_headers", "http.503"), besides=("rt.retry_budget_spent",)),
    ),
    guard(
        "fallback before delivery",
        "another model is asked only where nothing was given yet",
        "streamd/_recovery.py",
        "    if failed.others and failed.alone and isinstance(error, ANOTHER):",
        "    if failed.others and isinstance(error, ANOTHER):",
        Strike(("net.reset",), app="fallback"),
    ),
    guard(
        "fallback for the provider's errors",
        "a request that is wrong is not put to another model",
        "streamd/_recovery.py",
        "    if failed.others and failed.alone and isinstance(error, ANOTHER):",
        "    if failed.others and failed.alone:",
        Strike(("http.400", "http.413", "http.422"), app="fallback"),
    ),
    guard(
        "headers of one server",
        "a header that was given for one server goes to no other",
        "streamd/_fallback.py",
        "            options = replace(options, extra_headers={}, extra_body={})",
        "            pass",
        Strike(("http.503", "net.reset_before_headers"), app="fallback"),
    ),
    # Whether, when and where a response is read on
    guard(
        "only what is kept is read on",
        "a response that ends with its connection is not asked for",
        _RESPONSES,
        "        self.in_background = self.in_background or bool(response.background)",
        "        self.in_background = True",
        in_background("net.fin", app="streamd"),
    ),
    Guard(
        "what failed is not read on",
        "a response whose provider said that it failed is not asked for",
        (
            Edit(_RECOVERY, "BROKEN = (TransportError, Truncated, SequenceGap)", "BROKEN = (StreamdError,)"),
            Edit(_RESPONSES, "        self.in_background = False  # nothing is left to be read on\n", ""),
        ),
        (in_background("prov.error_mid"),),
    ),
    guard(
        "place to read on from",
        "the events after the last one that came are asked for",
        "providers/_openai_responses_resume.py",
        "f'starting_after={number}'",
        "f'starting_after={number + 1}'",
        in_background("net.fin"),
    ),
    guard(
        "events that come again",
        "an event that came before the break is not told twice",
        "providers/_openai_responses_numbers.py",
        "            if self._continued or (self._proved and number == last and data == self._data):",
        "            if self._proved and number == last and data == self._data:",
        in_background("prov.resume_replays_prefix", app="streamd"),
    ),
    guard(
        "decoder that goes on",
        "what is open at the break is closed by what comes after it",
        "providers/_openai_responses_resume.py",
        "        return ResponsesDecoder(self._responses)",
        "        return ResponsesDecoder()",
        in_background("net.fin"),
    ),
    guard(
        "turn that goes on",
        "a turn that is read on counts as delivered where it was before",
        "streamd/_attempts.py",
        "        return _Attempt(attempt.turn.continued(), *found, reads_on=True)",
        "        return _Attempt(Turn(), *found, reads_on=True)",
        in_background(_RESUMES, app="streamd"),
    ),
    guard(
        "gone is gone",
        "a response that its provider does not have is asked for once",
        _RECOVERY,
        "        return failed.unread.retryable",
        "        return True",
        in_background("prov.resume_404", app="streamd"),
        in_background("prov.resume_expired", app="streamd"),
    ),
    guard(
        "the break is the error",
        "a response that cannot be read on ends in what broke it",
        "streamd/_attempts.py",
        "                unread, error = error, told[-1]",
        "                unread = error",
        in_background("prov.resume_404", app="streamd"),
        in_background("prov.resume_expired", app="streamd"),
    ),
    guard(
        "one hole",
        "events that are missing are asked for once",
        _RECOVERY,
        "        return not any(isinstance(each, SequenceGap) for each in failed.earlier)",
        "        return True",
        in_background("prov.sequence_gap x*"),
    ),
    # HTTP
    guard(
        "redirect",
        "a redirect is refused, and told as one",
        "streamd/_parser.py",
        "        if status in REDIRECTS:",
        "        if False:",
        "http.redirect_307",
    ),
    guard(
        "redirect not followed",
        "neither key nor prompt goes where a server points to",
        "streamd/_http.py",
        "stream=True, follow_redirects=False",
        "stream=True, follow_redirects=True",
        "sec.redirect_exfil",
        "http.redirect_*",
    ),
    guard(
        "encoding",
        "a body that is compressed unasked is refused",
        "streamd/_parser.py",
        '        if encoding not in ("", "identity"):',
        "        if False:",
        "http.gzip*",
        "http.br",
        "http.zstd",
    ),
    guard(
        "informational answers",
        "what comes before the answer is not the answer",
        "streamd/_http1.py",
        "        elif status < 200:",
        "        elif False:",
        "h1.early_hints_103",
        "h1.100_continue",
    ),
    Guard(
        "header characters",
        "a key that no header may hold is refused, and not sent",
        (
            Edit(
                "streamd/_http1.py",
                "        if found := _NOT_A_VALUE.search(value):",
                "        if found := _NOT_A_VALUE.search(b''):",
            ),
            Edit(
                "providers/_headers.py",
                '    bad = next((at for at, char in enumerate(text) if not "!" <= char <= "~"), None)',
                "    bad = None",
            ),
        ),
        (Strike(("sec.bad_key",)),),
    ),
    guard(
        "surplus bytes",
        "a connection on which more came than was asked for is not used again",
        "streamd/_http1.py",
        "        if self.complete:\n            self.reusable = False\n\n    def on_status",
        "        pass\n\n    def on_status",
        "h1.surplus_response",
    ),
    guard(
        "end before reuse",
        "a connection is used again only when its response has come to its verified end",
        "streamd/_http_exchange.py",
        "            reader.reusable\n            and self._sent",
        "            self._sent",
        Strike(("time.stall_after_terminal x*",), limit=60.0),
    ),
    guard(
        "stillness before reuse",
        "a kept connection with an end or with bytes on it is not used again",
        "streamd/_http_connections.py",
        "usable = self._is_young(connection) and await is_still(connection.stream)",
        "usable = self._is_young(connection)",
        Strike(("h1.keepalive_stale", "h1.surplus_response"), app="once"),
        Strike(("h1.surplus_response",)),
    ),
    guard(
        "stale connection",
        "a kept connection that breaks before a byte of the answer costs no attempt",
        "streamd/_http_transport.py",
        "                if exchange.answered:\n                    raise",
        "                raise",
        Strike(("h1.keepalive_stale",), app="once"),
    ),
    # What is left behind, and what is told
    guard(
        "closed connections",
        "whatever ends a response closes its connection",
        "streamd/_http_connections.py",
        "        await trio.aclose_forcefully(connection.stream)",
        "        await trio.lowlevel.cancel_shielded_checkpoint()",
        "net.reset_before_headers",
        "rt.cancel_during_*",
    ),
    guard(
        "forceful close",
        "closing waits for no peer",
        "streamd/_http_connections.py",
        "        await trio.aclose_forcefully(connection.stream)",
        "        await connection.stream.aclose()",
        Strike(("net.fin@byte:50% x*",), besides=("net.slow_close=30 x*",), limit=20.0),
    ),
    guard(
        "close where logging fails",
        "a response is closed where a logging handler raises before anybody has it",
        "streamd/_http.py",
        "            for each in opened:\n                await each.aclose()\n",
        "",
        "rt.logging_handler_raises",
    ),
    guard(
        "observer that raises",
        "a function that watches a runtime cannot fail its sessions",
        "supervisors/_events.py",
        "        except Exception as exc:  # noqa: BLE001 - told to the log, and goes no further",
        "        except ZeroDivisionError as exc:",
        "rt.on_event_hook_raises=observer",
    ),
    guard(
        "no failure of the session's",
        "what is no `Exception` is no failure of the session, and passes",
        "streamd/_conversation.py",
        "        except Exception as exc:  # noqa: BLE001  (told to the consumer, whatever it is)",
        "        except BaseException as exc:",
        "tool.exits",
    ),
    guard(
        "crash is told",
        "an exception that nobody expects reaches the consumer as a typed error",
        "streamd/_pipeline.py",
        "    if isinstance(error, StreamdError):\n        return error\n    crash =",
        "    if isinstance(error, StreamdError):\n        return error\n    return error\n    crash =",
        "rt.actor_crash",
    ),
    Guard(
        "keys in errors",
        "what a server repeats of the key is masked",
        (
            Edit(
                "streamd/_parser.py",
                "            redact_error(error, self.secrets)\n",
                "            pass\n",
            ),
            Edit(
                "streamd/_conversation.py",
                "            redact_error(error, self._attempts.secrets)\n",
                "            pass\n",
            ),
        ),
        (Strike(("sec.key_echoed",)),),
    ),
    guard(
        "keys in a repr",
        "a secret does not show itself",
        "providers/_secret.py",
        '        return "***"',
        "        return self._text",
        "http.401",
        "net.reset",
    ),
    guard(
        "keys in a traceback",
        "the bytes of a request, which hold the key, show in no traceback with locals",
        "streamd/_http1.py",
        '    return memoryview(b"\\r\\n".join(lines))',
        '    return b"\\r\\n".join(lines)  # type: ignore[return-value]',
        "net.reset_before_headers",
        "net.*",
    ),
)
"""The guards, each with the faults that must find something when it is gone."""
