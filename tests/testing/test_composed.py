"""Faults that meet in one reply or on one connection: streamd is told of nothing that it did not get wrong."""

import pytest

from streamd.testing import NAMED, simulate, streamd_app

MET = [
    # What a server says after a whole answer meets the next request, which it then does not read.
    ("two_tools", ("time.slow_but_live=10", "h1.content_length_short@byte:0 x2"), "bedrock-converse", 443),
    (
        "hello",
        (
            "sse.only_noise=blank_lines@kind:finish",
            "http.html_200=stream",
            "sse.final_event_unterminated@event:0 x3",
        ),
        "openai-chat",
        316,
    ),
    # A silence that would be behind the end of a refusal is none.
    (
        "two_tools",
        ("http.429_retry_after=1.5 x2 if request:2", "time.stall@event:1 x3"),
        "openai-responses",
        99,
    ),
    ("two_tools", ("time.stall_between_events@event:1 x3", "http.425"), "bedrock-converse", 430),
    (
        "thinking",
        ("time.stall_after_terminal@kind:finish", "http.429_retry_after=soon x3"),
        "anthropic-messages",
        1115,
    ),
    # A connection that was closed before the request on it needs no retry that is counted.
    ("one_tool", ("net.fin_before_headers x3 if turn:2",), "openai-chat", 192),
    (
        "three_rounds",
        ("rt.retry_budget_spent", "net.fin_before_headers x2 if request:2"),
        "bedrock-converse",
        296,
    ),
    ("two_tools", ("net.reset_before_headers x3 if turn:2",), "bedrock-converse", 2099),
    # Whether a page that was cut was one is not known.
    ("thinking", ("sec.key_echoed=page x2", "net.reset@byte:75%"), "gemini-array", 519),
    ("three_rounds", ("http.402_retry_after=7", "http.html_200=html x*"), "cohere-v2", 282),
    # The head may have become shorter.
    (
        "thinking",
        ("rt.retry_budget_spent x*", "net.fin_mid_headers@raw:-1 x*", "http.missing_content_type"),
        "bedrock-converse",
        943,
    ),
    # An array has begun, whatever is before it.
    ("hello", ("sse.array_blank", "json.huge_number"), "gemini-array", 955),
    ("hello", ("sse.array_bom", "json.huge_number"), "gemini-array", 955),
    ("hello", ("sse.array_compact", "prov.hollow@event:1"), "gemini-array", 955),
    # What holds nothing comes after what begins the answer, and not only after noise.
    ("hello", ("sse.ping@event:0", "prov.hollow@event:1"), "anthropic-messages", 846),
    # What events say is changed before how they are framed, and that before what carries them.
    ("two_tools", ("sse.crlf@byte:50% x2", "sse.final_event_unterminated@event:0"), "gemini", 386),
    (
        "one_tool",
        (
            "sse.aws_bad_prelude_crc@kind:finish x*",
            "http.redirect_301=cross if request:2",
            "json.unknown_field x*",
        ),
        "bedrock-converse",
        418,
    ),
    ("two_tools", ("prov.finish_without_done", "sse.array_unclosed x2"), "gemini-array", 691),
    ("one_tool", ("sse.cr@byte:50%", "tool.name_unknown@tool:1 x2"), "anthropic-messages", 1754),
    (
        "one_tool",
        ("time.keepalive_forever=0.5@kind:finish x3 if turn:2", "sse.empty_data@event:0 x2"),
        "cohere-v2",
        2235,
    ),
    # An index may have more than one digit.
    ("three_rounds", ("tool.call_again x3", "json.wrong_type=text"), "openai-chat", 377),
    # Evidence that another fault has taken away is none, and silence is silence.
    (
        "three_rounds",
        ("time.stall_after_terminal@kind:finish x3", "tool.complete_call_then_eof"),
        "openai-chat",
        313,
    ),
    # What nobody is to read is not read.
    ("thinking", ("use.unread_flood=1024", "use.reenters@event:3"), "anthropic-messages", 2491),
    # What is too large may be too slow.
    ("one_tool", ("sse.ndjson_endless_line@event:1", "net.bandwidth=10000"), "ollama-chat", 898),
    (
        "thinking",
        (
            "time.keepalive_forever=0.5@kind:finish if request:2",
            "http.json_error_200=overloaded x3",
            "prov.hollow@event:50% x2",
        ),
        "gemini",
        1427,
    ),
    (
        "three_rounds",
        ("time.stall_first_event x2", "h1.content_length_short@byte:0 if request:2"),
        "ollama-chat",
        1857,
    ),
    # An error whose words are spoiled says another thing.
    ("hello", ("net.bitflip@byte:-1 x3", "prov.error_mid=rate_limit@event:50%"), "openai-responses", 140),
    # A place is free where what held it has crashed.
    (
        "hello",
        ("rt.pool_exhausted=refuse", "rt.retry_budget_spent x2", "rt.actor_crash=parser@step:5 x*"),
        "gemini-array",
        175,
    ),
    # Many small reads of many bytes are a million steps.
    ("hello", ("sse.ndjson_endless_line@event:1", "net.slice=7 x3"), "ollama-chat", 2891),
    # The last of two heads is sent.
    (
        "one_tool",
        ("http.204_on_stream", "time.retry_after_expires_while_cancelled x*"),
        "bedrock-converse",
        3282,
    ),
    # The words of a refusal may come too late to be heard.
    (
        "two_tools",
        (
            "time.slow_but_live=10 x* if request:2",
            "http.insufficient_quota if request:2",
            "net.blackhole_connect x3 if request:2",
        ),
        "bedrock-invoke",
        1523,
    ),
    # Who refuses a head need not know what it asks for.
    (
        "three_rounds",
        ("time.retry_after_expires_while_cancelled", "http.gzip x2", "h1.length_and_chunked x*"),
        "bedrock-invoke",
        1548,
    ),
    # A byte order mark is one only where the stream begins.
    (
        "three_rounds",
        ("sse.bom_split if turn:2", "sse.duplicate_event@event:50% if turn:2"),
        "gemini",
        2568,
    ),
    ("two_tools", ("sse.bom x3 if request:2", "sse.reordered_event@event:50% if turn:2"), "gemini", 1108),
    # A line without an end has none of either kind.
    ("thinking", ("sse.endless_line@event:1", "sse.mixed@byte:50%"), "openai-responses", 1041),
    # What would come after the evidence comes without it.
    ("two_tools", ("json.invalid_after_finish x*", "prov.eof_no_terminal"), "cohere-v2", 2983),
]


@pytest.mark.parametrize(("name", "plan", "wire", "seed"), MET)
def test_faults_that_meet_are_judged_together(name: str, plan: tuple[str, ...], wire: str, seed: int) -> None:
    """Where one hides, moves or follows on another, what either allows is allowed."""
    assert simulate(streamd_app, NAMED[name], *plan, wire=wire, seed=seed).verdict.findings == ()
