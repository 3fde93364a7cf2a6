"""Ids of commands that have their result, kept so that a repeated one is known: 16 bytes each.

Workers that recover say commands again, and the topic keeps them 14 days; so long an id must be
remembered. A dict would take 100 bytes an id, a day of a big installation has millions.
"""

from __future__ import annotations

from streams.delivery.policy import DAY_MS

ID_BYTES = 16


class Done:
    """A set of 16-byte ids by the day they were finished; a day is forgotten as a whole."""

    __slots__ = ("_count", "_days")

    def __init__(self) -> None:
        self._days: dict[int, dict[int, bytearray]] = {}
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def __contains__(self, key: bytes) -> bool:
        bucket = _bucket(key)
        return any(_holds(day.get(bucket), key) for day in self._days.values())

    def add(self, key: bytes, at_ms: int) -> None:
        """Remember an id that was finished at `at_ms`; it must not be in yet."""
        self._days.setdefault(at_ms // DAY_MS, {}).setdefault(_bucket(key), bytearray()).extend(key)
        self._count += 1

    def discard(self, key: bytes) -> None:
        """Forget one id, if it is there."""
        for day in self._days.values():
            ids = day.get(_bucket(key))
            at = _position(ids, key)
            if ids is not None and at >= 0:
                del ids[at : at + ID_BYTES]
                self._count -= 1
                return

    def day_of(self, key: bytes) -> int:
        """The day of an id that is in: days since 1970."""
        return next(day for day, ids in self._days.items() if _holds(ids.get(_bucket(key)), key))

    def forget_before(self, at_ms: int) -> list[bytes]:
        """Forget all days that ended at or before `at_ms`, and give their ids."""
        gone: list[bytes] = []
        for day in sorted(day for day in self._days if (day + 1) * DAY_MS <= at_ms):
            for ids in self._days.pop(day).values():
                gone += (bytes(ids[at : at + ID_BYTES]) for at in range(0, len(ids), ID_BYTES))
        self._count -= len(gone)
        return gone


def _bucket(key: bytes) -> int:
    """Ids are hashes: 12 of their bits spread them over buckets that `find` passes in no time."""
    return (key[0] << 4) | (key[1] >> 4)


def _position(ids: bytearray | None, key: bytes) -> int:
    at = -1 if ids is None else ids.find(key)
    while ids is not None and at >= 0 and at % ID_BYTES:
        at = ids.find(key, at + 1)
    return at


def _holds(ids: bytearray | None, key: bytes) -> bool:
    return _position(ids, key) >= 0
