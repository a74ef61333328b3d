"""Which provider a model is asked of; the local model's own server included."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from streamd.providers import ModelSpec, Provider, resolve_model

from ._local_model import Progress
from ._local_server import open_local_server

__all__ = ["serving"]

LOCAL = "local"


@asynccontextmanager
async def serving(
    model: ModelSpec, *, progress: Progress | None = None
) -> AsyncGenerator[tuple[Provider, str], None]:
    """The provider of a model and the model's name there, for as long as the block runs.

    `"local"` and `"local:/path/to/a.gguf"` start a server of their own, and stop it on exit; nothing else does
    anything but look the provider up. `progress` is called with the bytes come and the bytes expected while the
    built-in model is fetched.
    """
    if isinstance(model, str) and model.partition(":")[0] == LOCAL:
        async with open_local_server(model.partition(":")[2] or None, progress=progress) as server:
            yield resolve_model((server.provider, server.model))
    else:
        yield resolve_model(model)
