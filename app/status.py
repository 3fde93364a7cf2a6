"""`/healthz`, `/readyz` and `/metrics` of roles without a web server: a tiny one on asyncio.

Worker and delivery have one event loop that must not be held up; uvicorn would bring its own
signal handlers and threads for three fixed answers.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable

from app import metrics

HEAD_BYTES_MAX = 8_192
PATIENCE_SECONDS = 5.0
TEXT = "text/plain; charset=utf-8"
Answer = tuple[int, str, bytes]


class StatusServer:
    """Listens while the block is open. `ready` gives None, or why the role cannot do its job."""

    def __init__(self, host: str, port: int, ready: Callable[[], str | None]) -> None:
        self._host = host
        self._port = port
        self._ready = ready
        self._server: asyncio.Server | None = None

    @property
    def port(self) -> int:
        """The port it listens on; with port 0 the system's choice."""
        assert self._server is not None
        return int(self._server.sockets[0].getsockname()[1])

    async def start(self) -> None:
        """Listen."""
        self._server = await asyncio.start_server(
            self._serve, self._host, self._port, limit=HEAD_BYTES_MAX
        )

    async def stop(self) -> None:
        """Listen no more."""
        if self._server is not None:
            self._server.close()
            await self._server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                head = await reader.readuntil(b"\r\n\r\n")
                status, kind, body = self._answer(head.split(b"\r\n", 1)[0].split())
                writer.write(
                    b"HTTP/1.1 %d %s\r\nContent-Type: %s\r\nContent-Length: %d\r\n"
                    b"Connection: close\r\n\r\n"
                    % (status, _REASONS[status], kind.encode(), len(body))
                    + body
                )
                await writer.drain()
        except (TimeoutError, ConnectionError, asyncio.IncompleteReadError, ValueError):
            pass  # whoever asked has gone, or does not speak HTTP
        finally:
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()

    def _answer(self, request: list[bytes]) -> Answer:
        if len(request) != 3 or request[0] not in (b"GET", b"HEAD"):
            return 405, TEXT, b"only GET is answered\n"
        match request[1].partition(b"?")[0]:
            case b"/healthz":
                return 200, TEXT, b"ok\n"
            case b"/readyz":
                reason = self._ready()
                return (200, TEXT, b"ok\n") if reason is None else (503, TEXT, _line(reason))
            case b"/metrics":
                return 200, metrics.CONTENT_TYPE, metrics.exposition()
        return 404, TEXT, b"there are /healthz, /readyz and /metrics\n"


def _line(text: str) -> bytes:
    return text.encode() + b"\n"


_REASONS = {
    200: b"OK",
    404: b"Not Found",
    405: b"Method Not Allowed",
    503: b"Service Unavailable",
}
