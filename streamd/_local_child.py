"""The process of a local model: a native HTTP server that never outlives the process that started it.

Run by its path, with one JSON object as its argument: `model` (the GGUF file's path), `name` (what the server calls
it), `port` (0 for any free one), `context` (tokens), `parallel` (requests at a time). Standard input is the lifeline:
its end of file means that the parent is gone. When the server answers, a line `LISTENING` followed by its address is
written to standard error.

Nothing of the library is imported here: the process holds the model and little else.
"""

import fcntl
import importlib
import json
import os
import select
import signal
import sys
import threading
from collections.abc import Callable, Sequence
from typing import Any

LISTENING = "streamd: listening on "
POLL = 1.0
WARNINGS = 2
MAX_THREADS = 8


def end_group() -> None:
    """Kill this process and its group, at once."""
    os.killpg(os.getpgrp(), signal.SIGKILL)


def guard(lifeline: int, end: Callable[[], None] = end_group) -> None:
    """Have this process's group killed once the other end of the pipe `lifeline` is closed.

    Two watches keep it. On Linux the kernel signals the group itself (`SIGIO`, whose default is to end a process), as
    no thread of Python runs while the native code holds the interpreter to load a model. Elsewhere, and where the pipe
    was closed before, a thread sees it.
    """
    if sys.platform == "linux":
        fcntl.fcntl(lifeline, fcntl.F_SETOWN, -os.getpgrp())
        fcntl.fcntl(lifeline, fcntl.F_SETFL, fcntl.fcntl(lifeline, fcntl.F_GETFL) | os.O_ASYNC)
    threading.Thread(target=watch, args=(lifeline, os.getppid(), end), daemon=True).start()


def watch(lifeline: int, parent: int, end: Callable[[], None]) -> None:
    """Wait until `lifeline` is closed at its other end or `parent` is this process's parent no more; then `end()`.

    The parent's id is looked at too, each second: a process that the parent forked holds the pipe's other end as well.
    """
    while os.getppid() == parent:
        readable, _, _ = select.select([lifeline], [], [], POLL)
        if readable and not os.read(lifeline, 4096):
            break
    end()


def threads() -> int:
    """How many threads compute: one less than the processors this process may use; at least 1, at most 8.

    They wait for each other hundreds of times a token, so that one which must share its processor slows them all:
    two on two busy processors were measured eight times slower than one.
    """
    usable = len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1
    return min(max(usable - 1, 1), MAX_THREADS)


def start(settings: dict[str, Any]) -> Any:
    """Start the native server; returns it when it listens. Raises `RuntimeError` where it does not start."""
    xllamacpp = importlib.import_module("xllamacpp")
    params = xllamacpp.CommonParams()
    params.model.path = settings["model"]
    params.model_alias = {settings["name"]}
    params.port = settings["port"]
    params.n_ctx = settings["context"]
    params.n_parallel = settings["parallel"]
    # One context shared by the parallel requests, rather than cut in equal parts.
    params.kv_unified = True
    params.cpuparams.n_threads = threads()
    # What a request may ask otherwise. Small models repeat themselves without end where nothing bounds them.
    params.n_predict = 1024
    params.sampling.temp = 0.2
    params.sampling.top_p = 0.9
    params.sampling.penalty_repeat = 1.1
    params.cache_ram_mib = 0
    params.cache_idle_slots = False
    params.verbosity = WARNINGS
    params.ui = False
    params.endpoint_slots = False
    # No web page may ask it from the user's browser.
    params.cors_origins = "localhost"
    return xllamacpp.Server(params)


def main(arguments: Sequence[str]) -> int:
    """Guard this process, start the server, tell its address, and sleep until a signal ends it all."""
    guard(sys.stdin.fileno())
    try:
        server = start(json.loads(arguments[0]))
    except RuntimeError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    os.write(2, f"\n{LISTENING}{server.listening_address}\n".encode())
    while True:
        signal.pause()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
