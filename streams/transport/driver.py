"""Drives partition objects: hands them records, acknowledgements and the time, and carries out
what they answer. Everything here happens on one event loop; the objects themselves do no I/O.

The Faust side (`streams.transport.consumer`, `store`) calls `begin_recovery`, `recovered`,
`start`, `receive`, `drain`; a role calls `perform` with outputs of calls of its own.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any, Generic

from schemas.errors import Halt
from schemas.state import FENCE_KEY
from streams.ports import AwaitChanges, Commit, Outgoing, Produce, Reread
from streams.transport import ending
from streams.transport.changelog import read_range
from streams.transport.lane import Lane
from streams.transport.log_clock import LogClock
from streams.transport.membership import Membership
from streams.transport.protocol import NewPartition, P
from streams.transport.settings import TransportSettings
from streams.transport.slot import Batch, Slot, runs
from streams.transport.watch import Watch
from streams.transport.writer import Writer

CHANGES_SECONDS = 10.0
log = logging.getLogger(__name__)


class Driver(Generic[P]):
    """All partitions of one process.

    `other(partition, output)` takes outputs that the transport does not know; `reached(number)`
    returns when the registry of changes has that number; `draining(partition)` says that nothing
    new may be begun; `lost(partition)` that the object is no longer the owner's. All are called
    on the loop; `changelog` is the topic of the states.
    """

    def __init__(
        self,
        new_partition: NewPartition[P],
        settings: TransportSettings,
        *,
        name: str,
        changelog: str,
        now_ms: Callable[[], int],
        reached: Callable[[int], Awaitable[None]] | None = None,
        other: Callable[[P, Any], None] | None = None,
        draining: Callable[[P], None] | None = None,
        lost: Callable[[P], None] | None = None,
        watch: Watch | None = None,
    ) -> None:
        self._new_partition = new_partition
        self._settings = settings
        self._changelog = changelog
        self._reached = reached
        self._other = other
        self._draining = draining
        self.lost = lost
        self._watch = watch or Watch()
        self._slots: dict[int, Slot[P]] = {}
        self._by_object: dict[int, Slot[P]] = {}
        self._recovering_since: float | None = None
        self._tasks: set[asyncio.Task[Any]] = set()
        self.clock = LogClock(now_ms, follow=settings.broker_stamps)
        self.membership = Membership(settings.lease_seconds, settings.outage_seconds)
        self.ready = False
        # The broker's end of a partition of the log, as the last fetch told; set by the consumer.
        self.log_end: Callable[[int], int | None] = lambda number: None
        self._writers = {
            lane: Writer(
                settings.bootstrap, f"{name}-{lane}", now_ms, idempotent=not settings.embedded
            )
            for lane in ("commands", "states")
        }

    @property
    def partitions(self) -> Mapping[int, P]:
        """The objects at work, by partition number."""
        return {number: slot.partition for number, slot in self._slots.items() if slot.working}

    @property
    def slots(self) -> Mapping[int, Slot[P]]:
        """All slots, for displays."""
        return self._slots

    async def start(self) -> None:
        """Connect the producers; begin to tick."""
        for writer in self._writers.values():
            await writer.start()
        self._spawn(self._tick_forever, "ticking")

    async def stop(self) -> None:
        """End everything; whatever must be durable was drained before."""
        for task in self._tasks:
            task.cancel()
        self._drop(set(self._slots))
        for writer in self._writers.values():
            await writer.stop()

    # --- recovery

    def begin_recovery(self, numbers: set[int]) -> None:
        """From now on exactly these partitions are ours; each begins with an empty object."""
        self.ready = False
        self._recovering_since = time.monotonic()
        self._drop(set(self._slots))
        for number in numbers:
            slot = self._new_slot(number)
            self._slots[number] = slot
            self._by_object[id(slot.partition)] = slot

    async def fence(self, numbers: Sequence[int], generation: int) -> dict[int, int]:
        """Write a record of ours into each changelog partition; its offset is the end to read to.

        Exact on any broker (ListOffsets is short on the embedded one), everything that a former
        owner managed to write lies before it, and a changelog is never empty.
        """
        await self.membership.wait()
        record = [Outgoing(FENCE_KEY, str(generation).encode())]
        offsets: dict[int, int] = {}
        for number in numbers:
            ((_, future),) = await self._writers["states"].send(self._changelog, number, record)
            metadata = await future
            self.clock.heard(metadata.timestamp if metadata.timestamp_type == 1 else -1)
            offsets[number] = metadata.offset
            if (slot := self._slots.get(number)) is not None:
                slot.tail = metadata.offset + 1
        return offsets

    def recovered(self, number: int, records: Batch) -> None:
        """A run of the changelog; what a partition of somebody else's says is left out."""
        slot = self._slots.get(number)
        if slot is None or slot.started:
            return
        self._recovering_since = time.monotonic()
        take = slot.partition.recovered
        for record in records:
            take(record.key, record.value)
        slot.read_to = records[-1].offset + 1

    def start_partition(
        self, number: int, *, log_start: int, log_end: int, topic_id: str, generation: int
    ) -> int:
        """The changelog is read: give the offset to begin at.

        Raises `Halt`: also when it is not read, because Faust takes a step of the recovery that
        ran into its time-out for one that is done.
        """
        slot = self._slots.get(number)
        if slot is None or not slot.tail or slot.read_to < slot.tail:
            raise Halt(
                f"{self._changelog}-{number} is read up to {slot.read_to if slot else 0} of "
                f"{slot.tail if slot else '?'}: the recovery ended too early"
            )
        begin = slot.partition.started(
            log_start=log_start,
            log_end=log_end,
            topic_id=topic_id,
            changelog_end=slot.tail,
            from_log_start=self._settings.from_log_start,
            generation=generation,
        )
        slot.started = True
        slot.position = begin
        return begin

    def recovery_ended(self) -> None:
        """Everything assigned is at work, or `Halt`."""
        idle = [number for number, slot in self._slots.items() if not slot.started]
        if idle:
            raise Halt(f"partitions {idle} were recovered and not started")
        self._recovering_since = None
        self.ready = True
        log.info("partitions %s are at work", sorted(self._slots))

    # --- work

    def receive(self, number: int, batch: Batch) -> None:
        """A contiguous batch of the log; what is not ours any more is left out (it is read again
        from the marker on by whoever owns it)."""
        slot = self._slots.get(number)
        if slot is None or not slot.working:
            return
        if slot.blocked:
            slot.held.append(batch)
        else:
            self._hand_over(slot, batch)

    def blocked(self) -> set[int]:
        """Partitions of which nothing more is to be fetched for now."""
        return {number for number, slot in self._slots.items() if slot.started and slot.blocked}

    def committable(self) -> dict[int, int]:
        """Per partition the offset to commit, where one is known."""
        return {
            number: slot.committable
            for number, slot in self._slots.items()
            if slot.committable is not None
        }

    def perform(self, partition: P, outputs: Iterable[Any]) -> None:
        """Carry out what a call on this object gave; nothing once it is not the owner's."""
        slot = self._by_object.get(id(partition))
        if slot is None:
            return
        for output in outputs:
            match output:
                case Produce():
                    slot.under_way[output.ticket] = (time.monotonic(), slot.record_ms)
                    slot.lanes[output.lane].put(output)
                case Commit():
                    slot.committable = output.offset
                case AwaitChanges():
                    slot.awaiting = output.number
                    waiting = partial(self._await_changes, slot, output.number)
                    self._spawn(waiting, "waiting", slot)
                case Reread():
                    reading = partial(self._reread, slot, output)
                    self._spawn(reading, "reading foreign records", slot)
                case _:
                    if self._other is None:
                        raise TypeError(f"nobody takes a {type(output).__name__}")
                    self._other(partition, output)
        slot.moved.set()

    async def drain(self, doing: str) -> None:
        """Make everything that was handled durable, handle nothing more; the deadline ends us."""
        self.ready = False
        self._recovering_since = None
        slots = [slot for slot in self._slots.values() if slot.working]
        with ending.Deadline(self._settings.drain_seconds, f"drain ({doing})"):
            for slot in slots:
                slot.closing = True
                slot.held.clear()
                if self._draining is not None:
                    self._draining(slot.partition)
            await asyncio.gather(*(self._drain(slot) for slot in slots))
        log.info("drained %d partitions (%s)", len(slots), doing)

    # --- inside

    def _new_slot(self, number: int) -> Slot[P]:
        def acknowledged(produce: Produce, base_offset: int) -> None:
            self.perform(slot.partition, slot.partition.acknowledged(produce.ticket, base_offset))
            self._hand_over_held(slot)

        lanes = {
            name: Lane(writer, self.membership, self.clock, acknowledged)
            for name, writer in self._writers.items()
        }
        slot = Slot(number, self._new_partition(number), lanes)
        return slot

    def _hand_over(self, slot: Slot[P], batch: Batch) -> None:
        partition = slot.partition
        left = deque(runs(batch))
        while left and not slot.blocked:
            run, hole = left.popleft()
            slot.position = run[-1].offset + 1
            slot.record_ms = run[-1].timestamp
            self._watch.handed_over(len(run))
            if hole:
                partition.absent(run[0].offset, run[-1].offset + 1)
            else:
                self.perform(partition, partition.received(run))
        slot.held.extendleft(run for run, _ in reversed(left))

    def _hand_over_held(self, slot: Slot[P]) -> None:
        held, slot.held = slot.held, deque()
        while held and not slot.blocked:
            self._hand_over(slot, held.popleft())
        slot.held.extend(held)

    async def _await_changes(self, slot: Slot[P], number: int) -> None:
        if self._reached is None:
            raise Halt(f"change {number} is asked for, and nobody reads changes here")
        reached = asyncio.ensure_future(self._reached(number))
        done, _ = await asyncio.wait({reached}, timeout=CHANGES_SECONDS)
        if not done:
            log.warning(
                "partition %d waits for change %d, which campaign-changes does not have yet",
                slot.number, number,
            )  # fmt: skip
        await reached
        slot.awaiting = None
        self.perform(slot.partition, slot.partition.resumed())
        self._hand_over_held(slot)

    async def _reread(self, slot: Slot[P], output: Reread) -> None:
        log.warning(
            "somebody else wrote %d records into %s-%d: a worker that lost the partition",
            output.last - output.first, self._changelog, slot.number,
        )  # fmt: skip
        records = await read_range(
            self._settings.bootstrap, self._changelog, slot.number, output.first, output.last
        )
        for record in records:
            slot.partition.foreign(record.key, record.value)
        self.perform(slot.partition, slot.partition.reread())

    async def _drain(self, slot: Slot[P]) -> None:
        while True:
            slot.moved.clear()
            if slot.quiet and not slot.partition.idle:
                self.perform(slot.partition, slot.partition.flush())
            if slot.quiet and slot.partition.idle:
                break
            slot.moved.clear()
            await _first(slot.moved.wait(), self._settings.tick_seconds)
        slot.close()

    async def _tick_forever(self) -> None:
        while True:
            await asyncio.sleep(self._settings.tick_seconds)
            self.membership.check()
            since = self._recovering_since
            stalled = None if since is None else time.monotonic() - since
            if stalled is not None and stalled > self._settings.recovery_stall_seconds:
                raise Halt(f"recovery has read nothing for {stalled:.0f} s")
            self._tick()

    def _tick(self) -> None:
        now_ms = self.clock.now_ms()
        if now_ms is None:
            return
        real_ms = time.monotonic_ns() // 1_000_000
        for slot in list(self._slots.values()):
            if slot.started:
                wake = self._settings.wake and not slot.closing
                outputs = slot.partition.tick(now_ms, real_ms=real_ms, wake=wake)
                self.perform(slot.partition, outputs)
                self._hand_over_held(slot)

    def _drop(self, numbers: set[int]) -> None:
        for number in numbers:
            slot = self._slots.pop(number)
            del self._by_object[id(slot.partition)]
            slot.close()
            if self.lost is not None:
                self.lost(slot.partition)

    def _spawn(self, work: Any, doing: str, slot: Slot[P] | None = None) -> None:
        task = asyncio.create_task(ending.or_end(work, doing))
        tasks = self._tasks if slot is None else slot.tasks
        tasks.add(task)

        def done(_: asyncio.Task[Any]) -> None:
            tasks.discard(task)
            if slot is not None:
                slot.moved.set()

        task.add_done_callback(done)


async def _first(work: Any, seconds: float) -> None:
    """Wait for `work`, at most so long."""
    try:
        await asyncio.wait_for(work, seconds)
    except TimeoutError:
        return
