"""Who must not be written to: what the topic `suppressions` says, whole, in memory.

Read to its end before any command is looked at, and followed from then on. The address decides,
by an HMAC (clarifications Q5); how it is made is handed in, addresses are never kept here.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from schemas.commands import Suppression

AddressKey = Callable[[str, str], str]

_decode = msgspec.json.Decoder(Suppression | None).decode

UNREADABLE = "unsubscribed"  # an entry that we cannot read blocks: silence harms less than a mail
BOUNCED = "bounced"


class BlockedAddresses:
    """Blocked addresses of all channels. `address_key(channel, address)` gives the topic's key."""

    def __init__(self, address_key: AddressKey) -> None:
        self._address_key = address_key
        self._reasons: dict[str, str] = {}

    def __len__(self) -> int:
        return len(self._reasons)

    def heard(self, key: bytes | None, value: bytes | None) -> None:
        """Take in one record of `suppressions`, in the order of the log."""
        name = (key or b"").decode("utf-8", "replace")
        reason = _reason(value)
        if reason is None:
            self._reasons.pop(name, None)
        else:
            self._reasons[name] = reason

    def reason(self, channel: str, address: str | None, transactional: bool) -> str | None:
        """Why this address must not be written to, or None.

        A transactional message passes consent, but not that the address is bad (language,
        Outward steps).
        """
        if address is None or not self._reasons:
            return None
        reason = self._reasons.get(self._address_key(channel, address))
        if reason is None or (transactional and reason != BOUNCED):
            return None
        return reason


def _reason(value: bytes | None) -> str | None:
    if value is None:
        return None
    try:
        suppression = _decode(value)
    except msgspec.MsgspecError:
        return UNREADABLE
    return None if suppression is None else suppression.reason or UNREADABLE
