"""Reads the body of a request, with every bound that a stranger could try.

Gzip is recognised by its first two bytes: browsers send it without a header, and some clients
with a wrong one (research: posthog-js, rudder-sdk-node).
"""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from app.collector.refusals import BadInput, Unavailable

Message = MutableMapping[str, Any]
Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

BODY_BYTES_MAX = 500_000  # a batch, unpacked (interfaces: 500 kB)
EVENT_BYTES_MAX = 32_000  # one event (interfaces: 32 kB)
HALF_READ_BYTES_MAX = 64 * 1024 * 1024  # of all requests together
# As it comes over the wire: gzip makes what it cannot pack a little longer.
_WIRE_BYTES_MAX = BODY_BYTES_MAX + 4_096
_SECONDS_MAX = 30.0
_GZIP = b"\x1f\x8b"
_BOM = b"\xef\xbb\xbf"


class Gone(Exception):
    """The client closed the connection before its request was complete."""


class BodyReader:
    """Reads bodies, for many requests at once; what is half read is bounded in bytes.

    A body that comes whole (up to about 64 kB, uvicorn's portion) is not counted.
    """

    def __init__(self, half_read_bytes_max: int = HALF_READ_BYTES_MAX) -> None:
        self._half_read = 0
        self._most = half_read_bytes_max

    async def read(self, receive: Receive) -> bytes:
        """The body, unpacked, at most `BODY_BYTES_MAX` bytes.

        Raises `BadInput` (413 too large, 408 too slow, 400 broken gzip), `Unavailable` when too
        much is half read, and `Gone`.
        """
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Gone
        body: bytes = message.get("body", b"")
        if message.get("more_body", False):
            body = await self._rest(body, receive)
        if len(body) > _WIRE_BYTES_MAX:
            raise too_large("body", BODY_BYTES_MAX)
        if body.startswith(_GZIP):
            body = _unpacked(body)
        if len(body) > BODY_BYTES_MAX:
            raise too_large("body", BODY_BYTES_MAX)
        return body.removeprefix(_BOM)

    async def _rest(self, first: bytes, receive: Receive) -> bytes:
        """All parts of a body, as far as the bound; uvicorn drops what a client still sends."""
        parts, size = [first], len(first)
        self._half_read += size
        try:
            async with asyncio.timeout(_SECONDS_MAX):
                while True:
                    if self._half_read > self._most:
                        raise Unavailable("too many large bodies at once", 2)
                    message = await receive()
                    if message["type"] == "http.disconnect":
                        raise Gone
                    parts.append(message.get("body", b""))
                    size += len(parts[-1])
                    self._half_read += len(parts[-1])
                    if size > _WIRE_BYTES_MAX or not message.get("more_body", False):
                        return b"".join(parts)
        except TimeoutError:
            raise BadInput(
                "too_slow", "body", f"did not arrive within {_SECONDS_MAX:.0f} seconds", 408
            ) from None
        finally:
            self._half_read -= size


def too_large(field: str, most: int) -> BadInput:
    """The refusal of something longer than `most` bytes."""
    return BadInput("too_large", field, f"is larger than {most} bytes: send less at once", 413)


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
