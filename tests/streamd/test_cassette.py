"""The fixture `streamd_cassette`: it records once, plays after, and says what is wrong."""

import os
from collections.abc import Iterator

import pytest

from streamd.testing._pytest_cassette import file_name
from tests.support.chat import DONE, answer, call, finish
from tests.support.cli import scripted_server
from tests.support.server import Script, Server, chunked, response

pytest_plugins = ["pytester"]

NOWHERE = "http://127.0.0.1:9"
GOOD: Script = [chunked(answer("Hel", "lo"))]
APP = """
    import os, threading
    import streamd, trio

    def model():
        return ("openai-compatible", {"base_url": os.environ["APP_URL"]}), "tiny-1"

    def ask(prompt, **options):
        return trio.run(lambda: streamd.stream(model(), prompt, retry=None, **options)).text

    async def ask_together(*prompts):
        answers = {}
        async def one(prompt):
            answers[prompt] = (await streamd.stream(model(), prompt)).text
        async with trio.open_nursery() as nursery:
            for prompt in prompts:
                nursery.start_soon(one, prompt)
        return answers
"""
ONE = """
    import app

    def test_one(streamd_cassette):
        assert app.ask("Hi") == "Hello"
"""


class Project:
    """A small application with tests of its own, which pytest runs in this process."""

    def __init__(self, pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
        self.pytester = pytester
        self.monkeypatch = monkeypatch
        pytester.makepyfile(app=APP)
        pytester.syspathinsert()
        self.cassettes = pytester.path / "cassettes" / "test_app"

    def run(self, source: str, url: str, *options: str) -> pytest.RunResult:
        """Run the tests in `source`, which find the model at this address."""
        self.monkeypatch.setenv("APP_URL", f"{url}/v1")
        self.pytester.makepyfile(test_app=source)
        return self.pytester.runpytest_inprocess("-p", "streamd", "-p", "no:cacheprovider", *options)

    def files(self) -> list[str]:
        """The cassettes there are."""
        return sorted(os.listdir(self.cassettes)) if self.cassettes.exists() else []


@pytest.fixture
def project(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Project:
    return Project(pytester, monkeypatch)


@pytest.fixture
def server() -> Iterator[Server]:
    with scripted_server(GOOD) as server:
        yield server


def test_it_records_once_and_plays_after(project: Project, server: Server) -> None:
    """The first run asks the model and keeps the session beside the test; the next needs nobody."""
    project.run(ONE, server.url).assert_outcomes(passed=1)
    assert project.files() == ["test_one.json"]
    assert len(server.requests) == 1
    project.run(ONE, NOWHERE).assert_outcomes(passed=1)
    project.run(ONE, NOWHERE, "--streamd-record=none").assert_outcomes(passed=1)
    assert len(server.requests) == 1


def test_none_fails_where_nothing_was_recorded(project: Project, server: Server) -> None:
    """In continuous integration a missing cassette is an error that names it, and nothing is sent."""
    result = project.run(ONE, server.url, "--streamd-record=none")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        ["*ConfigError: there is no recording */cassettes/test_app/test_one.json: record it *"]
    )
    assert (server.requests, project.files()) == ([], [])


def test_an_error_the_application_hides_is_told(project: Project) -> None:
    """A test whose code takes the error for something else fails all the same."""
    source = """
        import app

        def test_one(streamd_cassette):
            try:
                app.ask("Hi")
            except Exception:
                pass
    """
    result = project.run(source, NOWHERE, "--streamd-record=none")
    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(["*streamd_cassette: there is no recording *"])


def test_all_records_anew(project: Project) -> None:
    """With `all` what was recorded is replaced, and what is of no use any more goes."""
    two = ONE + '        assert app.ask("Ho") == "Hello"\n'
    with scripted_server(GOOD, GOOD, [chunked(answer("Bye"))]) as server:
        project.run(two, server.url).assert_outcomes(passed=1)
        assert project.files() == ["test_one.2.json", "test_one.json"]
        changed = ONE.replace('"Hello"', '"Bye"')
        project.run(changed, NOWHERE).assert_outcomes(failed=1)
        project.run(changed, server.url, "--streamd-record=all").assert_outcomes(passed=1)
    assert project.files() == ["test_one.json"]
    project.run(changed, NOWHERE).assert_outcomes(passed=1)


def test_a_failed_test_records_nothing(project: Project) -> None:
    """What a test that failed had recorded is dropped, and what was there stays."""
    with scripted_server([response(500, {}, b"{}")], GOOD, [response(500, {}, b"{}")]) as server:
        project.run(ONE, server.url).assert_outcomes(failed=1)
        assert project.files() == []
        project.run(ONE, server.url).assert_outcomes(passed=1)
        project.run(ONE, server.url, "--streamd-record=all").assert_outcomes(failed=1)
    assert project.files() == ["test_one.json"]
    project.run(ONE, NOWHERE).assert_outcomes(passed=1)


def test_a_changed_request_is_told(project: Project, server: Server) -> None:
    """An answer to another question is never played: the error shows what has changed."""
    project.run(ONE, server.url).assert_outcomes(passed=1)
    result = project.run(ONE.replace('"Hi"', '"Ho"'), NOWHERE)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        ["*is not as it was recorded in *: $.messages[[]0[]].content was 'Hi' and is 'Ho'; *"]
    )


