"""Drives partition objects: hands them records, acknowledgements and the time, and carries out
what they answer. Everything here happens on one event loop; the objects themselves do no I/O.

The Faust side (`streams.transport.consumer`, `store`) calls `recovery`, `receive` and `drain`; a
role calls `perform` with outputs of calls of its own.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any, Generic

from schemas.errors import Halt
from schemas.state import FENCE_KEY
from streams.ports import AwaitChanges, Commit, Produce, Reread
from streams.transport import ending
from streams.transport.changelog import read_range
from streams.transport.lane import Lane
from streams.transport.log_clock import LogClock
from streams.transport.membership import Membership
from streams.transport.protocol import NewPartition, P
from streams.transport.recovery import Recovery
from streams.transport.settings import TransportSettings
from streams.transport.slot import Batch, Slot, Slots, Stage, runs
from streams.transport.watch import Watch
from streams.transport.writer import Writer

CHANGES_SECONDS = 10.0
LAG_RECORDS = 10_000
log = logging.getLogger(__name__)


class Driver(Generic[P]):
    """All partitions of one process.

    `other(partition, output)` takes outputs that the transport does not know; `reached(number)`
    returns when the registry of changes has that number; `draining(partition)` says that nothing
    new may be begun; `lost(partition)` that the object is no longer the owner's. All are called
    on the loop; `changelog` is the topic of the states. `restartable`: `started` may be called
    again on an object that was drained (`streams.transport.recovery`).
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
        restartable: bool = False,
    ) -> None:
        self._new_partition = new_partition
        self._settings = settings
        self._changelog = changelog
        self._reached = reached
        self._other = other
        self._draining = draining
        self._watch = watch or Watch()
        self._tasks: set[asyncio.Task[Any]] = set()
        self._slots: Slots[P] = Slots(self._new_slot)
        self._slots.lost = lost
        self.clock = LogClock(now_ms, follow=settings.broker_stamps)
        self.membership = Membership(settings.lease_seconds, settings.outage_seconds)
        # The broker's end of a partition of the log, as the last fetch told; set by the consumer.
        self.log_end: Callable[[int], int | None] = lambda number: None
        self.ready = False
        self._writers = {
            lane: Writer(
                settings.bootstrap, f"{name}-{lane}", now_ms, idempotent=not settings.embedded
            )
            for lane in ("commands", "states")
        }
        self.recovery = Recovery(
            self._slots, settings, changelog, self._writers["states"], self.membership, self.clock,
            restartable=restartable,
        )  # fmt: skip

    @property
    def partitions(self) -> Mapping[int, P]:
        """The objects at work, by partition number."""
        return {slot.number: slot.partition for slot in self._slots if slot.working}

    @property
    def slots(self) -> Mapping[int, Slot[P]]:
        """All slots, for displays."""
        return self._slots.by_number

    def on_lost(self, lost: Callable[[P], None]) -> None:
        """Set, or set anew, whom to tell of objects that go."""
        self._slots.lost = lost

    async def start(self) -> None:
        """Connect the producers; begin to tick."""
        for writer in self._writers.values():
            await writer.start()
        self._spawn(self._tick_forever, "ticking")

    async def stop(self) -> None:
        """End everything; whatever must be durable was drained before."""
        for task in self._tasks:
            task.cancel()
        self._slots.renew(set(), keep=False)
        for writer in self._writers.values():
            await writer.stop()

    def recovery_ended(self) -> None:
        """Everything assigned is at work, or `Halt`."""
        self.recovery.end()
        self.ready = True
        for slot in self._slots:
            if slot.rewritten:
                slot.rewritten = False
                self.perform(slot.partition, slot.partition.reread())

    def receive(self, number: int, batch: Batch) -> None:
        """A contiguous batch of the log; what is not ours any more is left out (it is read again
        from the marker on by whoever owns it)."""
        slot = self._slots.by_number.get(number)
        if slot is None or not slot.working:
            return
        if slot.blocked:
            slot.held.append(batch)
        else:
            self._hand_over(slot, batch)

    def blocked(self) -> set[int]:
        """Partitions of which nothing more is to be fetched for now. Called from any thread."""
        return {slot.number for slot in self._slots if slot.working and slot.blocked}

    def committable(self) -> dict[int, int]:
        """Per partition the offset to commit, where one is known."""
        offsets = {slot.number: slot.committable for slot in self._slots}
        return {number: offset for number, offset in offsets.items() if offset is not None}

    def perform(self, partition: P, outputs: Iterable[Any]) -> None:
        """Carry out what a call on this object gave; nothing once it is not the owner's."""
        slot = self._slots.of(partition)
        if slot is None:
            return
        for output in outputs:
            if not slot.sending:
                slot.kept = False  # the object believes that this is carried out
                return
            match output:
                case Produce():
                    entry = (time.monotonic(), len(output.records), slot.record_ms)
                    slot.under_way[output.ticket] = entry
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
        self.recovery.interrupted()
        slots = [slot for slot in self._slots if slot.working]
        with ending.Deadline(self._settings.drain_seconds, f"drain ({doing})"):
            for slot in slots:
                slot.stage = Stage.DRAINING
                slot.held.clear()
                if self._draining is not None:
                    self._draining(slot.partition)
            await asyncio.gather(*(self._drain(slot) for slot in slots))
        log.info("drained %d partitions (%s)", len(slots), doing)

    def _new_slot(self, number: int) -> Slot[P]:
        def acknowledged(
            produce: Produce, base_offset: int, foreign: Sequence[tuple[int, int]]
        ) -> None:
            self._acknowledged(slot, produce, base_offset)
            if produce.topic == self._changelog:
                self.perform(slot.partition, (Reread(*stretch) for stretch in foreign))

        lanes = {
            name: Lane(writer, self.membership, self.clock, acknowledged)
            for name, writer in self._writers.items()
        }
        slot = Slot(number, self._new_partition(number), lanes)
        return slot

    def _acknowledged(self, slot: Slot[P], produce: Produce, base_offset: int) -> None:
        began, records, record_ms = slot.under_way.pop(produce.ticket)
        if produce.topic == self._changelog and base_offset >= 0:
            slot.tail = base_offset + records
        seconds = time.monotonic() - began
        self._watch.acknowledged(produce, record_ms, self.clock.now_ms() or 0, seconds)
        self.perform(slot.partition, slot.partition.acknowledged(produce.ticket, base_offset))
        self._hand_over_held(slot)

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
        while held and slot.working and not slot.blocked:
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
        records = await read_range(
            self._settings.bootstrap, self._changelog, slot.number, output.first, output.last
        )
        if any(record.key != FENCE_KEY for record in records):
            log.warning(
                "somebody else wrote %d records into %s-%d: a worker that lost the partition",
                len(records), self._changelog, slot.number,
            )  # fmt: skip
        for record in records:
            slot.partition.foreign(record.key, record.value)
        self.perform(slot.partition, slot.partition.reread())

    async def _drain(self, slot: Slot[P]) -> None:
        """Waiting for changes must not hold it up: what waits is not handled yet."""
        if slot.awaiting is not None:
            for task in slot.tasks:
                task.cancel()
        while True:
            slot.moved.clear()
            if slot.quiet and not slot.partition.idle:
                self.perform(slot.partition, slot.partition.flush())
            if slot.quiet and slot.partition.idle:
                slot.drained()
                return
            slot.moved.clear()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(slot.moved.wait(), self._settings.tick_seconds)

    async def _tick_forever(self) -> None:
        while True:
            await asyncio.sleep(self._settings.tick_seconds)
            self.membership.check()
            self.recovery.check()
            self._tick()

    def _tick(self) -> None:
        now_ms = self.clock.now_ms()
        if now_ms is None:
            return
        real_ms = time.monotonic_ns() // 1_000_000
        for slot in self._slots:
            if slot.sending:
                wake = self._settings.wake and slot.working and not self._lags(slot)
                outputs = slot.partition.tick(now_ms, real_ms=real_ms, wake=wake)
                self.perform(slot.partition, outputs)
                self._hand_over_held(slot)

    def _lags(self, slot: Slot[P]) -> bool:
        """What is in the log already comes before what we would append to it."""
        end = self.log_end(slot.number)
        return end is not None and end - (slot.position or 0) > LAG_RECORDS

    def _spawn(self, work: Any, doing: str, slot: Slot[P] | None = None) -> None:
        task = asyncio.create_task(ending.or_end(work, doing))
        tasks = self._tasks if slot is None else slot.tasks
        tasks.add(task)

        def done(_: asyncio.Task[Any]) -> None:
            tasks.discard(task)
            if slot is not None:
                slot.moved.set()

        task.add_done_callback(done)
