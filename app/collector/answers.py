"""What the collector says: JSON with a status, open to scripts of any origin."""

from __future__ import annotations

from typing import Any

import orjson

from app.collector.body import Send
from app.collector.refusals import BadInput, Unavailable

Header = tuple[bytes, bytes]

# Pages of any site may post here: a write key is no secret, and no cookie is ever looked at.
_ANY_ORIGIN: Header = (b"access-control-allow-origin", b"*")
_JSON: tuple[Header, ...] = ((b"content-type", b"application/json"), _ANY_ORIGIN)
NO_STORE: Header = (b"cache-control", b"no-store")
_PREFLIGHT: tuple[Header, ...] = (
    _ANY_ORIGIN,
    (b"access-control-allow-methods", b"GET, POST, OPTIONS"),
    (b"access-control-allow-headers", b"authorization, content-type, anonymousid, x-retry-count"),
    (b"access-control-max-age", b"86400"),
    (b"content-length", b"0"),
)
_SUCCESS = b'{"success":true}'
_SUCCESS_HEADERS = [*_JSON, (b"content-length", b"%d" % len(_SUCCESS))]


async def send_success(send: Send) -> None:
    """200: everything is in the log."""
    await send({"type": "http.response.start", "status": 200, "headers": _SUCCESS_HEADERS})
    await send({"type": "http.response.body", "body": _SUCCESS})


async def send_json(send: Send, status: int, content: Any, *headers: Header) -> None:
    """A JSON answer."""
    await send_bytes(send, status, orjson.dumps(content), *_JSON, *headers)


async def send_bytes(send: Send, status: int, body: bytes, *headers: Header) -> None:
    """Any answer."""
    length = (b"content-length", b"%d" % len(body))
    await send({"type": "http.response.start", "status": status, "headers": [*headers, length]})
    await send({"type": "http.response.body", "body": body})


async def send_refusal(send: Send, refusal: BadInput) -> None:
    """4xx: the answer names the field."""
    # Not Basic: browsers would ask their user for a password.
    ask = ((b"www-authenticate", b'Bearer realm="write key"'),) if refusal.status == 401 else ()
    await send_json(send, refusal.status, refusal.answer(), *ask)


async def send_unavailable(send: Send, error: Unavailable) -> None:
    """503: come again."""
    answer = {"success": False, "reason": "unavailable", "message": error.reason}
    again = (b"retry-after", b"%d" % error.after_seconds)
    await send_json(send, 503, answer, again)


async def send_preflight(send: Send) -> None:
    """The answer to a browser that asks whether it may post."""
    await send({"type": "http.response.start", "status": 204, "headers": list(_PREFLIGHT)})
    await send({"type": "http.response.body", "body": b""})
