"""The client of a session that was given none."""

from typing import Any, Self, final

import httpx

from ._http_transport import HTTPTransport

__all__ = ["OwnClient"]


@final
class OwnClient:
    """What a session needs of `httpx.AsyncClient`, without what it does not: cookies, redirects, proxies, hooks.

    Leaving its block closes its connections.
    """

    __slots__ = ("_transport",)

    def __init__(self) -> None:
        self._transport = HTTPTransport()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self._transport.aclose()

    def build_request(
        self, method: str, url: str, *, headers: Any = None, content: Any = None, extensions: Any = None
    ) -> httpx.Request:
        """Make a request, with no more headers than these and those that HTTP itself needs."""
        return httpx.Request(method, url, headers=headers, content=content, extensions=extensions)

    async def send(
        self, request: httpx.Request, *, stream: bool = True, follow_redirects: bool = False
    ) -> httpx.Response:
        """Send it, and return when the response's head came. The body is not read, and no redirect followed."""
        return await self._transport.handle_async_request(request)
