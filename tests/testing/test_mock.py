"""`streamd mock`: a scenario from a file, played to any client until Ctrl-C."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from streamd.__main__ import main
from streamd.errors import ConfigError
from streamd.testing import HELLO, ONE_TOOL, WIRES, Scenario, load_scenario, serve_in_thread
from streamd.testing._scenario_file import scenario_of

RAIN = """
prompt = "Will it rain in Oslo?"

[[turns]]
thinking = "Where?"
signature = "c2lnbmVk"
text = ["Let me ", "look."]
calls = [{ name = "weather", arguments = { city = "Oslo" }, pieces = 3, result = "rain" }]
usage = { input = 20, output = 12 }

[[turns]]
text = "It rains."
stop = "length"
"""
ASK = {"stream": True, "messages": [{"role": "user", "content": "Hi"}]}


def test_a_scenario_is_read_from_a_file(tmp_path: Path) -> None:
    """It is the one that the builder makes of the same."""
    (tmp_path / "rain.toml").write_text(RAIN, "utf-8")
    built = (
        Scenario()
        .ask("Will it rain in Oslo?")
        .thinking("Where?", signature="c2lnbmVk")
        .text("Let me ", "look.")
        .call("weather", {"city": "Oslo"}, pieces=3, result="rain")
        .usage(20, 12)
        .then()
        .text("It rains.")
        .stop("length")
    )
    assert load_scenario(tmp_path / "rain.toml") == built
    assert scenario_of(str(tmp_path / "rain.toml")) == built
    assert scenario_of("hello") is HELLO


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("turns = 1", r"Expected `array`.*\$\.turns"),
        ("turns = []", "has no turn"),
        ("prompt =", "Invalid value"),
        ("[[turns]]\ntxt = 'a'", "unknown field `txt`"),
        ("[[turns]]\nstop = 'bored'", "Invalid enum value"),
        ("[[turns]]\ncalls = [{ arguments = {} }]", "missing required field `name`"),
    ],
)
def test_a_file_that_is_no_scenario_is_refused(tmp_path: Path, text: str, says: str) -> None:
    """The message has the file's name, and what is wrong in it."""
    path = tmp_path / "bad.toml"
    path.write_text(text, "utf-8")
    with pytest.raises(ConfigError, match=rf"bad\.toml.*{says}"):
        load_scenario(path)


def test_a_scenario_that_is_nowhere_is_refused() -> None:
    """The message names those that have a name."""
    with pytest.raises(ConfigError, match="one_tool"):
        scenario_of("nowhere")
    with pytest.raises(ConfigError, match=r"nowhere\.toml"):
        load_scenario("nowhere.toml")


@contextmanager
def mocking(*arguments: str) -> Iterator[tuple[subprocess.Popen[str], str, list[str]]]:
    """The command in a process of its own: its process, its URL, and the lines before the first request."""
    command = [sys.executable, "-m", "streamd", "mock", *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            first = process.stdout.readline()
            shown = [process.stdout.readline() for _ in range(1 if "--wire" in arguments else len(WIRES))]
            yield process, first.split()[2], shown
        finally:
            process.kill()


def test_it_plays_until_a_ctrl_c(tmp_path: Path) -> None:
    """It prints its address, an example for each wire, and a line for each request; Ctrl-C ends it, with 0."""
    (tmp_path / "rain.toml").write_text(RAIN, "utf-8")
    scenario = str(tmp_path / "rain.toml")
    with mocking("--scenario", scenario, "--fault", "net.fin@byte:50% if request:2") as (process, url, shown):
        assert [line.split()[0] for line in shown] == list(WIRES)
        assert all(f"curl -sN '{url}/" in line for line in shown)
        assert "It rains." not in httpx.post(f"{url}/v1/messages", json=ASK).text
        with pytest.raises(httpx.RemoteProtocolError):
            httpx.post(f"{url}/api/chat?key=secret", json=ASK)
        assert httpx.get(url).status_code == 404
        process.send_signal(signal.SIGINT)
        out, err = process.communicate()
        assert process.returncode == 0
        assert out.splitlines() == [
            "POST /v1/messages  anthropic-messages, turn 1: no fault",
            "POST /api/chat  ollama-chat, turn 1: net.fin@byte:50% if request:2",
            "GET /  refused with 404",
        ]
        assert err == ""


def test_it_lets_a_response_in_the_background_be_read_on() -> None:
    """Where its connection ends, the rest comes for a request by GET, after the last event that came."""
    with mocking("--fault", "net.fin@event:6 if request:1") as (_, url, _shown):
        ask = {"stream": True, "input": "Hi", "background": True}
        with pytest.raises(httpx.RemoteProtocolError):
            httpx.post(f"{url}/v1/responses", json=ask)
        rest = httpx.get(f"{url}/v1/responses/resp_1?stream=true&starting_after=5").text
        assert rest.startswith("event: ")
        assert '"sequence_number":5' not in rest
        assert "response.completed" in rest


def test_it_speaks_one_wire_at_a_port() -> None:
    """Where a wire is given all paths lead to it."""
    with serve_in_thread(HELLO) as free:
        port = free.url.rpartition(":")[2]
    with mocking("--port", port, "--wire", "gemini", "--seed", "3") as (_, url, shown):
        assert url == f"http://127.0.0.1:{port}"
        assert shown[0].split()[0] == "gemini"
        answer = httpx.post(f"{url}/wherever", json={})
        assert answer.headers["content-type"] == "text/event-stream"
        assert "modelVersion" in answer.text


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--scenario", "nowhere"], "'nowhere' is neither a file nor a scenario"),
        (["--host", "0.0.0.0"], "the loopback alone"),
        (["--fault", "net.refuse"], "net.refuse cannot be served"),
        (["--fault", "tool.raises"], "cannot be served"),
        (["--wire", "telex"], "there is no wire 'telex'"),
    ],
)
def test_what_makes_no_sense_is_refused(
    capsys: pytest.CaptureFixture[str], arguments: list[str], says: str
) -> None:
    """The exit code is 2, and the message says what is wrong."""
    assert main(["mock", *arguments]) == 2
    assert says in capsys.readouterr().err


@pytest.mark.parametrize("port", ["65536", "-1", "99999999", "http"])
def test_a_port_that_cannot_be_is_refused(capsys: pytest.CaptureFixture[str], port: str) -> None:
    """It is not taken for another: the exit code is 2."""
    with pytest.raises(SystemExit, match="2"):
        main(["mock", "--port", port])
    assert f"{port!r} is no port" in capsys.readouterr().err


def test_a_port_that_is_taken_is_an_error(capsys: pytest.CaptureFixture[str]) -> None:
    """The exit code is 1."""
    with serve_in_thread(ONE_TOOL) as taken:
        assert main(["mock", "--port", taken.url.rpartition(":")[2]]) == 1
    assert os.strerror(98) in capsys.readouterr().err or sys.platform != "linux"
