"""Who may post: the write keys of DRIPLINE_WRITE_KEYS.

A key comes as the user name of Basic auth, as a Bearer token, or as `writeKey` in the body; where
a header names one, it decides. Keys are compared as hashes, so that the time an answer takes tells
nothing about them.
"""

from __future__ import annotations

import binascii
from collections.abc import Iterable
from hashlib import blake2b

from app.collector.refusals import BadInput

Headers = Iterable[tuple[bytes, bytes]]

_KEY_BYTES_MAX = 256


class WriteKeys:
    """The known keys."""

    def __init__(self, keys: Iterable[str]) -> None:
        self._known = frozenset(_digest(key.encode()) for key in keys if key)

    def __contains__(self, key: str) -> bool:
        return _digest(key.encode(errors="replace")) in self._known

    def in_headers(self, headers: Headers) -> bool:
        """Whether the headers name a known key; False when they name none.

        Raises `BadInput` (401) for a key that is not known.
        """
        for name, value in headers:
            if name == b"authorization":
                key = _named(value)
                if key is None or _digest(key) not in self._known:
                    raise unknown_key("Authorization")
                return True
        return False

    def check(self, key: str | None) -> None:
        """Raise `BadInput` (401) unless `key`, that of the body, is known."""
        if key is None or key not in self:
            raise unknown_key("writeKey")


def unknown_key(field: str) -> BadInput:
    """The refusal of a request without a key, or with one that is not known."""
    return BadInput(
        "unknown_write_key",
        field,
        "names no known write key: give one by Basic auth, `Bearer` or `writeKey` in the body",
        401,
    )


def _digest(key: bytes) -> bytes:
    return blake2b(key[:_KEY_BYTES_MAX], digest_size=32).digest()


def _named(value: bytes) -> bytes | None:
    """The key that an Authorization header names; None when it is of neither kind."""
    kind, _, rest = value.strip().partition(b" ")
    rest = rest.strip()
    if kind.lower() == b"bearer":
        return rest
    if kind.lower() != b"basic":
        return None
    try:
        return binascii.a2b_base64(rest).partition(b":")[0]
    except binascii.Error:
        return None
