"""Delivery's metrics: what partitions count in plain ints, published each second."""

from __future__ import annotations

from collections.abc import Mapping

from prometheus_client import Counter

from app import metrics
from streams.delivery.counts import DeliveryCounts
from streams.delivery.partition import DeliveryPartition
from streams.delivery.queues import Queues
from streams.transport.driver import Driver


class Publisher:
    """Publishes `counts`, which all partitions share, and the state of the queues."""

    def __init__(
        self,
        driver: Driver[DeliveryPartition],
        counts: DeliveryCounts,
        queues: Queues,
        channels: tuple[str, ...],
    ) -> None:
        self._driver = driver
        self._counts = counts
        self._queues = queues
        self._channels = channels
        self._published: dict[tuple[str, ...], int] = {}

    def publish(self) -> None:
        """Once a second, and at the end."""
        counts = self._counts
        self._add_pairs(metrics.OUTCOMES, "outcomes", counts.outcomes)
        self._add_pairs(metrics.SINK_RETRIES, "retries", counts.retries)
        self._add_pairs(metrics.SENDS_SUPPRESSED, "not_called", counts.not_called)
        for channel, total in counts.unknown.items():
            self._add(metrics.SENDS_UNKNOWN.labels(channel), ("unknown", channel), total)
        for reason, total in counts.dead_letters.items():
            self._add(metrics.DEAD_LETTERS.labels(reason), ("dead", reason), total)
        self._add(metrics.SENDS_REPEATED, ("repeated",), counts.repeated)
        self._gauges()

    def _gauges(self) -> None:
        backlogs = [partition.backlog() for partition in self._driver.partitions.values()]
        for channel in self._channels:
            metrics.SENDS_OPEN.labels(channel).set(
                sum(backlog.queued.get(channel, 0) for backlog in backlogs)
            )
            metrics.SENDS_CALLING.labels(channel).set(self._queues.open(channel))
        age, lease = self._driver.membership.age_seconds, self._driver.membership.lease_seconds
        metrics.BROKER_UNREACHABLE.set(age is None or age > lease)
        oldest = max((backlog.oldest_ms for backlog in backlogs), default=0)
        metrics.SENDS_OLDEST.set(oldest / 1000)
        for number, slot in self._driver.slots.items():
            end, position = self._driver.log_end(number), slot.position
            if end is not None and position is not None:
                metrics.LAG_RECORDS.labels(str(number)).set(max(0, end - position))

    def _add_pairs(self, metric: Counter, name: str, totals: Mapping[tuple[str, str], int]) -> None:
        for pair, total in totals.items():
            self._add(metric.labels(*pair), (name, *pair), total)

    def _add(self, counter: Counter, name: tuple[str, ...], total: int) -> None:
        more = total - self._published.get(name, 0)
        if more > 0:
            counter.inc(more)
            self._published[name] = total