def test_a_changed_tool_result_is_told(project: Project) -> None:
    """Further requests are compared too: what the application's tools answer must be the same."""
    source = """
        import app

        def add(a: int) -> int:
            return a + 1

        def test_one(streamd_cassette):
            assert app.ask("Hi", tools=[add]) == "Hello"
    """
    calls = [chunked(call("add", '{"a":1}'), finish("tool_calls"), DONE)]
    with scripted_server(calls, GOOD) as server:
        project.run(source, server.url).assert_outcomes(passed=1)
    project.run(source, NOWHERE).assert_outcomes(passed=1)
    result = project.run(source.replace("a + 1", "a + 2"), NOWHERE)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        ["*request of round 2 is not as it was recorded: $.messages[[]2[]].content was '2' and is '3'*"]
    )


def test_a_session_that_was_cancelled_at_once_is_played(project: Project, server: Server) -> None:
    """A session that asked for nothing leaves the others what was recorded of them."""
    source = """
        import app, streamd, trio

        async def leave():
            async with streamd.open_session(app.model(), "Hi") as session:
                session.cancel()

        def test_one(streamd_cassette):
            trio.run(leave)
            assert app.ask("Hi") == "Hello"
    """
    project.run(source, server.url).assert_outcomes(passed=1)
    assert project.files() == ["test_one.2.json", "test_one.json"]
    project.run(source, NOWHERE).assert_outcomes(passed=1)


def test_a_further_session_is_told(project: Project, server: Server) -> None:
    """A test that opens more sessions than it did fails, and sends nothing."""
    project.run(ONE, server.url).assert_outcomes(passed=1)
    result = project.run(ONE + '        app.ask("Hi")\n', server.url)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*all sessions recorded in * were played, and another one is opened*"])
    assert len(server.requests) == 1


def test_sessions_at_a_time_get_their_own(project: Project) -> None:
    """Of several sessions each gets what was recorded of it, in whatever order they are opened."""
    source = """
        import app, threading, trio

        def test_two(streamd_cassette):
            found = []
            run = lambda: found.append(trio.run(app.ask_together, "Hi", "Ho"))
            thread = threading.Thread(target=run)
            thread.start()
            thread.join()
            assert sorted(found[0]) == ["Hi", "Ho"]
            assert sorted(found[0].values()) == ["One", "Two"]
            assert found[0] == %s
    """
    with scripted_server([chunked(answer("One"))], [chunked(answer("Two"))]) as server:
        project.run(source % "found[0]", server.url).assert_outcomes(passed=1)
        assert len(server.requests) == 2
    assert project.files() == ["test_two.2.json", "test_two.json"]
    outcomes = [
        project.run(source % each, NOWHERE).parseoutcomes()
        for each in ({"Hi": "One", "Ho": "Two"}, {"Hi": "Two", "Ho": "One"})
    ]
    assert sorted(next(iter(each)) for each in outcomes) == ["failed", "passed"]


def test_no_key_is_needed_to_play(project: Project, server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """A provider that wants a key has one to record with; without any it is played all the same."""
    source = """
        import os, streamd, trio

        def test_one(streamd_cassette):
            model = ("groq", {"base_url": os.environ["APP_URL"]}), "tiny-1"
            assert trio.run(streamd.stream, model, "Hi").text == "Hello"
    """
    monkeypatch.setenv("GROQ_API_KEY", "sk-canary-never-shown")
    project.run(source, server.url).assert_outcomes(passed=1)
    monkeypatch.delenv("GROQ_API_KEY")
    project.run(source, NOWHERE).assert_outcomes(passed=1)
    assert "canary" not in (project.cassettes / "test_one.json").read_text("utf-8")


def test_no_local_server_is_started_to_play(
    project: Project, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was recorded of the local model is played without it."""
    source = """
        import os, streamd, trio

        def test_one(streamd_cassette):
            model = %s
            assert trio.run(streamd.stream, model, "Hi").text == "Hello"
    """
    at_server = '("local", {"base_url": os.environ["APP_URL"]}), "SmolLM2-135M-Instruct.Q4_1"'
    project.run(source % at_server, server.url).assert_outcomes(passed=1)
    monkeypatch.setattr("streamd._model.open_local_server", None)
    project.run(source % '"local"', NOWHERE).assert_outcomes(passed=1)


def test_a_cassette_that_cannot_be_written_is_told(project: Project, server: Server) -> None:
    """The test passes, and its teardown says why it will ask the model again."""
    result = project.run(
        """
        import app
        from streamd._recorder import Recorder

        def test_one(streamd_cassette, monkeypatch):
            monkeypatch.setattr(Recorder.__init__, "__kwdefaults__", {"limit": 1})
            assert app.ask("Hi") == "Hello"
        """,
        server.url,
    )
    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(
        ["*streamd_cassette: the recording * was given up: it is larger than 1 bytes*"]
    )
    assert project.files() == []
    (project.pytester.path / "cassettes" / "test_app").rmdir()
    (project.pytester.path / "cassettes").rmdir()
    (project.pytester.path / "cassettes").touch()
    project.run(ONE, server.url).assert_outcomes(passed=1, errors=1)


def test_names_of_tests_become_names_of_files() -> None:
    """A class and parameters are in the name; where a character cannot be, two tests still have two files."""
    assert file_name("tests/test_a.py::test_b") == "test_b"
    assert file_name("test_a.py::TestC::test_b[1-x]") == "TestC.test_b[1-x]"
    assert file_name("test_a.py::test_b[a/b]") != file_name("test_a.py::test_b[a:b]")
    assert len(file_name("test_a.py::test_" + "b" * 300)) < 140
