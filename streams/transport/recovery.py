"""Beginning: fences, the changelog handed to the objects, and where each of them starts.

Faust reads the changelog and calls these in order: `begin`, `fence`, `take`, `start`, `end`.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Sequence
from typing import Generic

from schemas.errors import Halt
from schemas.state import FENCE_KEY
from streams.ports import Outgoing
from streams.transport.log_clock import LogClock
from streams.transport.membership import Membership
from streams.transport.protocol import P
from streams.transport.settings import TransportSettings
from streams.transport.slot import Batch, Slot, Slots, Stage
from streams.transport.writer import Writer

log = logging.getLogger(__name__)


class Recovery(Generic[P]):
    """Of one process. With `restartable` an object that was drained and whose partition came back
    is started again as it is, after what was appended to its changelog since.

    Without that every rebalance would read every state of every worker again.
    """

    def __init__(
        self,
        slots: Slots[P],
        settings: TransportSettings,
        changelog: str,
        states: Writer,
        membership: Membership,
        clock: LogClock,
        *,
        restartable: bool,
    ) -> None:
        self._slots = slots
        self._settings = settings
        self._changelog = changelog
        self._states = states
        self._membership = membership
        self._clock = clock
        self._restartable = restartable
        self._since: float | None = None

    def begin(self, numbers: set[int]) -> None:
        """From now on exactly these partitions are ours."""
        self._since = time.monotonic()
        self._slots.renew(numbers, keep=self._restartable)
        for slot in self._slots:
            slot.stage = Stage.RECOVERING

    def first_offset(self, number: int) -> int:
        """Where the changelog must be read from: what lies before is in the object."""
        slot = self._slots.by_number.get(number)
        return slot.tail if slot is not None and slot.kept and self._restartable else 0

    async def fence(self, numbers: Sequence[int], generation: int) -> dict[int, int]:
        """Write a record of ours into each changelog partition; its offset is the end to read to.

        Exact on any broker (ListOffsets is short on the embedded one), everything that a former
        owner managed to write lies before it, and a changelog is never empty.
        """
        await self._membership.wait()
        offsets = await asyncio.gather(*(self._fence(number, generation) for number in numbers))
        return dict(zip(numbers, offsets, strict=True))

    async def _fence(self, number: int, generation: int) -> int:
        # A static member that comes back has the same generation; a fence is like no other.
        record = [Outgoing(FENCE_KEY, b"%d:%d" % (generation, time.monotonic_ns()))]
        ((_, future),) = await self._states.send(self._changelog, number, record)
        metadata = await future
        self._clock.heard(metadata.timestamp if metadata.timestamp_type == 1 else -1)
        slot = self._slots.by_number.get(number)
        if slot is not None:
            slot.read_to = slot.tail
            slot.end = metadata.offset + 1
        return int(metadata.offset)

    def take(self, number: int, records: Batch) -> None:
        """A run of the changelog; what belongs to a partition of somebody else is left out."""
        slot = self._slots.by_number.get(number)
        if slot is None or slot.stage is not Stage.RECOVERING:
            return
        self._since = time.monotonic()
        if slot.kept:
            self._take_foreign(slot, records)
        else:
            recovered = slot.partition.recovered
            for record in records:
                recovered(record.key, record.value)
        slot.read_to = max(slot.read_to, records[-1].offset + 1)

    def _take_foreign(self, slot: Slot[P], records: Batch) -> None:
        """While our object was drained only somebody else can have written."""
        for record in records:
            if record.offset >= slot.read_to and record.key != FENCE_KEY:
                slot.rewritten = True
                slot.partition.foreign(record.key, record.value)

    def start(
        self, number: int, *, log_start: int, log_end: int, topic_id: str, generation: int
    ) -> int:
        """The changelog is read: give the offset to begin at.

        Raises `Halt`: also when it is not read, because Faust takes a step of the recovery that
        ran into its time-out for one that is done.
        """
        slot = self._slots.by_number.get(number)
        if slot is None or not slot.end or slot.read_to < slot.end:
            raise Halt(
                f"{self._changelog}-{number} is read up to {slot.read_to if slot else 0} of "
                f"{slot.end if slot else '?'}: the recovery ended too early"
            )
        slot.tail = slot.end
        slot.position = slot.partition.started(
            log_start=log_start,
            log_end=log_end,
            topic_id=topic_id,
            changelog_end=slot.tail,
            from_log_start=self._settings.from_log_start,
            generation=generation,
        )
        slot.stage = Stage.WORKING
        slot.kept = False
        return slot.position

    def end(self) -> None:
        """Everything assigned is at work, or `Halt`."""
        idle = [slot.number for slot in self._slots if not slot.working]
        if idle:
            raise Halt(f"partitions {idle} were recovered and not started")
        self._since = None
        log.info("partitions %s are at work", sorted(self._slots.by_number))

    def interrupted(self) -> None:
        """The partitions are moved again before the recovery came to its end."""
        self._since = None

    def check(self) -> None:
        """Raise `Halt` when a recovery has read nothing for too long."""
        stalled = 0.0 if self._since is None else time.monotonic() - self._since
        if stalled > self._settings.recovery_stall_seconds:
            raise Halt(f"the recovery has read nothing for {stalled:.0f} s")
