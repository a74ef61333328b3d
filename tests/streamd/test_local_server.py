"""The server's process: started, found healthy, restarted, and never left behind.

A script stands in for the server where it must misbehave; the rest is the real one, with the real model.
"""

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
import trio

from streamd._local_model import fetch_model
from streamd._local_server import Command, LocalServer, open_local_server, serve
from streamd.errors import ConfigError, ModelUnavailable
from streamd.providers import Context, Message, Options
from streamd.supervisors import ChildStartError, RestartLimitExceeded

FAKE_SERVER = """
import http.server, os, signal, sys, threading, time
port = int(sys.argv[1])

def follow():
    sys.stdin.read()
    os._exit(9)

# Tests that are killed leave no process either.
threading.Thread(target=follow, daemon=True).start()

class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    status = 200
    noise = 0
    def do_GET(self):
        if self.path == "/exit":
            for _ in range(self.noise):
                os.write(1, b"x" * 9_999 + b"\\n")
            os.write(1, b"about to end\\n")
            os._exit(3)
        self.send_response(self.status)
        self.send_header("content-length", "0")
        self.end_headers()
    def log_message(self, *parts):
        pass

def listen():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler)
    print("some words first", flush=True)
    os.write(1, f"streamd: listening on http://127.0.0.1:{server.server_port}\\n".encode())
    server.serve_forever()

{body}
"""


def fake_server(folder: Path, body: str = "listen()") -> Command:
    """The command of a script in place of the server, which runs `body`."""
    script = folder / "server.py"
    script.write_text(FAKE_SERVER.replace("{body}", body))
    return lambda port: [sys.executable, str(script), str(port)]


def alive(pid: int) -> bool:
    """Whether there is such a process, a zombie included."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


async def until(condition: Callable[[], bool]) -> None:
    """Wait for a condition, at most 10 seconds."""
    with trio.fail_after(10):
        while not condition():  # noqa: ASYNC110 - what is waited for happens in another process
            await trio.sleep(0.01)


async def get(url: str) -> int:
    """The status of a GET; 0 where no response came."""
    async with httpx.AsyncClient() as client:
        try:
            return (await client.get(url)).status_code
        except httpx.TransportError:
            return 0


async def test_a_server_runs_for_as_long_as_its_block(tmp_path: Path) -> None:
    """It answers in the block; after the block its process is gone, and was waited for."""
    async with serve(LocalServer("fake"), fake_server(tmp_path)) as server:
        assert await get(server.base_url) == 200
        assert alive(server.pid)
    assert not alive(server.pid)
    assert await get(server.base_url) == 0


async def test_a_server_that_dies_is_started_again_at_its_address(tmp_path: Path) -> None:
    """A new process takes the old one's place; the address stays."""
    async with serve(LocalServer("fake"), fake_server(tmp_path)) as server:
        url, first = server.base_url, server.pid
        os.kill(first, signal.SIGKILL)
        await until(lambda: server.pid != first)
        assert server.base_url == url
        assert await get(url) == 200
        assert not alive(first)
    assert not alive(server.pid)


async def kill_again_and_again(command: Command) -> None:
    """Make a server end until its supervisor gives up; the error's note lists every process it had."""
    pids: set[int] = set()
    try:
        async with serve(LocalServer("fake"), command) as server:
            while True:
                await until(lambda: server.pid not in pids)
                pids.add(server.pid)
                await get(f"{server.base_url}/exit")
    except ModelUnavailable as error:
        error.add_note(" ".join(map(str, pids)))
        raise


async def test_a_server_that_keeps_dying_ends_the_block(tmp_path: Path) -> None:
    """After three restarts the block is cancelled, and the error says how the process ended and what it said last."""
    with pytest.raises(
        ModelUnavailable, match=r"ended with status 3; it said:\n(.*\n)*about to end"
    ) as caught:
        await kill_again_and_again(fake_server(tmp_path))
    pids = [int(pid) for pid in caught.value.__notes__[0].split()]
    assert len(pids) == 4
    assert not any(alive(pid) for pid in pids)
    assert isinstance(caught.value.__cause__, RestartLimitExceeded)


EXITS = "print('no such instruction', end='', flush=True); os._exit(7)"
EXITS_EARLY = "print('streamd: listening on http://127.0.0.1:1', flush=True); os._exit(0)"
NOBODY_THERE = "print('streamd: listening on http://127.0.0.1:1', flush=True); time.sleep(60)"


