"""Who is woken when, how often, and what becomes of a wake-up that is early or lost."""

from __future__ import annotations

from typing import Any

from schemas import topics
from schemas.records import DECODERS, WakeUp
from schemas.state import NEVER
from streams.partition.bounds import Bounds
from tests.partition.driving import Driver, T, event, wake


def started(**how: Any) -> Driver:
    driver = Driver(**how)
    driver.start()
    driver.tick(0)
    return driver


def timer(offset: int, due: int, lead: str = "ana") -> Any:
    """Sets the lead's only timer, `due` ms after `T`."""
    return event(offset, "Timer", lead, due=T + due)


def woken(driver: Driver, at: int, **more: Any) -> list[tuple[bytes | None, int]]:
    """Key and due time (after `T`) of the wake-ups appended at this tick."""
    driver.tick(at, **more)
    found = []
    for one in driver.produced(topics.LEAD_EVENTS):
        body = DECODERS["wake-up/1"].decode(one.value or b"")
        assert isinstance(body, WakeUp)
        found.append((one.key, body.due_ms - T))
    return found


def test_a_lead_is_woken_at_its_due_time_once() -> None:
    driver = started()
    driver.receive(timer(0, 700))
    assert woken(driver, 699) == []
    assert woken(driver, 700) == [(b"ana", 700)]
    assert woken(driver, 5_000) == [], "it is on its way"
    driver.settle()
    driver.receive(wake(1, 5_100, 700))
    assert driver.partition.next_due == NEVER
    counts = driver.partition.counts
    assert (counts.wakes, counts.lateness_ms) == (1, 4_400)
    assert counts.lateness == [0, 0, 0, 1, 0, 0, 0, 0, 0]


def test_no_flush_waits_for_a_wake_up() -> None:
    driver = started()
    driver.receive(timer(0, 500))
    driver.tick(1_500)
    assert [o.topic for o in driver.outputs] == [  # type: ignore[union-attr]
        topics.LEADS_CHANGELOG,
        topics.LEAD_EVENTS,
    ]


def test_an_early_one_is_sent_again_by_as_much_later_as_our_clock_is_ahead() -> None:
    driver = started()
    driver.receive(timer(0, 10_000))
    assert woken(driver, 10_000) == [(b"ana", 10_000)]
    driver.receive(wake(1, 4_000, 10_000))  # the log's clock is 6 s behind ours
    assert driver.partition.counts.wakes_early == 1
    assert woken(driver, 15_999) == []
    assert woken(driver, 16_000) == [(b"ana", 10_000)]
    driver.receive(wake(2, 10_000, 10_000))
    assert driver.partition.next_due == NEVER


def test_a_lost_one_is_sent_again_after_the_time_out() -> None:
    driver = started()
    driver.receive(timer(0, 500))
    assert len(woken(driver, 500)) == 1
    assert woken(driver, 30_499) == []
    assert woken(driver, 30_500) == [(b"ana", 500)]
    assert driver.partition.counts.wakes_lost == 1


def test_one_that_comes_in_time_and_moves_nothing_is_not_sent_again_at_once() -> None:
    def deaf(lead: Any, record: Any, *rest: Any) -> Any:
        from tests.partition.driving import toy

        handled = toy(None if isinstance(record.body, WakeUp) else lead, record, *rest)
        handled.lead = handled.lead or lead
        return handled

    from tests.partition.driving import toy_concerns

    driver = started(handle=deaf, concerns=toy_concerns)
    driver.receive(timer(0, 500))
    assert len(woken(driver, 500)) == 1
    driver.receive(wake(1, 600, 500))
    assert woken(driver, 601) == []
    assert driver.partition.counts.wakes_stuck == 1
    assert len(woken(driver, 60_500)) == 1


def test_a_timer_that_moves_while_its_wake_up_is_open() -> None:
    driver = started()
    driver.receive(timer(0, 500))
    assert len(woken(driver, 500)) == 1
    driver.receive(timer(1, 900))
    assert woken(driver, 1_000) == [], "one is open, whatever it was for"
    driver.receive(wake(2, 1_000, 500))
    assert driver.partition.next_due == NEVER, "the toy's wake-up takes every timer that is due"
    driver.receive(timer(3, 2_000))
    assert woken(driver, 2_000) == [(b"ana", 2_000)]


def test_a_timer_that_moves_later_or_goes_wakes_nobody() -> None:
    driver = started()
    driver.receive(timer(0, 500), timer(1, 500, "bob"))
    driver.receive(timer(2, 90_000), event(3, "Raise", "bob"))
    assert woken(driver, 60_000) == []
    assert woken(driver, 90_000) == [(b"ana", 90_000)]


def test_the_oldest_come_first_within_a_budget() -> None:
    driver = started(bounds=Bounds(wakes_per_second=10, wakes_open=15))
    driver.receive(*(timer(n, 1_000 - n, f"l{n:02}") for n in range(40)))
    first = woken(driver, 10_000)
    assert first == [(b"l%02d" % n, 1_000 - n) for n in range(39, 29, -1)]
    assert driver.partition.counts.timers_overdue > 10
    second = woken(driver, 10_100)
    assert len(second) == 1, "a tenth of a second, a tenth of the budget"
    third = woken(driver, 20_000)
    assert len(third) == 4, "no more than 15 are open"
    driver.settle()
    keys = [key for key, _ in first + second + third]
    assert keys == sorted(keys, reverse=True)


def test_held_back() -> None:
    driver = started()
    driver.receive(timer(0, 500))
    assert woken(driver, 1_000, wake=False) == []
    assert woken(driver, 1_001) == [(b"ana", 500)]


def test_a_clock_that_jumps_ahead_and_back_wakes_nobody_for_good() -> None:
    driver = started()
    driver.receive(timer(0, 50_000), timer(1, 7_200_000, "bob"))
    assert woken(driver, 3_600_000, real_ms=100) == [(b"ana", 50_000)]
    driver.receive(wake(2, 1_000, 50_000))
    assert woken(driver, 1_100, real_ms=200) == []
    assert woken(driver, 50_000, real_ms=60_000) == []
    assert woken(driver, 3_649_000, real_ms=70_000) == [(b"ana", 50_000)]


def test_a_successor_wakes_who_is_due() -> None:
    driver = started()
    driver.receive(timer(0, 500), timer(1, 90_000, "bob"))
    assert len(woken(driver, 600)) == 1
    driver.settle()
    other = driver.successor()
    assert woken(other, 700) == [(b"ana", 500)], "again: a second one does no harm"
    assert other.partition.next_due == T + 90_000
    assert other.partition.counts.timers_pending == 1
