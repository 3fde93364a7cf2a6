"""The leads of one partition: stored values by slot, and the few that are decoded.

A slot is a lead's number here, given at first sight. The stored value is the truth for a lead that
has not changed since the last flush began; `changed` names the others, their decoded lead is
the truth. Decoded leads are kept for two generations: those touched since the last flush, and
those of the flush before.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

from schemas.state import PREFIX, Lead, Prefix, decode, encode, prefix

_WATERMARK = struct.Struct(">8xq")


def watermark_of(value: bytes) -> int:
    """The offset of the last record that had an effect, from a stored value's prefix."""
    watermark: int = _WATERMARK.unpack_from(value)[0]
    return watermark


class States:
    """`slots` maps a key to its slot, `keys` the other way; `values` is b"" until first encoded.

    `changed` holds the prefix of each lead that changed since the last flush began; `again` the
    stored values to be written again, with the watermark that somebody else wrote. `stored_bytes`
    is the size of all stored values; `lookups` of decoded leads decoded anew `misses` times.
    """

    def __init__(self) -> None:
        self.slots: dict[bytes, int] = {}
        self.keys: list[bytes] = []
        self.values: list[bytes] = []
        self.changed: dict[int, Prefix] = {}
        self.again: dict[bytes, int] = {}
        self._hot: dict[int, Lead] = {}
        self._warm: dict[int, Lead] = {}
        self.stored_bytes = 0
        self.lookups = 0
        self.misses = 0

    def recovered(self, key: bytes, value: bytes | None) -> None:
        """One record of the changelog: the highest watermark wins, of equals the later.

        Where an older state lies behind a newer one, the newer is written again: in time the
        broker would compact it away.
        """
        slot = self.slots.get(key)
        if value is None:
            if slot is not None:
                del self.slots[key]
                self.stored_bytes -= len(self.values[slot])
                self.keys[slot] = self.values[slot] = b""
            return
        if slot is None:
            slot = self.slot(key)
        elif watermark_of(value) < (newer := watermark_of(self.values[slot])):
            self.again[key] = newer
            return
        self._store(slot, value)
        self.again.pop(key, None)

    def slot(self, key: bytes) -> int:
        """The slot of this key, a new one if it has none."""
        slot = self.slots.get(key)
        if slot is None:
            slot = self.slots[key] = len(self.keys)
            self.keys.append(key)
            self.values.append(b"")
        return slot

    def _store(self, slot: int, value: bytes) -> None:
        self.stored_bytes += len(value) - len(self.values[slot])
        self.values[slot] = value

    def prefix(self, slot: int) -> Prefix:
        """The prefix of the lead as it is now."""
        changed = self.changed.get(slot)
        return Prefix(*PREFIX.unpack_from(self.values[slot])) if changed is None else changed

    def due(self, slot: int) -> int:
        """The next due time of the lead as it is now."""
        return self.prefix(slot).next_due if self.keys[slot] else -1

    def lead(self, slot: int) -> Lead:
        """The decoded lead, kept hot."""
        self.lookups += 1
        lead = self._hot.get(slot)
        if lead is None:
            lead = self._warm.get(slot)
            if lead is None:
                lead = decode(self.values[slot])
                self.misses += 1
            self._hot[slot] = lead
        return lead

    def put(self, slot: int, lead: Lead, watermark: int) -> Prefix:
        """This lead changed with the record at `watermark`: it goes with the next flush."""
        self._hot[slot] = lead
        head = self.changed[slot] = prefix(lead, watermark)
        return head

    def put_back(self, slot: int, lead: Lead) -> None:
        """The decoded lead is this one after all."""
        self._hot[slot] = lead

    def copy(self, slot: int) -> bytes:
        """The lead's stored form as it is now: what an undo goes back to."""
        changed = self.changed.get(slot)
        if changed is None:
            return self.values[slot]
        return encode(self._hot[slot], changed.watermark)

    def encode_changed(self, handled: int) -> list[tuple[bytes, bytes]]:
        """Key and stored value of every lead that changed since the last call, or is to be
        written again; a new generation of decoded leads begins.

        What somebody else wrote with a watermark beyond `handled` waits until we are there too.
        """
        records = {}
        for slot, head in self.changed.items():
            value = encode(self._hot[slot], head.watermark)
            self._store(slot, value)
            records[self.keys[slot]] = value
        self.changed = {}
        for key in [key for key, watermark in self.again.items() if watermark <= handled]:
            del self.again[key]
            if key in self.slots:
                records[key] = self.values[self.slots[key]]
        self.cool()
        return list(records.items())

    def cool(self) -> None:
        """A new generation of decoded leads; only while none is changed."""
        assert not self.changed
        self._warm, self._hot = self._hot, {}

    @property
    def decoded(self) -> int:
        """How many leads are kept decoded in the younger generation."""
        return len(self._hot)

    def all(self) -> Iterator[tuple[bytes, bytes]]:
        """Key and stored form of every lead as it is now."""
        for key, slot in self.slots.items():
            yield key, self.copy(slot)
