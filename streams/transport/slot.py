"""One owned partition: its object, its two lanes, and what is held back for it."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Generic

from streams.transport.batches import Hole
from streams.transport.lane import Lane
from streams.transport.protocol import P

Batch = Sequence[Any]


class Slot(Generic[P]):
    """`started` until `closing`; what is received while it is blocked waits in `held`.

    `committable` is the offset to commit, for lag displays. `tail` is the changelog's end, after
    the fence, and `read_to` how far it is read. `moved` is set whenever something came back from
    outside, for a drain to look again. `under_way` remembers by ticket when it was queued and the
    time of the last record before it.
    """

    def __init__(self, number: int, partition: P, lanes: Mapping[str, Lane]) -> None:
        self.number = number
        self.partition = partition
        self.lanes = lanes
        self.started = False
        self.closing = False
        self.awaiting: int | None = None
        self.committable: int | None = None
        self.tail = 0
        self.position: int | None = None
        self.record_ms: int | None = None
        self.read_to = 0
        self.under_way: dict[int, tuple[float, int | None]] = {}
        self.held: deque[Batch] = deque()
        self.moved = asyncio.Event()
        self.tasks: set[asyncio.Task[None]] = set()

    @property
    def working(self) -> bool:
        """Records may be handed over, in principle."""
        return self.started and not self.closing

    @property
    def blocked(self) -> bool:
        """Nothing more is to be handed over now."""
        return self.awaiting is not None or bool(self.held) or self.partition.full

    @property
    def quiet(self) -> bool:
        """Nothing is on its way that the transport carries out."""
        return all(lane.idle for lane in self.lanes.values()) and not self.tasks

    def close(self) -> None:
        """Send nothing more, forget what is held."""
        self.closing = True
        self.started = False
        self.held.clear()
        for lane in self.lanes.values():
            lane.close()
        for task in self.tasks:
            task.cancel()
        self.moved.set()


def runs(batch: Batch) -> Iterable[tuple[Batch, bool]]:
    """Split a batch into runs of records (False) and runs of holes (True), in order."""
    if not any(type(record) is Hole for record in batch):
        yield batch, False
        return
    first = 0
    for index in range(1, len(batch) + 1):
        hole = type(batch[first]) is Hole
        if index == len(batch) or (type(batch[index]) is Hole) is not hole:
            yield batch[first:index], hole
            first = index
