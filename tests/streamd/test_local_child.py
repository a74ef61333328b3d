"""The server's own process: what it is told, what it tells, and the two watches that end it."""

import importlib
import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from types import SimpleNamespace

import pytest
import trio

from streamd import _local_child

GUARDED = """
import sys, time
sys.path.append({folder!r})
import _local_child
_local_child.sys = type("sys", (), {{"platform": {platform!r}}})
_local_child.guard(0)
print("guarded", flush=True)
{then}
"""

SLEEP = "time.sleep(60)"
# A match that takes ages lets no other thread of Python run.
HOLD_THE_INTERPRETER = "import re; re.match('(a+)+$', 'a' * 60 + 'b')"

WATCHES = [("other", SLEEP, -signal.SIGKILL)]
if sys.platform == "linux":
    WATCHES += [("linux", SLEEP, -signal.SIGIO), ("linux", HOLD_THE_INTERPRETER, -signal.SIGIO)]


@pytest.mark.parametrize(("platform", "then", "status"), WATCHES)
def test_the_end_of_the_lifeline_ends_the_process(platform: str, then: str, status: int) -> None:
    """A thread sees it, and on Linux the kernel, even while native code holds the interpreter to load a model."""
    folder = str(Path(_local_child.__file__).parent)
    script = GUARDED.format(folder=folder, platform=platform, then=then)
    with subprocess.Popen(
        [sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stdout.readline() == b"guarded\n"
        process.stdin.close()
        try:
            assert process.wait(10) == status
        finally:
            process.kill()


async def test_a_new_parent_ends_the_process() -> None:
    """A lifeline that some other process holds open does not keep it: the parent's id is watched too."""
    reader, writer = os.pipe()
    try:
        with trio.fail_after(10):
            ended = threading.Event()
            await trio.to_thread.run_sync(_local_child.watch, reader, -1, ended.set)
            assert ended.is_set()
    finally:
        os.close(reader)
        os.close(writer)


async def test_the_watch_reads_over_what_is_written() -> None:
    """Only the end of file ends it."""
    reader, writer = os.pipe()
    os.write(writer, b"noise")
    os.close(writer)
    ended = threading.Event()
    await trio.to_thread.run_sync(_local_child.watch, reader, os.getppid(), ended.set)
    os.close(reader)
    assert ended.is_set()


def test_what_is_ended_is_the_group(monkeypatch: pytest.MonkeyPatch) -> None:
    """By default the whole group is killed, at once."""
    killed: list[tuple[int, int]] = []
    told = threading.Event()

    def kill(group: int, number: int) -> None:
        killed.append((group, number))
        told.set()

    monkeypatch.setattr("os.killpg", kill)
    monkeypatch.setattr(_local_child, "sys", SimpleNamespace(platform="other"))
    reader, writer = os.pipe()
    _local_child.guard(reader)
    os.close(writer)
    assert told.wait(10)
    os.close(reader)
    assert killed == [(os.getpgrp(), signal.SIGKILL)]


def test_a_server_that_does_not_start_is_a_status(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What the native code says goes to standard error, without a traceback, and the status is 1."""

    def fail(settings: object) -> None:
        raise RuntimeError("no such weights")

    monkeypatch.setattr(_local_child, "guard", lambda lifeline: None)
    monkeypatch.setattr(_local_child, "start", fail)
    monkeypatch.setattr("sys.stdin", SimpleNamespace(fileno=lambda: 0))
    assert _local_child.main(["{}"]) == 1
    assert capsys.readouterr().err == "no such weights\n"


def test_a_server_that_starts_tells_its_address(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """The address stands in a line of its own; then the process only waits for the signal that ends it."""
    seen: list[object] = []

    def start(settings: object) -> object:
        seen.append(settings)
        return SimpleNamespace(listening_address="http://127.0.0.1:1234")

    monkeypatch.setattr(_local_child, "guard", seen.append)
    monkeypatch.setattr(_local_child, "start", start)
    monkeypatch.setattr("sys.stdin", SimpleNamespace(fileno=lambda: 5))
    monkeypatch.setattr("signal.pause", lambda: (_ for _ in ()).throw(InterruptedError))
    with pytest.raises(InterruptedError):
        _local_child.main([json.dumps({"port": 0})])
    assert seen == [5, {"port": 0}]
    assert capfd.readouterr().err.splitlines() == ["", "streamd: listening on http://127.0.0.1:1234"]


def test_the_settings_reach_the_native_server(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every setting is one that the real parameters have, and the server gets them."""
    xllamacpp = importlib.import_module("xllamacpp")
    monkeypatch.setattr(xllamacpp, "Server", lambda params: params)
    params = _local_child.start({"model": "/a.gguf", "name": "a", "port": 99, "context": 1024, "parallel": 3})
    assert (params.model.path, params.port, params.n_ctx, params.n_parallel) == ("/a.gguf", 99, 1024, 3)
    assert params.model_alias == {"a"}
    assert 1 <= params.cpuparams.n_threads <= 8
    assert params.hostnames == ["127.0.0.1"]
