"""The worker's metrics: what partition objects count in plain ints, published each second."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from prometheus_client import Counter

from app import metrics
from app.journey_census import JourneyCensus
from schemas import topics
from streams.partition.counts import LATENESS_MS, PartitionCounts
from streams.partition.partition import LeadPartition
from streams.ports import Produce
from streams.transport.driver import Driver
from streams.transport.watch import Watch

_RESULTS = (
    ("effects", "effect"), ("no_effect", "no_effect"), ("skipped", "skipped"),
    ("change_markers", "change_marker"),
)  # fmt: skip
_NAMED: tuple[tuple[str, Counter], ...] = (
    ("refusals", metrics.REFUSALS),
    ("dead_letter_reasons", metrics.DEAD_LETTERS),
    ("facts_by_kind", metrics.FACTS),
    ("commands_by_channel", metrics.COMMANDS),
)


class WorkerWatch(Watch):
    """Batch sizes and durations, as they happen."""

    def handed_over(self, records: int) -> None:
        """One batch."""
        metrics.BATCH_RECORDS.observe(records)

    def acknowledged(
        self, produce: Produce, record_ms: int | None, now_ms: int, seconds: float
    ) -> None:
        """Commands: since their record's time; states: since the flush wrote them."""
        if produce.lane == "states":
            metrics.FLUSH_SECONDS.observe(seconds)
        elif produce.topic == topics.COMMANDS and record_ms is not None:
            metrics.RECORD_TO_COMMAND.observe(max(0, now_ms - record_ms) / 1000)


class Publisher:
    """Turns totals of partition objects into counters; an object's last totals are kept."""

    def __init__(self, driver: Driver[LeadPartition]) -> None:
        self._driver = driver
        self._published: dict[int, PartitionCounts] = {}
        self._looked_up: dict[int, tuple[int, int]] = {}
        self._census = JourneyCensus()

    def publish(self) -> None:
        """Once a second, and at the end."""
        now_ms = self._driver.clock.now_ms() or 0
        for number, slot in self._driver.slots.items():
            self._gauges(number, slot, now_ms)
            self.settle(slot.partition)
        self._census.walk({n: p.handling.states for n, p in self._driver.partitions.items()})
        age, lease = self._driver.membership.age_seconds, self._driver.membership.lease_seconds
        metrics.BROKER_UNREACHABLE.set(age is None or age > lease)

    def settle(self, partition: LeadPartition) -> None:
        """Publish what this object has counted since the last time."""
        counts = partition.counts
        before = self._published.get(id(partition)) or PartitionCounts()
        for field, result in _RESULTS:
            _add(metrics.RECORDS.labels(result), getattr(counts, field) - getattr(before, field))
        _add(metrics.RECORDS.labels("dead_letter"), counts.dead_letters - before.dead_letters)
        _add(metrics.FLUSHED_STATES, counts.states - before.states)
        _add(metrics.QUARANTINED, counts.quarantined - before.quarantined)
        for field, metric in _NAMED:
            _add_named(metric, getattr(counts, field), getattr(before, field))
        for bucket, total in enumerate(counts.lateness):
            late = LATENESS_MS[min(bucket, len(LATENESS_MS) - 1)] * (
                1 + (bucket == len(LATENESS_MS))
            )
            for _ in range(total - before.lateness[bucket]):
                metrics.TIMER_LATENESS.observe(late / 1000)
        self._published[id(partition)] = _copy(counts)
        states = partition.handling.states
        lookups, misses = self._looked_up.get(id(partition), (0, 0))
        missed = states.misses - misses
        _add(metrics.STATE_CACHE.labels("miss"), missed)
        _add(metrics.STATE_CACHE.labels("hit"), states.lookups - lookups - missed)
        self._looked_up[id(partition)] = states.lookups, states.misses

    def forget(self, partition: LeadPartition) -> None:
        """The object is no longer the owner's: its last totals, and its gauges go."""
        self.settle(partition)
        del self._published[id(partition)], self._looked_up[id(partition)]
        label = str(partition.number)
        for gauge in _GAUGES:
            if (label,) in gauge._metrics:
                gauge.remove(label)

    def _gauges(self, number: int, slot: Any, now_ms: int) -> None:
        label = str(number)
        counts = slot.partition.counts
        metrics.RECOVERY.labels(label).set(slot.read_to / slot.end if slot.end else 0)
        states = slot.partition.handling.states
        metrics.LEADS.labels(label).set(len(states.slots))
        metrics.STATE_BYTES.labels(label).set(states.stored_bytes)
        metrics.TIMERS_PENDING.labels(label).set(counts.timers_pending)
        metrics.TIMERS_OVERDUE.labels(label).set(counts.timers_overdue)
        overdue = max(0, now_ms - counts.oldest_due_ms) if counts.oldest_due_ms else 0
        metrics.TIMER_OLDEST_OVERDUE.labels(label).set(overdue / 1000)
        end, position = self._driver.log_end(number), slot.position
        if end is not None and position is not None:
            lag = max(0, end - position)
            metrics.LAG_RECORDS.labels(label).set(lag)
            old = max(0, now_ms - slot.record_ms) / 1000 if lag and slot.record_ms else 0
            metrics.LAG_SECONDS.labels(label).set(old)


_GAUGES = (
    metrics.RECOVERY, metrics.TIMERS_PENDING, metrics.TIMERS_OVERDUE, metrics.TIMER_OLDEST_OVERDUE,
    metrics.LAG_RECORDS, metrics.LAG_SECONDS, metrics.LEADS, metrics.STATE_BYTES,
)  # fmt: skip


def _add(counter: Any, more: int) -> None:
    if more > 0:
        counter.inc(more)


def _add_named(metric: Counter, now: Mapping[str, int], before: Mapping[str, int]) -> None:
    for name, total in now.items():
        _add(metric.labels(name), total - before.get(name, 0))


def _copy(counts: PartitionCounts) -> PartitionCounts:
    """A copy that later counting does not reach."""
    fields = {name: getattr(counts, name) for name in counts.__struct_fields__}
    for name, value in fields.items():
        if isinstance(value, list | dict):
            fields[name] = value.copy()
    return PartitionCounts(**fields)
