"""The durable side of a partition's sends: what is open, what is done, and what must be written.

Writes go out in groups, one on its way at a time: what changed meanwhile makes the next group. A
group is smaller than the transport's batch, so it lies in the changelog in one piece, and its
base offset tells whether anybody else has written since we began (a fence of a new owner).
"""

from __future__ import annotations

from collections import deque

import msgspec
from msgspec import Struct

from schemas.errors import Halt
from schemas.state import FENCE_KEY, MARKER_KEY, Marker, encode_marker
from streams.delivery.done import Done
from streams.delivery.policy import DAY_MS
from streams.delivery.recovery import Recovered, name_of
from streams.delivery.sends import TOLD, OpenSend, Send, encode
from streams.ports import Outgoing

GROUP_BYTES = 384 * 1024  # below the transport's batch of 512 KiB
TOMBSTONES_PER_GROUP = 500


class Unwritten(Struct, eq=False):
    """One offset of `commands` that is not durable yet: a new send, or a dead letter whose ticket
    is to be waited for."""

    offset: int
    entry: OpenSend | None = None
    letter: int = 0


class Group(Struct, eq=False):
    """What one `Produce` holds: sends with the step that is written, the marker's watermark."""

    records: list[Outgoing] = []
    sends: list[tuple[OpenSend, int]] = []
    watermark: int | None = None
    size_bytes: int = 0

    def add(self, key: bytes, value: bytes | None) -> None:
        """One more record."""
        self.records.append(Outgoing(key, value))
        self.size_bytes += len(key) + len(value or b"") + 64

    def full(self, further_bytes: int = 0) -> bool:
        """A further record of that size may not join."""
        return bool(self.records) and self.size_bytes + further_bytes >= GROUP_BYTES


