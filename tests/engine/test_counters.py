"""`times(…)`: buckets of a 31st of the period."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas import facts as f
from schemas.campaigns import Duration
from streams.engine import bounds, counters
from streams.engine.expressions import CounterSpec
from tests.engine.folding import Log, ms

DAY = 86_400_000
NOW = ms("2026-01-05T10:00")


def spec(period: Duration) -> CounterSpec:
    return CounterSpec("X", period, None, "key")


@given(
    st.sampled_from([Duration(days=7), Duration(ms=1), Duration(ms=31), Duration(months=1),
                     Duration(ms=3_600_000)]),
    st.lists(
        st.integers(0, 3 * DAY) | st.sampled_from([DAY, 6 * DAY + DAY // 8, 7 * DAY - 1, 7 * DAY]),
        min_size=1, max_size=40,
    ),
)  # fmt: skip
def test_an_event_counts_while_a_part_of_its_bucket_lies_in_the_period(
    period: Duration, gaps: list[int]
) -> None:
    counter = spec(period)
    length = counters.period_ms(counter)
    width = length // counters.BUCKETS
    buckets: dict[int, int] = {}
    history: list[int] = []
    now = NOW
    for gap in gaps:
        now += gap
        history.append(now)
        buckets = counters.counted(buckets, counter, now, now)
        expected = sum(
            1 for at in history if any_part(at // width * width, width, now - length, now)
        )  # fmt: skip
        assert counters.total(buckets, counter, now) == expected
        assert counters.total(buckets, counter, now) >= 1  # the event at hand counts
        assert len(buckets) <= counters.BUCKETS + 1
    assert counters.total(buckets, counter, now + length + width) == 0


def any_part(start: int, width: int, after: int, upto: int) -> bool:
    """Whether [start, start + width) meets (after, upto]."""
    return start + width > after and start <= upto


@given(st.lists(st.integers(-(10**15), 10**15), max_size=50))
def test_historical_times_leave_no_more_than_a_period(own: list[int]) -> None:
    counter = spec(Duration(days=7))
    buckets: dict[int, int] = {}
    for at in own:
        buckets = counters.counted(buckets, counter, at, NOW)
    assert len(buckets) <= counters.BUCKETS + 1
    inside = sum(1 for at in own if at > NOW - 7 * DAY)
    assert inside <= counters.total(buckets, counter, NOW)
    assert counters.total(buckets, counter, NOW + 8 * DAY) == 0


def test_the_event_at_hand_counts() -> None:
    log = Log("""
campaign: c
enter: [{event: Viewed}]
only_if: times("Viewed", "7 days") >= 3
steps: [{add_tags: keen}]
""")
    for n in range(3):
        log.track(NOW + n * DAY, "Viewed")
    assert log.refusals() == ["only_if"] * 2
    assert log.lead is not None
    assert log.lead.tags == ["keen"]


def test_a_filter_sees_the_event() -> None:
    log = Log("""
campaign: c
enter: [{event: Ask}]
reentry: after_exit
steps:
  - if: times("Viewed", "7 days", "event.properties.price > 10") == 1
    then: [{add_tags: one}]
""")
    for price in (5, 20, "x", None):
        log.track(NOW, "Viewed", {"price": price})
    log.track(NOW, "Ask")
    assert log.lead is not None
    assert log.lead.tags == ["one"]


def test_recorded_events_count_for_the_next_step() -> None:
    log = Log("""
campaign: c
enter: [{event: Go}]
steps:
  - record_event: {name: Scored, properties: {n: 5}}
  - {if: 'times("Scored", "1 day") == 1', then: [{add_tags: counted}]}
""")
    log.track(NOW, "Go")
    assert log.lead is not None
    assert log.lead.tags == ["counted"]
    assert [fact.properties for fact in log.told(f.EventRecorded)] == [{"n": 5}]


def test_a_timer_counts_as_of_its_due_time() -> None:
    log = Log("""
campaign: c
enter: [{event: Go}]
steps:
  - wait: 1 day
  - {if: 'times("Viewed", "1 day") == 1', then: [{add_tags: one}]}
""")
    log.track(NOW, "Go")
    log.track(NOW + DAY // 2, "Viewed")
    log.wake(NOW + 30 * DAY)
    assert log.lead is not None
    assert log.lead.tags == ["one"]


def test_historical_events_count_by_their_own_timestamp_and_never_in_the_future() -> None:
    log = Log("""
campaign: c
enter: [{event: Ask}]
reentry: after_exit
steps: [{set_points: {expr: 'times("Viewed", "7 days")'}}]
""")
    for timestamp in ("2026-01-04T10:00:00Z", "2025-06-01T00:00:00Z", "9999-12-31T00:00:00Z"):
        log.track(NOW, "Viewed", historical=True, timestamp=timestamp)
    log.track(NOW, "Viewed", timestamp="2025-06-01T00:00:00Z")
    log.track(NOW, "Ask")
    assert log.lead is not None
    assert log.lead.points == 3
    log.track(NOW + 9 * DAY, "Ask")
    assert log.lead.points == 0


def test_a_counter_starts_when_its_campaign_is_published() -> None:
    log = Log("{campaign: first, enter: [{event: Viewed}], steps: [{add_tags: x}]}")
    log.track(NOW, "Viewed")
    log.publish("""
campaign: c
enter: [{event: Ask}]
steps: [{set_points: {expr: 'times("Viewed", "7 days")'}}]
""")
    log.track(NOW + 1, "Viewed")
    log.track(NOW + 2, "Ask")
    assert log.lead is not None
    assert log.lead.points == 1


def test_a_counter_that_nobody_moves_has_no_effect() -> None:
    log = Log("""
campaign: c
enter: [{event: Ask}]
only_if: times("Viewed", "7 days", "event.properties.a == 1") > 5
steps: [{add_tags: x}]
""")
    log.track(NOW, "Ask")
    assert log.track(NOW, "Viewed", {"a": 2}).lead is None


@pytest.mark.parametrize("n", [bounds.COUNTERS + 1])
def test_the_bound_of_counters(n: int) -> None:
    documents = [
        f"""
campaign: c{i}
enter: [{{event: Ask}}]
only_if: times("Viewed", "{i + 1} days") > 5
steps: [{{add_tags: x}}]
"""
        for i in range(n)
    ]
    log = Log(*documents)
    log.track(NOW, "Viewed")
    assert log.lead is not None
    assert len(log.lead.counters) == bounds.COUNTERS
    assert [fact.limit for fact in log.told(f.LimitReached)] == ["counters"]
