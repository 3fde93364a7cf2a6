"""Reads the body of a request, with every bound that a stranger could try.

Gzip is recognised by its first two bytes: browsers send it without a header, and some clients
with a wrong one (research: posthog-js, rudder-sdk-node).
"""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from app.collector.refusals import BadInput

Message = MutableMapping[str, Any]
Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

BODY_BYTES_MAX = 500_000  # a batch, unpacked (interfaces: 500 kB)
EVENT_BYTES_MAX = 32_000  # one event (interfaces: 32 kB)
# As it comes over the wire: gzip makes what it cannot pack a little longer.
_WIRE_BYTES_MAX = BODY_BYTES_MAX + 4_096
_SECONDS_MAX = 30.0
_GZIP = b"\x1f\x8b"
_BOM = b"\xef\xbb\xbf"


class Gone(Exception):
    """The client closed the connection before its request was complete."""


async def read_body(receive: Receive) -> bytes:
    """The body, unpacked, at most `BODY_BYTES_MAX` bytes.

    Raises `BadInput` (413 too large, 408 too slow, 400 broken gzip) and `Gone`.
    """
    message = await receive()
    if message["type"] == "http.disconnect":
        raise Gone
    body: bytes = message.get("body", b"")
    if message.get("more_body", False):
        body = await _rest(body, receive)
    if len(body) > _WIRE_BYTES_MAX:
        raise too_large("body", BODY_BYTES_MAX)
    if body.startswith(_GZIP):
        body = _unpacked(body)
    if len(body) > BODY_BYTES_MAX:
        raise too_large("body", BODY_BYTES_MAX)
    return body.removeprefix(_BOM)


def too_large(field: str, most: int) -> BadInput:
    """The refusal of something longer than `most` bytes."""
    return BadInput("too_large", field, f"is larger than {most} bytes: send less at once", 413)


async def _rest(first: bytes, receive: Receive) -> bytes:
    """All parts of a body, as far as the bound; uvicorn drops what a client still sends then."""
    parts, size = [first], len(first)
    try:
        async with asyncio.timeout(_SECONDS_MAX):
            while True:
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise Gone
                parts.append(message.get("body", b""))
                size += len(parts[-1])
                if size > _WIRE_BYTES_MAX or not message.get("more_body", False):
                    return b"".join(parts)
    except TimeoutError:
        raise BadInput(
            "too_slow", "body", f"did not arrive within {_SECONDS_MAX:.0f} seconds", 408
        ) from None


def _unpacked(body: bytes) -> bytes:
    """One gzip member, never more than one byte beyond the bound."""
    unpacker = zlib.decompressobj(wbits=31)
    try:
        data = unpacker.decompress(body, BODY_BYTES_MAX + 1)
    except zlib.error as error:
        raise BadInput("bad_gzip", "body", f"is not valid gzip ({error})") from None
    if len(data) <= BODY_BYTES_MAX and not unpacker.eof:
        raise BadInput("bad_gzip", "body", "is gzip that ends too early")
    if unpacker.unused_data:
        raise BadInput("bad_gzip", "body", "has bytes behind its gzip member")
    return data
