"""One lane of one partition: carries out its `Produce`s, in order, and tells of each one.

What a record says is in a lane's queue before the first await after it was handled; so a flush
that waits for the commands before it finds all of them (architecture, The protocol).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

from streams.ports import Outgoing, Produce
from streams.transport import ending
from streams.transport.log_clock import LogClock
from streams.transport.membership import Membership
from streams.transport.writer import Writer

Stretch = tuple[int, int]
Acknowledged = Callable[[Produce, int, Sequence[Stretch]], None]


class Written:
    """Where the batches of one group of records lie.

    `foreign` are the stretches [first, last) between them: somebody else wrote in the midst.
    """

    def __init__(self) -> None:
        self.foreign: list[Stretch] = []
        self._batches: list[tuple[int, int, int]] = []
        self._count = 0

    def add(self, base_offset: int, count: int) -> None:
        """The next `count` records lie from `base_offset` on."""
        if self._batches and base_offset >= 0:
            _, before, base = self._batches[-1]
            if base >= 0 and base + before < base_offset:
                self.foreign.append((base + before, base_offset))
        self._batches.append((self._count, count, base_offset))
        self._count += count

    def at(self, index: int) -> int:
        """The offset of the index-th record, -1 where the broker did not tell."""
        for first, count, base in self._batches:
            if index < first + count:
                return -1 if base < 0 else base + index - first
        return -1


class Lane:
    """A queue and the task that empties it in rounds: all that is queued is sent at once.

    Within a round the order holds for each (topic, partition); the next round begins when
    everything of this one is acknowledged. Failing ends the process.
    """

    def __init__(
        self, writer: Writer, membership: Membership, clock: LogClock, acknowledged: Acknowledged
    ) -> None:
        self._writer = writer
        self._membership = membership
        self._clock = clock
        self._acknowledged = acknowledged
        self._queue: list[Produce] = []
        self._task: asyncio.Task[None] | None = None

    @property
    def idle(self) -> bool:
        """Nothing is queued or on its way."""
        return self._task is None

    def put(self, produce: Produce) -> None:
        """Queue; returns at once."""
        self._queue.append(produce)
        if self._task is None:
            self._task = asyncio.create_task(ending.or_end(self._run, "producing"))

    def close(self) -> None:
        """Send nothing more: the partition is somebody else's now."""
        self._queue.clear()
        if self._task is not None:
            self._task.cancel()

    async def _run(self) -> None:
        while self._queue:
            await self._membership.wait()
            now, self._queue = self._queue, []
            written = await self._write(now)
            for produce, (base, foreign) in zip(now, written, strict=True):
                self._acknowledged(produce, base, foreign)
        self._task = None

    async def _write(self, produces: Sequence[Produce]) -> list[tuple[int, Sequence[Stretch]]]:
        """Send all of them; for each the offset of its first record, -1 where it is unknown, and,
        with the first of a target, what somebody else wrote in between."""
        groups: dict[tuple[str, int], list[Outgoing]] = {}
        places: list[tuple[tuple[str, int], int]] = []
        for produce in produces:
            target = (produce.topic, produce.partition)
            records = groups.setdefault(target, [])
            places.append((target, len(records)))
            records += produce.records
        written = await asyncio.gather(
            *(self._send(*target, records) for target, records in groups.items())
        )
        offsets = dict(zip(groups, written, strict=True))
        return [
            (offsets[target].at(index), () if index else offsets[target].foreign)
            for target, index in places
        ]

    async def _send(self, topic: str, partition: int, records: Sequence[Outgoing]) -> Written:
        sent = await self._writer.send(topic, partition, records)
        written = Written()
        for count, future in sent:
            metadata: Any = await future
            self._clock.heard(metadata.timestamp if metadata.timestamp_type == 1 else -1)
            written.add(metadata.offset, count)
        return written
