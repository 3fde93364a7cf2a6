"""A stand-in for the CRM of the examples: takes webhooks on a path of `up`'s own port."""

from __future__ import annotations

from collections import deque

from msgspec import Struct

from app.http import App, Receive, Scope, Send

PATH = "/demo/crm"
KEPT = 200
BODY_BYTES_MAX = 256 * 1024


class Call(Struct, frozen=True):
    """One webhook: the id that Standard Webhooks gives it, and its body."""

    id: str
    body: bytes


class Catcher:
    """`total` counts what came; the newest `KEPT` are in `calls`."""

    def __init__(self) -> None:
        self.total = 0
        self.calls: deque[Call] = deque(maxlen=KEPT)

    def before(self, app: App) -> App:
        """An application that takes the webhooks and leaves everything else to `app`."""

        async def caught(scope: Scope, receive: Receive, send: Send) -> None:
            if scope.get("path") != PATH or scope.get("method") != "POST":
                await app(scope, receive, send)
                return
            body = await _body(receive)
            headers = dict(scope["headers"])
            self.total += 1
            self.calls.append(Call(headers.get(b"webhook-id", b"").decode(errors="replace"), body))
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": b""})

        return caught


async def _body(receive: Receive) -> bytes:
    parts = bytearray()
    while len(parts) < BODY_BYTES_MAX:
        message = await receive()
        parts += message.get("body", b"")
        if not message.get("more_body"):
            break
    return bytes(parts)