@pytest.mark.parametrize(
    ("body", "start_timeout", "said"),
    [
        (EXITS, 60.0, r"ended with status 7; it said:\nno such instruction"),
        (EXITS_EARLY, 60.0, "ended with status 0"),
        ("os.kill(os.getpid(), 11)", 60.0, "ended with status -11"),
        ("time.sleep(60)", 0.3, "was not ready within 0.3 s"),
        (NOBODY_THERE, 1.0, "was not ready within 1 s"),
        ("Handler.status = 503; listen()", 1.0, "was not ready within 1 s"),
    ],
    ids=["exits", "exits before it is healthy", "crashes", "hangs", "is not there", "is never healthy"],
)
async def test_a_server_that_does_not_start_is_a_typed_error(
    tmp_path: Path, body: str, start_timeout: float, said: str
) -> None:
    """The block is not entered, the error tells what happened, and no process is left."""
    command = fake_server(tmp_path, body)
    with pytest.raises(ModelUnavailable, match=said):
        async with serve(LocalServer("fake"), command, start_timeout=start_timeout):
            raise AssertionError("entered")
    assert not running(str(tmp_path))


def running(text: str) -> list[str]:
    """The command lines of running processes that hold `text`."""
    lines = subprocess.run(
        ["ps", "-A", "-ww", "-o", "args="], check=True, capture_output=True, text=True
    ).stdout
    return [line for line in lines.splitlines() if text in line]


async def test_a_program_that_cannot_be_run_is_a_typed_error(tmp_path: Path) -> None:
    """A missing interpreter is no bare `OSError`."""
    with pytest.raises(ModelUnavailable, match="No such file"):
        async with serve(LocalServer("fake"), lambda port: [str(tmp_path / "none"), str(port)]):
            raise AssertionError("entered")


