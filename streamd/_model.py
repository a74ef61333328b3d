"""Which provider a model is asked of; the local model's own server included."""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import PurePath

from streamd.providers import ModelSpec, Provider, resolve_model

from ._ambient import is_offline
from ._local_model import DEFAULT_MODEL, Progress
from ._local_server import LocalServer, open_local_server

__all__ = ["served_file", "serving"]


def served_file(model: ModelSpec) -> str | None:
    """The file of a model that gets a server of its own, empty for the built-in one; None for any other model."""
    match model:
        case str() if re.match(r"local(?=[:/]|$)", model):
            return model[len("local:") :]
        case ("local", str(file)):
            return file
        case _:
            return None


@asynccontextmanager
async def serving(
    model: ModelSpec, *, progress: Progress | None = None
) -> AsyncGenerator[tuple[Provider, str], None]:
    """The provider of a model and the model's name there, for as long as the block runs.

    `"local"`, `"local:/path/to/a.gguf"` and `("local", "/path/to/a.gguf")` start a server of their own, and stop it
    on exit, unless sessions are only played; any other model is looked up, and that is all. `progress` is called with
    the bytes come and the bytes expected while the built-in model is fetched.
    """
    file = served_file(model)
    if file is None:
        yield resolve_model(model)
        return
    if is_offline():
        unstarted = LocalServer(PurePath(file or DEFAULT_MODEL.member).stem)
        yield unstarted.provider, unstarted.model
        return
    async with open_local_server(file or None, progress=progress) as server:
        yield server.provider, server.model
