"""Counters for `times(…)`: counts in buckets of a 31st of the period, aligned to the epoch.

An event counts while any part of its bucket lies in the period (now - period, now]; the event at
hand counts (campaign-language, Expressions).
"""

from __future__ import annotations

from collections.abc import Mapping

from streams.engine.expressions import CounterSpec
from streams.engine.time import DAY_MS

BUCKETS = 31


def period_ms(counter: CounterSpec) -> int:
    """The period in ms; calendar days count 24 hours, months 30 days."""
    period = counter.period
    return max(BUCKETS, period.months * 30 * DAY_MS + period.days * DAY_MS + period.ms)


def total(buckets: Mapping[int, int] | None, counter: CounterSpec, now: int) -> int:
    """How many events lie in the period up to `now`."""
    if not buckets:
        return 0
    period = period_ms(counter)
    width = period // BUCKETS
    begin = now - period
    return sum(n for bucket, n in buckets.items() if (bucket + 1) * width > begin)


def counted(
    buckets: Mapping[int, int] | None, counter: CounterSpec, at: int, now: int
) -> dict[int, int]:
    """The buckets with one event more at `at` (at the latest now), without those that lie before
    the period."""
    at = min(at, now)
    period = period_ms(counter)
    width = period // BUCKETS
    begin = now - period
    kept = {bucket: n for bucket, n in (buckets or {}).items() if (bucket + 1) * width > begin}
    if (at // width + 1) * width > begin:
        kept[at // width] = kept.get(at // width, 0) + 1
    return kept