class Book:
    """All sends of one partition. `position` is the next offset of `commands` to take in."""

    def __init__(self) -> None:
        self.open: dict[bytes, OpenSend] = {}
        self.done = Done()
        self.marker = Marker(watermark=-1, topic_id="")
        self.position = 0
        self.size_bytes = 0
        self._rounds: dict[bytes, tuple[int, str]] = {}
        self._epoch = 0
        self._marker_again = False
        self._new: deque[Unwritten] = deque()
        self._changed: dict[bytes, OpenSend] = {}
        self._told: deque[tuple[bytes, bytes]] = deque()
        self._tombstones: deque[bytes] = deque()
        self._letters: set[int] = set()
        self._group: Group | None = None
        self._expected = 0

    def settle(
        self, found: Recovered, topic_id: str, position: int, changelog_end: int
    ) -> list[OpenSend]:
        """The changelog is read: give what is open, oldest command first."""
        self.done, self._rounds, self._epoch = found.done, found.rounds, found.epoch
        self.position = position
        self.marker = Marker(position - 1, topic_id, generation=self._epoch)
        self._marker_again = found.marker_again
        self._expected = changelog_end
        for entry in found.open_sends():
            self._hold(entry)
        for name in found.again:  # before compaction takes ours, which lie before
            self._write_over(name)
        return sorted(self.open.values(), key=lambda entry: entry.send.offset)

    # Changes

    def knows(self, key: bytes) -> bool:
        """Whether this command was taken in before."""
        return key in self.open or key in self.done

    def retried(self, key: bytes) -> tuple[int, str]:
        """(round, letter) of the last retry by hand of a command that is done."""
        return self._rounds.get(key, (0, ""))

    def take_in(self, offset: int, entry: OpenSend | None = None, letter: int = 0) -> None:
        """The record at `offset` is a new send, or a dead letter with that ticket.

        The marker passes it only when both are durable.
        """
        if letter:
            self._letters.add(letter)
        if entry is not None:
            self.done.discard(entry.key)
            self._hold(entry)
        self._new.append(Unwritten(offset, entry, letter))
        self.position = offset + 1

    def reopen(self, entry: OpenSend, now_ms: int) -> None:
        """A send whose offset was taken in already: it is written as a change."""
        self.done.discard(entry.key)
        self._hold(entry)
        self.change(entry, now_ms)

    def letter_written(self, ticket: int) -> None:
        """A dead letter of intake is durable."""
        self._letters.discard(ticket)

    def change(self, entry: OpenSend, now_ms: int) -> None:
        """The send has changed: it is written with the next group."""
        entry.step += 1
        entry.send.at_ms = now_ms
        self._changed[entry.key] = entry

    def told(self, entry: OpenSend, now_ms: int) -> None:
        """Its outcome is durable: written when something else is, or at leisure."""
        entry.send.status = TOLD
        entry.send.at_ms = now_ms
        entry.send.epoch = self._epoch
        del self.open[entry.key]
        self.size_bytes -= entry.size_bytes
        self._finish(entry.key, entry.send)
        self._told.append((entry.key, encode(entry.send)))

    def forget_before(self, at_ms: int) -> None:
        """Drop results of days that ended before."""
        for key in self.done.forget_before(at_ms):
            self._rounds.pop(key, None)
            self._tombstones.append(key)

    # Writing

    @property
    def clean(self) -> bool:
        """Everything is durable, but for what may be written at leisure after a start."""
        return not (
            self._group or self._changed or self._new or self._told or self._moved or self._letters
        )

    @property
    def writing(self) -> bool:
        """A group is on its way."""
        return self._group is not None

    def group(self, *, at_leisure: bool) -> list[Outgoing]:
        """The records of the next group; empty when none is due or one is on its way.

        What waits only for being told, marker and tombstones make a group only `at_leisure`.
        """
        urgent = self._changed or (self._new and self._new[0].letter not in self._letters)
        if self._group or not (urgent or (at_leisure and self._leisurely)):
            return []
        group = Group()
        while self._told and not group.full():  # first: a later round of the same command must win
            key, value = self._told.popleft()
            group.add(_key(key), value)
        for entry in list(self._changed.values()):
            if group.full(entry.size_bytes):
                break
            self._write(group, entry)
        watermark = self._write_new(group)
        if at_leisure:
            self._write_tombstones(group)
        if self._marker_again or watermark != self.marker.watermark:
            self._marker_again = False
            group.watermark = watermark
            marker = msgspec.structs.replace(self.marker, watermark=watermark)
            group.add(MARKER_KEY, encode_marker(marker))
        if not group.records:
            return []
        self._group = group
        return group.records

    def acknowledged(self, base_offset: int) -> tuple[int, int] | None:
        """The group is durable. Gives [first, last) where somebody else wrote before it."""
        assert self._group is not None
        expected, self._expected = self._expected, base_offset + len(self._group.records)
        if base_offset < 0:  # the broker does not tell
            self._expected = -1
        return (expected, base_offset) if 0 <= expected < base_offset else None

    def written(self) -> Group:
        """Take over the group that was acknowledged: it counts from here on."""
        group = self._group
        assert group is not None
        self._group = None
        if group.watermark is not None:
            self.marker = msgspec.structs.replace(self.marker, watermark=group.watermark)
        return group

    def foreign(self, key: bytes) -> None:
        """One record that somebody else wrote; ours is written again over it.

        Raises `Halt` for a fence: another process owns this partition, and we learn it in time
        not to act on what we wrote behind it.
        """
        if key == FENCE_KEY:
            raise Halt(
                "another delivery process has taken over a partition that this one still held; "
                "nothing more is called here"
            )
        if key == MARKER_KEY:
            self._marker_again = True
        elif not key.startswith(b"\0"):
            self._write_over(name_of(key))

    def _write_over(self, name: bytes) -> None:
        entry = self.open.get(name)
        if entry is not None:
            entry.step += 1
            self._changed[name] = entry
        elif name in self.done:
            round_, letter = self.retried(name)
            at_ms = self.done.day_of(name) * DAY_MS
            told = Send(TOLD, round_, self._epoch, -1, 0, at_ms, letter=letter)
            self._told.append((name, encode(told)))

    @property
    def _moved(self) -> bool:
        return self._marker_again or self.position - 1 != self.marker.watermark

    @property
    def _leisurely(self) -> bool:
        return bool(self._told or self._tombstones or (self._moved and not self._new))

    def _write(self, group: Group, entry: OpenSend) -> None:
        self._changed.pop(entry.key, None)
        entry.send.epoch = self._epoch
        entry.written = entry.step
        group.add(_key(entry.key), encode(entry.send))
        group.sends.append((entry, entry.step))

    def _write_new(self, group: Group) -> int:
        """New sends, in order; the watermark behind the last one that is written or on its way."""
        watermark = self._new[0].offset - 1 if self._new else self.position - 1
        while self._new:
            first = self._new[0]
            entry = first.entry
            if first.letter in self._letters or group.full(entry.size_bytes if entry else 0):
                return watermark
            self._new.popleft()
            if entry is not None and (
                entry.written < 0 or entry.key in self._changed
            ):  # else a later step of it is written already
                self._write(group, entry)
            watermark = first.offset
        return self.position - 1

    def _write_tombstones(self, group: Group) -> None:
        for _ in range(min(len(self._tombstones), TOMBSTONES_PER_GROUP)):
            key = self._tombstones.popleft()
            if not self.knows(key):
                group.add(_key(key), None)

    def _hold(self, entry: OpenSend) -> None:
        self.open[entry.key] = entry
        self.size_bytes += entry.size_bytes

    def _finish(self, key: bytes, send: Send) -> None:
        self.done.add(key, send.at_ms)
        if send.round:
            self._rounds[key] = (send.round, send.letter)


def _key(name: bytes) -> bytes:
    return name.hex().encode()
