"""The partition's marker record, and the change markers that it has met or misses."""

from __future__ import annotations

from schemas.errors import Halt
from schemas.ids import record_id
from schemas.records import ENCODE, NAMES, ChangeMarker
from schemas.state import Marker, decode_marker, encode_marker
from streams.ports import Outgoing


class Markers:
    """What the marker record of this partition says, kept up to date.

    `change` is the number of the change in force, `changes` maps the number of each change marker
    met to its time here: a change that lay between two of them took effect with the later.
    """

    def __init__(self) -> None:
        self.durable = -1
        self.found = False
        self.topic_id = ""
        self.generation = 0
        self.change = -1
        self.changes: dict[int, int] = {}
        self.moved = False

    def recovered(self, value: bytes | None) -> None:
        """A marker record of the changelog: the highest watermark wins, of equals the later."""
        if value is None:
            return
        marker = decode_marker(value)
        if self.found and marker.watermark < self.durable:
            return
        self.found = True
        self.durable = marker.watermark
        self.topic_id = marker.topic_id
        self.change = marker.change
        self.changes = dict(marker.changes)

    def check_foreign(self, name: str, value: bytes) -> None:
        """A marker that somebody else wrote meanwhile; `Halt` when that is the owner now."""
        theirs = decode_marker(value).generation
        if theirs > self.generation:
            raise Halt(
                f"{name}: a worker of generation {theirs} writes its changelog, this one is of "
                f"generation {self.generation}: the partition is no longer ours"
            )

    def met(self, number: int, time_ms: int) -> bool:
        """A change marker of the log; False for one that says nothing new."""
        if number <= self.change:
            return False
        self.change = number
        self.changes[number] = time_ms
        self.moved = True
        return True

    def encode(self, watermark: int) -> bytes:
        """The marker record's value after everything up to `watermark`."""
        self.moved = False
        return encode_marker(
            Marker(watermark, self.topic_id, self.change, self.changes, self.generation)
        )


class MissingMarkers:
    """Says when a change is known, but its marker has not come into this partition's log."""

    def __init__(self, after_ms: int) -> None:
        self._after_ms = after_ms
        self._number = -1
        self._since_ms = 0

    def missing(self, newest: int, change: int, real_ms: int) -> int | None:
        """The number to append a marker for, or None; once in `after_ms`."""
        if newest <= change:
            self._number = -1
            return None
        if self._number <= change:
            self._number, self._since_ms = newest, real_ms
            return None
        if real_ms - self._since_ms < self._after_ms:
            return None
        self._number, self._since_ms = newest, real_ms
        return newest


def change_marker(number: int, partition: int) -> Outgoing:
    """The record that makes the changes up to `number` take effect in a partition of the log."""
    id = record_id("change-marker", partition, number)
    headers = (("schema", NAMES[ChangeMarker].encode()), ("id", id.encode()))
    return Outgoing(None, ENCODE(ChangeMarker(number)), headers)
