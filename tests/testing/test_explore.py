"""Explorations: which runs they make, and that streamd comes out of them clean."""

import pytest

from streamd import ConfigError
from streamd.testing import (
    CATALOGUE,
    HELLO,
    NAMED,
    ONE_TOOL,
    THREE_ROUNDS,
    WIRES,
    At,
    Fault,
    Outcome,
    World,
    every_byte,
    every_fault,
    less_for_more,
    outcome_of,
    pairs,
    parse_plan,
    render,
    seeds,
    simulate,
    streamd_app,
    sweep,
)
from streamd.testing._case import Case
from streamd.testing._cases import byte_cases, core_faults, drawn_cases, pair_cases, sweep_cases, variants
from streamd.testing._explored import compared, explored
from streamd.testing._played import played
from streamd.testing._section import Section


async def hasty(world: World) -> None:
    """It takes any end of the body for the answer's end, and fails where there is more than so much of it."""
    body = b""
    try:
        async with world.client.stream("POST", world.url, json={"messages": []}) as response:
            async for piece in response.aiter_bytes():
                body += piece
    except Exception:
        pass
    world.said("")
    if len(body) > 1000:
        raise ValueError("too much")
    world.finished("stop")


def test_every_byte_of_a_turn_is_struck():
    """Before each byte and after the last, by each fault, in the order of the places; turn by turn."""
    size = len(render(HELLO.turns[0], WIRES["openai-chat"]).body)
    cases = list(byte_cases(Case(HELLO)))
    assert len(cases) == 3 * (size + 1)
    assert [case.plan[0].at for case in cases[: size + 1]] == [At("byte", at) for at in range(size + 1)]
    assert [case.plan[0].name for case in cases[:: size + 1]] == ["net.fin", "net.reset", "net.split"]
    turns = {case.plan[-1].when for case in byte_cases(Case(THREE_ROUNDS, parse_plan("sse.crlf")))}
    assert turns == {("turn", 1), ("turn", 2), ("turn", 3)}


@pytest.mark.parametrize("fault", ["net.fin", "net.reset", "net.split"])
def test_every_byte_gives_runs_as_they_are_asked_for(fault):
    """Each is clean, none gives less than the one before, and the last is complete."""
    before = None
    for run in every_byte(streamd_app, HELLO, faults=[fault], wire="ollama-chat"):
        assert run.verdict.findings == ()
        outcome = outcome_of(run, streamd_app)
        assert before is None or less_for_more(before, outcome) == ()
        before = outcome
    assert before is not None
    assert before.complete


def test_less_for_more_is_found():
    """Fewer characters, fewer tools, and an end that is lost again."""
    more = Outcome(row="net.fin", ended="complete", told=5, tools=2)
    less = Outcome(row="net.fin", ended="Truncated", told=4, tools=1, line="the line")
    assert [(each.name, each.repro) for each in less_for_more(more, less)] == [
        ("lost_text", "the line"),
        ("lost_text", "the line"),
        ("lost_finish", "the line"),
    ]
    assert less_for_more(less, more) == ()
    assert [len(each.findings) for each in compared([more, less, more])] == [0, 3, 0]


def test_an_exploration_compares_neighbours():
    """Whoever fails where more came is found, at the byte where it begins; its smallest run is found too."""
    section = Section("bytes")
    explored(section, byte_cases(Case(HELLO), ["h1.close_delimited_cut"]), hasty)
    row = section.rows["h1.close_delimited_cut"]
    assert row.ended == {"complete": 1001, "ValueError": row.runs - 1001}
    lost = [found for found in section.found if found.name == "lost_finish"]
    assert lost[0].line.endswith("--fault 'h1.close_delimited_cut@byte:1001 x*'")
    smallest = {found.name: found.smallest for found in section.found if found.smallest}
    assert smallest["fabricated_finish"].endswith("--fault h1.close_delimited_cut")


def test_pairs_are_all_pairs():
    """Forty faults make 780; those that cannot happen on a wire are left out."""
    assert len(core_faults()) == 40
    assert all(fault.name in CATALOGUE for fault in core_faults())
    assert len(list(pair_cases(Case(ONE_TOOL)))) == 780
    chosen = ["net.fin@byte:9", "sse.crlf", "http.status=503"]
    assert [tuple(map(str, run.plan)) for run in pairs(streamd_app, HELLO, faults=chosen)] == [
        ("net.fin@byte:9", "sse.crlf"),
        ("net.fin@byte:9", "http.status=503"),
        ("sse.crlf", "http.status=503"),
    ]


def test_streamd_survives_two_faults_at_once():
    """A few of the pairs in every test run; `make faults` tries them all."""
    core = core_faults()
    for run in pairs(streamd_app, ONE_TOOL, faults=core[::4]):
        assert run.verdict.findings == ()


def test_of_two_faults_one_may_hide_the_other():
    """A refusal that never came may be asked for again; one that came may not, in whatever pieces it did."""

    async def impatient(world: World) -> None:
        for _ in range(2):
            try:
                await world.client.post(world.url, json={"messages": []})
            except Exception:
                pass
        world.finished("cancelled")

    def names(*plan: str) -> set[str]:
        return {finding.name for finding in simulate(impatient, HELLO, *plan).verdict.findings}

    assert "retried_non_retryable" not in names("net.reset_before_headers", "http.status=401")
    assert "retried_non_retryable" in names("net.slice=3", "http.status=401")


