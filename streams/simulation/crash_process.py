"""A worker process of the crash simulator: partition objects, two producers, a late registry.

What it sends is on its way until the broker has it, queue by queue in order; acknowledgements come
later still. When it dies a part of each queue has arrived.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from random import Random

from msgspec import Struct

from schemas import topics
from schemas.changes import Change
from schemas.errors import Halt
from schemas.state import FENCE_KEY, MARKER_KEY
from streams.engine.registry import Registries, Registry
from streams.partition.partition import LeadPartition
from streams.partition.states import watermark_of
from streams.ports import Commit, Output, Produce, Reread
from streams.simulation.crash_broker import Broker


class Tail(Registries):
    """What a process has read of `campaign-changes` so far: all, up to `read`."""

    def __init__(self, all: Registries, read: int) -> None:
        self._all = all
        self.read = read

    @property
    def newest(self) -> int:
        """The number of the last change that was read."""
        return self.read

    def at(self, number: int) -> Registry:
        """As of this change; asking beyond what was read is a fault of the caller."""
        assert number <= self.read
        return self._all.at(number)

    def between(self, after: int, upto: int) -> list[tuple[int, Change]]:
        """The changes in (after, upto]."""
        assert upto <= self.read
        return self._all.between(after, upto)


class Sending(Struct):
    """A `Produce` on its way: how many of its records the broker has, and the first's offset."""

    partition: LeadPartition
    produce: Produce
    arrived: int = 0
    base: int = -1


class Process:
    """`skew_ms` is how far its clock is off. `violations` collects what it must never do."""

    def __init__(
        self, generation: int, broker: Broker, tail: Tail, skew_ms: int, violations: list[str]
    ) -> None:
        self.generation = generation
        self.partitions: dict[int, LeadPartition] = {}
        self.tail = tail
        self.skew_ms = skew_ms
        self.zombie_steps: int | None = None
        self._broker = broker
        self._violations = violations
        self._queues: dict[tuple[str, str, int], deque[Sending]] = {}
        self._arrived: list[Sending] = []
        self._commits: dict[int, int] = {}
        self._written: dict[tuple[int, bytes], int] = {}

    def recover(self, partition: LeadPartition) -> None:
        """Become the owner: fence, changelog up to it, then the place in the log."""
        number, broker = partition.number, self._broker
        fence = broker.fence(number)
        for record in broker.log(topics.LEADS_CHANGELOG, number).records:
            if record.offset < fence and record.key is not None:
                partition.recovered(record.key, record.value)
        partition.started(
            log_start=0, log_end=broker.log(topics.LEAD_EVENTS, number).end, topic_id="sim",
            changelog_end=fence + 1, generation=self.generation,
        )  # fmt: skip
        self.partitions[number] = partition

    # steps

    def deliver(self, partition: LeadPartition, most: int) -> bool:
        """The next records of the log; False when there are none."""
        if partition.waiting_for is not None or partition.full:
            return False
        first = partition.next_offset
        log = self._broker.log(topics.LEAD_EVENTS, partition.number)
        records = log.between(first, min(first + most, log.end))
        if records:
            self._do(partition, partition.received(records))
        return bool(records)

    def tick(self, partition: LeadPartition, wake: bool) -> None:
        """Time has passed."""
        now = self._broker.now_ms
        self._do(partition, partition.tick(now + self.skew_ms, real_ms=now, wake=wake))

    def drain(self) -> None:
        """Flush everything."""
        for partition in self.partitions.values():
            self._do(partition, partition.flush())

    def learn(self, upto: int) -> None:
        """Read on in `campaign-changes`."""
        self.tail.read = max(self.tail.read, upto)
        for partition in self.partitions.values():
            if partition.waiting_for is not None and partition.waiting_for <= self.tail.read:
                self._do(partition, partition.resumed())

    def transmit(self, rng: Random, most: int) -> bool:
        """Some records of one queue arrive; False when nothing is on its way."""
        waiting = [key for key, queue in self._queues.items() if queue]
        if not waiting:
            return False
        self._arrive(self._queues[rng.choice(waiting)], rng.randrange(1, most + 1))
        return True

    def acknowledge(self, rng: Random) -> bool:
        """One acknowledgement comes back: the oldest of some partition's topic."""
        if not self._arrived:
            return False
        chosen = rng.choice(self._arrived)
        place = (chosen.partition.number, chosen.produce.topic)
        oldest = next(s for s in self._arrived if (s.partition.number, s.produce.topic) == place)
        self._arrived.remove(oldest)
        self._do(
            oldest.partition, oldest.partition.acknowledged(oldest.produce.ticket, oldest.base)
        )
        return True

    def commit(self) -> None:
        """The offsets to commit reach the broker; it refuses those of a former generation."""
        if self.zombie_steps is None:
            self._broker.committed.update(self._commits)
        self._commits = {}

    def die(self, rng: Random) -> None:
        """Of each queue a random part has arrived, the rest is lost."""
        for queue in self._queues.values():
            length = sum(len(s.produce.records) - s.arrived for s in queue)
            self._arrive(queue, rng.randrange(length + 1))
            queue.clear()
        self.partitions = {}
        self._arrived = []

    @property
    def quiet(self) -> bool:
        """Nothing is on its way, nothing is undurable."""
        return (
            not self._arrived
            and not any(self._queues.values())
            and all(partition.idle for partition in self.partitions.values())
        )

    # outputs

    def _do(self, partition: LeadPartition, outputs: Iterable[Output]) -> None:
        for output in outputs:
            if isinstance(output, Produce):
                key = (output.lane, output.topic, output.partition)
                self._queues.setdefault(key, deque()).append(Sending(partition, output))
            elif isinstance(output, Commit):
                self._check_commit(partition.number, output.offset)
                self._commits[partition.number] = output.offset
            elif isinstance(output, Reread):
                self._reread(partition, output)

    def _check_commit(self, number: int, offset: int) -> None:
        if offset > self._broker.durable.get(number, -1) + 1:
            self._violations.append(f"partition {number}: committed {offset} ahead of its marker")

    def _reread(self, partition: LeadPartition, reread: Reread) -> None:
        log = self._broker.log(topics.LEADS_CHANGELOG, partition.number)
        for record in log.between(reread.first, reread.last):
            if record.key is not None:
                partition.foreign(record.key, record.value)
        self._do(partition, partition.reread())

    def _arrive(self, queue: deque[Sending], records: int) -> None:
        while records and queue:
            sending = queue[0]
            produce = sending.produce
            record = produce.records[sending.arrived]
            if produce.topic == topics.LEADS_CHANGELOG:
                self._check_order(produce.partition, record.key, record.value)
            offset = self._broker.append(produce.topic, produce.partition, record)
            if sending.arrived == 0:
                sending.base = offset
            sending.arrived += 1
            records -= 1
            if sending.arrived == len(produce.records):
                self._arrived.append(queue.popleft())

    def _check_order(self, number: int, key: bytes | None, value: bytes | None) -> None:
        if key is None or value is None or key in (MARKER_KEY, FENCE_KEY):
            return
        watermark = watermark_of(value)
        if watermark < self._written.get((number, key), -1):
            self._violations.append(f"partition {number}: an older state of {key!r} was written")
        self._written[number, key] = watermark


def lost_ownership(error: Halt) -> bool:
    """The end that a zombie may come to."""
    return "no longer ours" in str(error)
