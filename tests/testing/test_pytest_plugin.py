"""pytest's plugin: servers for any event loop, a marker that sweeps faults, and what a failure says."""

import re
from pathlib import Path

import httpcore
import pytest

# httpx imports it when it is first used, and pytester would take it out again: then httpx knew another's errors.
assert httpcore.RemoteProtocolError

pytest_plugins = ["pytester"]

APP = """
    import asyncio, json
    import httpx

    async def ask(base_url, report, *, careful):
        url, done = f"{base_url}/chat/completions", False
        try:
            async with httpx.AsyncClient(timeout=httpx.Timeout(5.0, read=0.5)) as client:
                body = {"stream": True, "messages": [{"role": "user", "content": "Hi"}]}
                async with client.stream("POST", url, json=body) as response:
                    response.raise_for_status()
                    async for line in response.aiter_lines():
                        if line == "data: [DONE]":
                            done = True
                        elif line.startswith("data: {"):
                            for choice in json.loads(line[6:])["choices"]:
                                report.said(choice["delta"].get("content") or "")
        except (httpx.HTTPError, ValueError, KeyError) as error:
            if not done:
                report.failed(AppError(str(error)))
                return
        if done or not careful:
            report.finished()
        else:
            report.failed(AppError("cut"))

    class AppError(Exception):
        pass
"""


@pytest.fixture
def project(pytester: pytest.Pytester) -> pytest.Pytester:
    pytester.makepyfile(app=APP)
    pytester.syspathinsert()
    return pytester


def run(project: pytest.Pytester, source: str, *options: str) -> pytest.RunResult:
    """Run the tests in `source` with the plugin, in this process."""
    project.makepyfile(test_app=source)
    return project.runpytest_inprocess(
        "-p", "streamd", "-p", "no:cacheprovider", "--strict-markers", *options
    )


def test_a_server_serves_an_asyncio_application(project: pytest.Pytester) -> None:
    """`llm_server` starts as many servers as a test likes; what the application reports is judged."""
    source = """
        import asyncio, app
        from streamd.testing import HELLO, assert_survived

        def test_good(llm_server):
            for fault in ("net.slice=2", "sse.comment@event:1", "h1.close_delimited_cut@event:2"):
                served = llm_server(HELLO, fault)
                asyncio.run(app.ask(served.base_url(), served.world, careful=True))
                assert_survived(served)

        def test_bad(llm_server):
            served = llm_server(HELLO, "prov.eof_no_terminal")
            asyncio.run(app.ask(served.base_url(), served.world, careful=False))
            assert_survived(served)
    """
    result = run(project, source)
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(
        [
            "*AssertionError: 1 finding after prov.eof_no_terminal (openai-chat, seed 0)",
            "*fabricated_finish: it said that the answer was complete (None)",
            "*    pytest test_app.py::test_bad",
            "*what happened:",
            "*attempt 1: turn 1; faults: prov.eof_no_terminal",
        ]
    )
    # The line shown is the test's own, not one of the assertion's.
    assert "def assert_survived" not in result.stdout.str()


def test_a_marker_sweeps_faults_over_a_test(project: pytest.Pytester) -> None:
    """A pattern stands for its faults at their places with their values, but for those that cannot be served."""
    source = """
        import asyncio, app, pytest
        from streamd.testing import assert_survived

        @pytest.mark.llm_faults("net.f*", "sse.crlf", "http.status=503 x*", seeds=2)
        def test_app(faulty_llm):
            asyncio.run(app.ask(faulty_llm.base_url(), faulty_llm.world, careful=True))
            assert_survived(faulty_llm)
    """
    result = run(project, source, "-v")
    names = {line.split()[0] for line in result.outlines if "PASSED" in line}
    assert result.ret == 0
    assert {
        f"test_app.py::test_app[{fault}-seed{seed}]"
        for fault in ("net.fin@byte:50%", "net.fin@byte:0")
        for seed in (0, 1)
    } <= names
    assert any("[sse.crlf" in name for name in names)
    assert "test_app.py::test_app[http.status=503_x*-seed1]" in names


def test_a_marker_names_wires(project: pytest.Pytester) -> None:
    """With `wires` the server speaks that wire, whatever is asked; the fixture tells which."""
    source = """
        import httpx, pytest

        @pytest.mark.llm_faults("net.coalesce", wires=["anthropic-messages", "ollama-chat"], pace=1)
        def test_app(faulty_llm):
            answer = httpx.post(faulty_llm.url + "/any", json={})
            marks = {"anthropic-messages": "message_stop", "ollama-chat": '"done":true'}
            assert marks[faulty_llm.world.wire.name] in answer.text
            assert faulty_llm.plan[0].name == "net.coalesce"
    """
    result = run(project, source, "-v")
    result.assert_outcomes(passed=2)
    result.stdout.fnmatch_lines(["*test_app[[]net.coalesce-ollama-chat-seed0[]] PASSED*"])