async def test_a_server_that_ignores_the_stop_is_killed_with_its_group(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After the grace the whole group is killed, the processes that the server started included."""
    monkeypatch.setattr("streamd._local_server.GRACE", 0.2)
    body = """
signal.signal(signal.SIGTERM, signal.SIG_IGN)
if not os.fork():
    time.sleep(60)
listen()
"""
    async with serve(LocalServer("fake"), fake_server(tmp_path, body)) as server:
        assert len(running(str(tmp_path))) == 2
        begin = trio.current_time()
    assert trio.current_time() - begin >= 0.2
    assert not alive(server.pid)
    await until(lambda: not running(str(tmp_path)))


async def test_a_cancelled_block_kills_at_once(tmp_path: Path) -> None:
    """An outer cancellation gives no grace, and is over only when the process is gone."""
    command = fake_server(tmp_path, "signal.signal(signal.SIGTERM, signal.SIG_IGN); listen()")
    with trio.move_on_after(60) as scope:
        async with serve(LocalServer("fake"), command) as server:
            scope.cancel()
            await trio.sleep_forever()
    assert scope.cancelled_caught
    assert not alive(server.pid)


async def test_a_cancelled_start_leaves_no_process(tmp_path: Path) -> None:
    """A cancellation before the server is ready kills it."""
    started = tmp_path / "started"
    command = fake_server(tmp_path, f"open({str(started)!r}, 'w').close(); time.sleep(60)")
    async with trio.open_nursery() as nursery:

        async def cancel_when_started() -> None:
            await until(started.exists)
            nursery.cancel_scope.cancel()

        nursery.start_soon(cancel_when_started)
        async with serve(LocalServer("fake"), command):
            raise AssertionError("entered")
    assert not running(str(tmp_path / "server.py"))


async def test_an_error_of_the_block_leaves_it_bare(tmp_path: Path) -> None:
    """What the user's code raises comes out as it is."""
    with pytest.raises(KeyError):
        async with serve(LocalServer("fake"), fake_server(tmp_path)) as server:
            raise KeyError("mine")
    assert not alive(server.pid)


async def test_a_supervisors_error_of_the_block_leaves_it_bare(tmp_path: Path) -> None:
    """Only the server's own supervisor is spoken for."""
    with pytest.raises(ChildStartError, match="mine"):
        async with serve(LocalServer("fake"), fake_server(tmp_path)):
            raise ChildStartError("mine")


async def test_long_output_neither_stops_the_server_nor_stays(tmp_path: Path) -> None:
    """A server may write without end, lines of any length: it is read, and only the last of it is kept."""
    command = fake_server(tmp_path, "Handler.noise = 300; listen()")
    with pytest.raises(ModelUnavailable) as caught:
        await kill_again_and_again(command)
    assert len(str(caught.value)) < 100_000
    assert "about to end" in str(caught.value)


async def test_the_extra_must_be_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the extra nothing is fetched or started."""
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ConfigError, match=r"xllamacpp: pip install 'streamd-llm\[local\]'"):
        async with open_local_server():
            raise AssertionError("entered")


async def test_a_path_that_is_no_model_starts_nothing(tmp_path: Path) -> None:
    """A bad path is found before a process is started."""
    with pytest.raises(ConfigError, match="No such file"):
        async with open_local_server(tmp_path / "none.gguf"):
            raise AssertionError("entered")


async def test_a_damaged_model_is_a_typed_error(tmp_path: Path) -> None:
    """The real server says what is wrong with a file that only begins like a model."""
    damaged = tmp_path / "damaged.gguf"
    damaged.write_bytes(b"GGUF\3\0\0\0" + bytes(2000))
    with pytest.raises(
        ModelUnavailable, match=r"model damaged ended with status 1(.*\n)+.*failed to load model"
    ):
        async with open_local_server(damaged):
            raise AssertionError("entered")


async def test_the_real_server_answers_to_three_tongues(local_server: LocalServer) -> None:
    """The model is known by its file's name, and answers in the words of three providers."""
    ask = {"model": local_server.model, "max_tokens": 4, "messages": [{"role": "user", "content": "Hi"}]}
    async with httpx.AsyncClient(base_url=local_server.base_url, timeout=60) as client:
        models = (await client.get("/v1/models")).json()
        chat = (await client.post("/v1/chat/completions", json=ask)).json()
        message = (await client.post("/v1/messages", json=ask)).json()
        response = (await client.post("/v1/responses", json={"input": "Hi", "max_output_tokens": 4})).json()
    assert local_server.model == "SmolLM2-135M-Instruct.Q4_1"
    assert [model["id"] for model in models["data"]] == [local_server.model]
    assert chat["choices"][0]["message"]["content"]
    assert message["content"][0]["text"]
    assert response["output"][0]["content"][0]["text"]


def test_the_provider_is_the_servers(local_server: LocalServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """The provider asks this server, and no key of the environment is sent to it."""
    monkeypatch.setenv("LLAMA_API_KEY", "sk-not-for-it")
    request = local_server.provider.request(Context((Message.user("Hi"),)), Options(model=local_server.model))
    assert request.url == f"{local_server.base_url}/v1/chat/completions"
    assert "authorization" not in {name.lower() for name, _ in request.headers}


async def test_a_file_of_the_users_own_is_served_by_its_name(tmp_path: Path) -> None:
    """Any path of a model file can be given."""
    link = tmp_path / "my model.gguf"
    link.symlink_to(await fetch_model())
    async with open_local_server(str(link), context=512, parallel=1) as server:
        assert server.model == "my model"
        assert await get(f"{server.base_url}/health") == 200
    assert not alive(server.pid)


PARENT = """
import json, sys, httpx, trio
from streamd._local_server import open_local_server
async def main():
    async with open_local_server() as server, httpx.AsyncClient(timeout=60) as client:
        ask = {"stream": True, "max_tokens": 4000, "messages": [{"role": "user", "content": "Tell a long story."}]}
        async with client.stream("POST", f"{server.base_url}/v1/chat/completions", json=ask) as response:
            async for _ in response.aiter_raw():
                print(server.pid, flush=True)
trio.run(main)
"""


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGABRT])
async def test_no_server_outlives_a_killed_parent(number: signal.Signals) -> None:
    """Whatever kills the parent in the middle of an answer, the server's process is gone soon after."""
    parent = await trio.lowlevel.open_process([sys.executable, "-c", PARENT], stdout=subprocess.PIPE)
    assert parent.stdout is not None
    try:
        async with parent.stdout:
            pid = int((await parent.stdout.receive_some()).split()[0])
            assert alive(pid)
            parent.send_signal(number)
            assert await parent.wait() == -number
            await until(lambda: not alive(pid))
    finally:
        parent.kill()
        with trio.CancelScope(shield=True):
            await parent.wait()
