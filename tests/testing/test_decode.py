"""The world of bytes alone: every decoder, cut everywhere."""

import pytest

from streamd.testing import CATALOGUE, HELLO, NAMED, ONE_TOOL, WIRES, decode, render
from streamd.testing._cases import variants

ALL = pytest.mark.parametrize("wire", WIRES)


@ALL
@pytest.mark.parametrize("name", NAMED)
def test_a_conversation_decodes(wire: str, name: str) -> None:
    """Without faults, cut at random: all of it."""
    for seed in range(5):
        run = decode(NAMED[name], wire=wire, seed=seed)
        assert run.verdict.findings == ()
        assert run.observed.text == "".join(turn.text for turn in NAMED[name].turns)
        assert run.observed.finished


@ALL
@pytest.mark.parametrize("how", ["net.fin", "net.reset"])
def test_a_cut_at_every_byte_is_judged_clean(wire: str, how: str) -> None:
    """Nothing is lost, doubled or invented, no end is fabricated, and more bytes never give less."""
    scenario = NAMED["one_tool"]
    size = len(render(scenario.turns[0], WIRES[wire]).body)
    told = 0
    for at in range(0, size + 1, 1 if wire == "openai-chat" else 7):
        run = decode(scenario, f"{how}@byte:{at} if turn:1", wire=wire, seed=at)
        assert run.verdict.findings == ()
        assert len(run.observed.text) >= told
        told = len(run.observed.text) if len(run.trace.attempts) == 1 else told


@ALL
def test_the_pieces_do_not_matter(wire: str) -> None:
    """Byte by byte the same comes as at once."""
    for size in (1, 3):
        assert decode(HELLO, f"net.slice={size}", wire=wire).verdict.findings == ()


def test_a_refusal_has_nothing_to_decode() -> None:
    """Faults of the head leave no body; nothing is judged of it."""
    run = decode(HELLO, "http.status=500")
    assert run.verdict.ok
    assert (run.observed.finished, run.observed.error) == (False, None)


@ALL
@pytest.mark.parametrize(
    "name", ["sse.comment", "sse.crlf", "prov.error_mid", "prov.eof_no_terminal", "time.stall"]
)
def test_a_decoder_survives_faults_of_the_body(wire: str, name: str) -> None:
    """Wherever the seed puts them, and with each of their values."""
    for seed in range(3):
        for value in CATALOGUE[name].values or ("",):
            fault = name + (f"={value}" if value else "")
            assert decode(NAMED["one_tool"], fault, wire=wire, seed=seed).verdict.findings == ()


@pytest.mark.parametrize("wire", ["openai-chat", "gemini-array", "ollama-chat", "bedrock-converse"])
def test_no_fault_is_held_against_a_decoder(wire: str) -> None:
    """Every fault of the catalogue, at its places and with its values; those of the application strike nothing."""
    found = {
        str(fault): run.verdict.findings
        for kind in CATALOGUE.values()
        if kind.on(wire)
        for fault in variants(kind)
        if (run := decode(ONE_TOOL, fault, wire=wire)).verdict.findings
    }
    assert found == {}


@pytest.mark.parametrize("fault", ["http.gzip", "http.deflate", "http.unknown_encoding"])
def test_what_is_compressed_is_unpacked(fault: str) -> None:
    """There is no HTTP to do it; a coding that nobody knows is none."""
    run = decode(HELLO, fault, seed=3)
    assert run.verdict.ok
    assert run.observed.text == HELLO.turns[0].text
    assert run.observed.finished


@pytest.mark.parametrize("fault", ["http.gzip_corrupt@event:3", "http.gzip_bomb", "http.br", "http.zstd"])
def test_what_cannot_be_unpacked_is_cut(fault: str) -> None:
    """What came before it is decoded, and nothing says that the answer is complete."""
    for seed in range(5):
        run = decode(HELLO, fault, seed=seed)
        assert run.verdict.ok
        assert (run.observed.finished, run.observed.error) == (False, None)
        assert run.observed.text == ("Hello, w\u00f6rld" if "corrupt" in fault else "")