def test_a_simulation_sweeps_too(project: pytest.Pytester) -> None:
    """`simulate` has the marker's faults, of which none is left out; without a marker it is the function itself."""
    source = """
        import pytest
        from streamd.testing import HELLO, ONE_TOOL, assert_survived, streamd_app

        @pytest.mark.llm_faults("net.refuse", "rt.cancel", scenario=ONE_TOOL, seeds=3)
        def test_swept(simulate):
            run = simulate(streamd_app, None, "net.slice=5")
            assert run.scenario is ONE_TOOL and len(run.plan) == 2
            assert_survived(run)

        def test_alone(simulate):
            run = simulate(streamd_app, HELLO, "net.fin@event:2", wire="gemini", seed=4)
            assert (run.wire, run.seed) == ("gemini", 4)
            assert_survived(run)
            assert simulate(streamd_app).scenario is HELLO

        async def naive(world):
            async with world.client.stream("POST", world.url + "/v1/chat/completions") as response:
                return "".join([line async for line in response.aiter_lines()])

        @pytest.mark.llm_faults("prov.eof_no_terminal")
        def test_bad(simulate):
            assert_survived(simulate(naive))
    """
    result = run(project, source)
    outcomes = result.parseoutcomes()
    assert outcomes["failed"] == 1
    assert outcomes["passed"] >= 4
    result.stdout.fnmatch_lines(
        ["*fabricated_finish*", "*simulate(naive, NAMED*, wire='openai-chat', seed=0)*"]
    )


@pytest.mark.parametrize(
    ("marker", "says"),
    [
        ('"nte.*"', "'nte.*' stands for no fault"),
        ('"net.refuse"', "'net.refuse' stands for no fault that can be played here"),
        ('"what?"', "'what?' is no fault"),
        ('"sse.crlf", wires=["telex"]', "there is no wire 'telex'"),
        ('"sse.crlf", sedes=3', "sedes"),
    ],
)
def test_a_marker_that_makes_no_sense_is_an_error(project: pytest.Pytester, marker: str, says: str) -> None:
    """The collection fails, and says which test and why."""
    source = f"""
        import pytest

        @pytest.mark.llm_faults({marker})
        def test_app(faulty_llm):
            pass
    """
    result = run(project, source)
    assert result.ret != 0
    result.stdout.fnmatch_lines([f"*{says.replace('[', '[[]')}*"])


def test_a_marker_needs_a_fixture_and_the_fixture_a_marker(project: pytest.Pytester) -> None:
    """Each says what is missing."""
    source = """
        import pytest

        def test_unmarked(faulty_llm):
            pass
    """
    result = run(project, source)
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*faulty_llm needs a marker*"])
    result = run(
        project,
        source.replace(
            "def test_unmarked(faulty_llm)", "@pytest.mark.llm_faults('net.fin')\n        def test_it()"
        ),
    )
    assert result.ret != 0
    result.stdout.fnmatch_lines(["*llm_faults needs `faulty_llm` or `simulate`*"])


def test_a_long_run_is_shown_by_its_end(project: pytest.Pytester) -> None:
    """The last thirty events are shown, and how many there were before."""
    source = """
        from streamd.testing import Scenario, assert_survived

        async def talkative(world):
            for _ in range(40):
                world.said("x")
            world.finished()

        def test_it(simulate):
            assert_survived(simulate(talkative))
    """
    result = run(project, source)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*... 11 before", "*said 'x'"])


def test_the_marker_is_documented(project: pytest.Pytester) -> None:
    """`pytest --markers` tells what it takes."""
    result = run(project, "def test_nothing(): pass", "--markers")
    result.stdout.fnmatch_lines(["@pytest.mark.llm_faults(*seeds=1, wires=None*"])


def test_what_the_tutorial_tests_is_tested(project: pytest.Pytester) -> None:
    """Its application on asyncio survives what it is struck with there, copied as it stands."""
    page = (Path(__file__).parents[2] / "docs" / "testing.md").read_text(encoding="utf-8")
    (block,) = (code for code in re.findall(r"```python\n(.*?)```", page, re.DOTALL) if "faulty_llm" in code)
    result = run(project, block, "-k", "seed0 or cut")
    outcomes = result.parseoutcomes()
    assert outcomes["passed"] > 20
    assert set(outcomes) == {"passed", "deselected"}


@pytest.mark.parametrize(
    "marker", ["", "3", "'net.fin', seeds=0", "'net.fin', scenario='hello'", "'net.nope'"]
)
def test_a_marker_that_says_nothing_is_an_error(project: pytest.Pytester, marker: str) -> None:
    """No test that is skipped or run otherwise."""
    source = f"""
        import pytest

        @pytest.mark.llm_faults({marker})
        def test_app(faulty_llm):
            pass
    """
    result = run(project, source)
    assert result.ret != 0
    result.stdout.fnmatch_lines(["*UsageError: test_app.py::test_app: *"])
