"""One owned partition: its object, its two lanes, and what is held back for it."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from enum import Enum, auto
from typing import Any, Generic

from streams.transport.batches import Hole
from streams.transport.lane import Lane
from streams.transport.protocol import P, PartitionObject

Batch = Sequence[Any]


class Stage(Enum):
    """What a slot is about; it goes down this list, and from DRAINED to RECOVERING when kept."""

    RECOVERING = auto()
    WORKING = auto()
    DRAINING = auto()
    DRAINED = auto()
    GONE = auto()


class Slot(Generic[P]):
    """An object with what the transport knows of it.

    The changelog is known up to `tail`: it is in the object, or of our own writing; while it
    recovers it is read up to `read_to` and must be up to `end`, the fence. `position` is the next
    offset to hand over, `record_ms` the time of the last record, `committable` the offset to
    commit, for lag displays. What comes while the slot is blocked waits in `held`. `under_way`
    remembers by ticket when it was queued, the records in it, and the record time then. `moved`
    is set whenever something came back from outside.
    """

    def __init__(self, number: int, partition: P, lanes: Mapping[str, Lane]) -> None:
        self.number = number
        self.partition = partition
        self.lanes = lanes
        self.stage = Stage.RECOVERING
        self.kept = False
        self.rewritten = False
        self.awaiting: int | None = None
        self.committable: int | None = None
        self.tail = 0
        self.end = 0
        self.read_to = 0
        self.position: int | None = None
        self.record_ms: int | None = None
        self.held: deque[Batch] = deque()
        self.under_way: dict[int, tuple[float, int, int | None]] = {}
        self.moved = asyncio.Event()
        self.tasks: set[asyncio.Task[None]] = set()

    @property
    def working(self) -> bool:
        """Records may be handed over, in principle."""
        return self.stage is Stage.WORKING

    @property
    def sending(self) -> bool:
        """What the object asks for is carried out."""
        return self.stage in (Stage.WORKING, Stage.DRAINING)

    @property
    def blocked(self) -> bool:
        """Nothing more is to be handed over now."""
        return self.awaiting is not None or bool(self.held) or self.partition.full

    @property
    def quiet(self) -> bool:
        """Nothing is on its way that the transport carries out."""
        return all(lane.idle for lane in self.lanes.values()) and not self.tasks

    def drained(self) -> None:
        """All that was handled is durable; nothing is sent from now on."""
        self.stage = Stage.DRAINED
        self.kept = self.awaiting is None

    def close(self) -> None:
        """The partition is somebody else's: send nothing more, forget what is held."""
        self.stage = Stage.GONE
        self.held.clear()
        for lane in self.lanes.values():
            lane.close()
        for task in self.tasks:
            task.cancel()
        self.moved.set()


class Slots(Generic[P]):
    """The slots of a process, by partition number. `lost` is told of each object that goes."""

    def __init__(self, make: Callable[[int], Slot[P]]) -> None:
        self._make = make
        self._by_object: dict[int, Slot[P]] = {}
        self.by_number: dict[int, Slot[P]] = {}
        self.lost: Callable[[P], None] | None = None

    def __iter__(self) -> Iterator[Slot[P]]:
        return iter(list(self.by_number.values()))

    def of(self, partition: PartitionObject) -> Slot[P] | None:
        """The slot of an object that is still the owner's."""
        return self._by_object.get(id(partition))

    def renew(self, numbers: set[int], *, keep: bool) -> None:
        """From now on exactly these are ours; `keep` lets drained objects stay."""
        for number, slot in list(self.by_number.items()):
            if not (keep and slot.kept and number in numbers):
                self._drop(number)
        for number in sorted(numbers - self.by_number.keys()):
            slot = self.by_number[number] = self._make(number)
            self._by_object[id(slot.partition)] = slot

    def _drop(self, number: int) -> None:
        slot = self.by_number.pop(number)
        del self._by_object[id(slot.partition)]
        slot.close()
        if self.lost is not None:
            self.lost(slot.partition)


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
