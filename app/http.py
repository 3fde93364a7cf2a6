"""One listening port: the collector's addresses raw, everything else to the pages.

uvicorn with httptools; it installs no signal handlers here, whoever calls `serve` decides when to
stop.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, MutableMapping
from typing import Any

import uvicorn

from schemas.errors import UsageError

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

BACKLOG = 2_048
KEEP_ALIVE_SECONDS = 65  # above the idle time-out of common load balancers (60)
FINISH_SECONDS = 10  # for requests that are under way when it stops
_COLLECTOR = ("/v1/", "/o/", "/c/", "/u/")
HEALTH_PATHS = frozenset(("/healthz", "/readyz", "/metrics"))


def combined(collector: App, web: App) -> App:
    """Both on one port."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        path = scope.get("path", "")
        if path.startswith(_COLLECTOR) or path in HEALTH_PATHS:
            await collector(scope, receive, send)
        else:
            await web(scope, receive, send)

    return app


def listen(host: str, port: int) -> socket.socket:
    """A listening socket; port 0 takes a free one. `UsageError` when it cannot be had."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=BACKLOG)
    except OSError as error:
        raise UsageError(
            f"cannot listen on {host}:{port}: {error.strerror}; choose another with --port, "
            "DRIPLINE_PORT or DRIPLINE_HOST"
        ) from None


def is_loopback(host: str) -> bool:
    """Whether an address to listen on can only be reached from this machine."""
    return host in ("localhost", "::1") or host.startswith("127.")


@contextlib.asynccontextmanager
async def serve(app: App, listener: socket.socket) -> AsyncIterator[None]:
    """Answer requests on `listener` until the block is left, then finish those under way."""
    config = uvicorn.Config(
        app,
        http="httptools",
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=FINISH_SECONDS,
    )
    server = _Server(config)
    running = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        yield  # it listens already: who comes before uvicorn is ready waits in the backlog
    finally:
        server.should_exit = True
        await running


class _Server(uvicorn.Server):
    """A server that leaves the signals to its process."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Nothing is captured."""
        yield