def test_seeds_are_as_many_as_asked_for():
    """One run for each, from the first on."""
    assert [run.seed for run in seeds(streamd_app, HELLO, "net.jitter", n=3, seed=7)] == [7, 8, 9]


def test_a_sweep_is_the_whole_product():
    """Every place with every value, on every wire that has the fault, with every seed."""
    kind = CATALOGUE["h1.bad_chunk_size"]
    assert len(variants(kind)) == len(kind.sweep) * len(kind.values)
    wires = ("openai-chat", "gemini")
    cases = list(sweep_cases(Case(HELLO), wires, (0, 1), [kind]))
    assert len(cases) == len(variants(kind)) * 4
    runs = list(sweep(streamd_app, HELLO, names=["http.204_on_stream"], wires=wires, n=2))
    assert [(run.wire, run.seed) for run in runs] == [(wire, seed) for wire in wires for seed in (0, 1)]
    with pytest.raises(ConfigError, match=r"http\.html_200"):
        list(sweep(streamd_app, HELLO, names=["http.nothing"]))


def test_every_fault_takes_its_variants_in_turn():
    """As many seeds as there are variants try each; the same seeds make the same runs."""
    kind = CATALOGUE["http.status"]
    cases = list(drawn_cases(range(len(kind.values)), kinds=[kind]))
    assert {case.plan[0].value for case in cases} == set(kind.values)
    assert cases == list(drawn_cases(range(len(kind.values)), kinds=[kind]))
    assert {case.source for case in drawn_cases(range(20), kinds=[kind])} == set(NAMED)
    first = next(every_fault(streamd_app, n=1, scenarios={"hello": HELLO}, wires=("gemini",)))
    assert (first.scenario, first.wire, first.seed) == (HELLO, "gemini", 0)


def test_streamd_survives_every_fault():
    """Each with two seeds, on any wire, in any scenario; `make faults` tries more."""
    section = explored(Section("every fault"), drawn_cases(range(2)), streamd_app)
    assert section.found == []
    assert section.runs >= 2 * len(CATALOGUE) - 2


def test_processes_change_nothing():
    """In two processes the outcomes are those of one, in their order."""
    cases = list(drawn_cases([3], kinds=list(CATALOGUE.values())[:40]))
    assert list(played(cases, streamd_app, jobs=2)) == list(played(cases, streamd_app))


def test_what_cannot_be_sent_runs_here():
    """A function inside another has no name that another process could import."""

    async def own(world: World) -> None:
        await streamd_app(world)

    (outcome,) = played([Case(HELLO)], own, jobs=2)
    assert outcome.complete
    assert Case(HELLO, (Fault("sse.crlf"),)).command(own) is None


def test_a_line_for_the_shell_makes_the_same_run():
    """It names the scenario, the wire, the seed, each fault, and the application where it is not streamd's."""
    plan = parse_plan("net.fin@byte:3 x2 + sse.crlf")
    case = Case(HELLO, plan, "gemini", 4)
    assert case.command(streamd_app) == (
        "streamd faults --scenario hello --wire gemini --seed 4 --fault 'net.fin@byte:3 x2' --fault sse.crlf"
    )
    shown = Case(HELLO, plan[1:]).command(hasty)
    assert shown is not None
    assert f"--app {hasty.__module__}:hasty" in shown
    alone = Case(HELLO, plan[1:], world="decode")
    assert "--world decode" in str(alone.command(hasty))
    assert alone.play(streamd_app).verdict.ok
    assert Case(HELLO).command(streamd_app) is None


@pytest.mark.parametrize(
    ("plan", "wire"),
    [
        (("http.gzip_cut@event:1", "sse.bom_mid x*"), "bedrock-invoke"),
        (("http.redirect_307=unreadable", "json.unknown_field x*"), "bedrock-converse"),
        (("http.redirect_301=same", "prov.finish_twice x*"), "anthropic-messages"),
        (("json.invalid_after_finish", "json.duplicate_keys x*"), "cohere-v2"),
        (("http.204_on_stream", "sse.array_bom x2"), "gemini-array"),
        (("http.402_retry_after=7", "h1.two_content_lengths x2"), "gemini-array"),
        (("http.429_retry_after=600 x2", "h1.garbage_status=icy x*"), "openai-chat"),
        (("sec.secret_in_url=password x*", "rt.shutdown_with_n_live=20"), "bedrock-converse"),
        (("sec.bad_key=del", "rt.sibling_crash"), "openai-chat"),
        (("http.400", "prov.two_finishes x*"), "openai-chat"),
    ],
)
def test_faults_that_leave_nothing_to_each_other_are_survived(plan: tuple[str, ...], wire: str) -> None:
    """Where one takes away what the other strikes, that one does not; and nobody is blamed for it."""
    for scenario in NAMED.values():
        assert simulate(streamd_app, scenario, *plan, wire=wire).verdict.findings == ()
