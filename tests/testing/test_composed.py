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
]


@pytest.mark.parametrize(("name", "plan", "wire", "seed"), MET)
def test_faults_that_meet_are_judged_together(name: str, plan: tuple[str, ...], wire: str, seed: int) -> None:
    """Where one hides, moves or follows on another, what either allows is allowed."""
    assert simulate(streamd_app, NAMED[name], *plan, wire=wire, seed=seed).verdict.findings == ()
