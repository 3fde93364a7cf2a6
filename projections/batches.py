"""What is read and not yet inserted: rows by table, and how far each partition is with it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from msgspec import Struct

from projections import tables
from projections.rows import Row


class Place(Struct, frozen=True):
    """One partition of one topic that has this id."""

    topic_id: str
    topic: str
    partition: int


class Batch:
    """Full at `rows_max` rows, or `seconds_max` after its first record.

    `first` and `last` hold the offsets of the first and last record of each place, inclusive.
    """

    def __init__(self, rows_max: int, seconds_max: float) -> None:
        self._rows_max = rows_max
        self._seconds_max = seconds_max
        self._rows: dict[str, list[Row]] = {}
        self._began: float | None = None
        self.count = 0
        self.first: dict[Place, int] = {}
        self.last: dict[Place, int] = {}

    def add(self, place: Place, offset: int, rows: Iterable[tuple[str, Row]], now: float) -> None:
        """Take one record in; `now` is monotonic, in seconds."""
        if self._began is None:
            self._began = now
        self.first.setdefault(place, offset)
        self.last[place] = offset
        for table, row in rows:
            self._rows.setdefault(table, []).append(row)
            self.count += 1

    def full(self, now: float) -> bool:
        """Time to insert."""
        if self._began is None:
            return False
        return self.count >= self._rows_max or now - self._began >= self._seconds_max

    def columns(self) -> Iterator[tuple[str, int, dict[str, list[Any]]]]:
        """Table, number of rows, and its columns."""
        for table, rows in self._rows.items():
            values = [list(column) for column in zip(*rows, strict=True)]
            yield table, len(rows), dict(zip(tables.COLUMNS[table], values, strict=True))

    def positions(self) -> dict[str, list[Any]]:
        """The columns of `positions`: the offset after the last record of each place."""
        return {
            "topic_id": [place.topic_id for place in self.last],
            "topic": [place.topic for place in self.last],
            "partition": [place.partition for place in self.last],
            "next_offset": [offset + 1 for offset in self.last.values()],
        }
