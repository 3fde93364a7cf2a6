"""The key under which an address must not be written to.

The engine's blocks and the collector's `/u` derive the same key, so that the address itself never
lies in `suppressions` (clarifications Q5).
"""

from __future__ import annotations

import hmac
from hashlib import sha256


def key(secret: bytes, channel: str, address: str) -> bytes:
    """The Kafka key: 64 hex digits. Case and space around the address do not count."""
    text = f"{channel}\x1f{address.strip().lower()}"
    return hmac.new(secret, text.encode(), sha256).hexdigest().encode()
