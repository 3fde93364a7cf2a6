"""A real HTTP server that keeps what it was called with and answers as it is told to."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from aiohttp import web
from msgspec import Struct

Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Seen(Struct):
    """One request."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


class HookServer:
    """`answer` makes the next answers; without it, 204."""

    def __init__(self) -> None:
        self.seen: list[Seen] = []
        self.answer: Answer | None = None
        self.called = asyncio.Event()
        self.url = ""

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[HookServer]:
        """Listen while the block runs."""
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self._take)
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        host, port = runner.addresses[0][:2]
        self.url = f"http://{host}:{port}"
        try:
            yield self
        finally:
            await runner.cleanup()

    def answers(self, status: int, **headers: str) -> None:
        """Answer with this status from now on."""

        async def answer(_request: web.Request) -> web.StreamResponse:
            return web.Response(status=status, headers=headers)

        self.answer = answer

    async def _take(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        self.seen.append(Seen(request.method, request.path_qs, dict(request.headers), body))
        self.called.set()
        if self.answer is not None:
            return await self.answer(request)
        return web.Response(status=204)
