"""The timer index against a plain dictionary that is sorted when it is asked."""

from __future__ import annotations

from array import array

from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.state import NEVER
from streams.partition.timer_index import DAY_MS, MINUTE_MS, SECOND_MS, TimerIndex

START = 1_700_000_000_000
AHEAD = st.one_of(
    st.integers(-5 * SECOND_MS, 5 * SECOND_MS),
    st.integers(-DAY_MS, 3 * MINUTE_MS),
    st.integers(0, 3 * DAY_MS),
    st.integers(0, 400 * DAY_MS),
    st.sampled_from([0, MINUTE_MS, 2 * MINUTE_MS, DAY_MS, 2 * DAY_MS, 200 * 365 * DAY_MS]),
)
STEP = st.one_of(
    st.tuples(st.just("set"), st.integers(0, 20), AHEAD),
    st.tuples(st.just("cancel"), st.integers(0, 20), st.just(0)),
    st.tuples(st.just("pop"), st.integers(1, 30), st.integers(-DAY_MS, 400 * DAY_MS)),
)


class Sorted:
    """What the index must do, said plainly."""

    def __init__(self) -> None:
        self.due: dict[int, int] = {}

    def ready(self, now: int) -> list[int]:
        return sorted((s for s, d in self.due.items() if d <= now), key=lambda s: (self.due[s], s))


@settings(max_examples=400, deadline=None)
@given(st.lists(STEP, max_size=60))
def test_pops_what_is_due_and_nothing_else(steps: list[tuple[str, int, int]]) -> None:
    index, model, now = TimerIndex(), Sorted(), START
    for what, number, ahead in steps:
        if what == "set":
            index.set(number, now + ahead)
            model.due[number] = now + ahead
        elif what == "cancel":
            index.set(number, NEVER)
            model.due.pop(number, None)
        else:
            now += ahead  # the clock may go back
            ready = model.ready(now)
            popped = index.pop(now, number)
            assert len(popped) == min(number, len(ready))
            assert set(popped) <= set(ready)
            assert len(set(popped)) == len(popped)
            for slot in popped:
                del model.due[slot]
        assert len(index) == len(model.due)
        assert index.earliest() == min(model.due.values(), default=NEVER)
    assert len(index.pop(START + 300 * 365 * DAY_MS, 1000)) == len(model.due)


@settings(max_examples=200, deadline=None)
@given(st.lists(AHEAD, max_size=50), AHEAD, st.integers(1, 7))
def test_oldest_first_whatever_the_portions(aheads: list[int], later: int, portion: int) -> None:
    index, model = TimerIndex(), Sorted()
    for slot, ahead in enumerate(aheads):
        index.set(slot, START + ahead)
        model.due[slot] = START + ahead
    popped: list[int] = []
    while more := index.pop(START + later, portion):
        popped += more
    assert popped == model.ready(START + later)


def test_a_timer_that_moves_later_again_and_again_stays_one_entry() -> None:
    index = TimerIndex()
    index.pop(START, 1)
    for i in range(10_000):
        index.set(0, START + 3_600_000 + i * SECOND_MS)
    assert index.overdue(START + 10 * DAY_MS) == 1
    assert index.pop(START + 3_600_000 + 9_998 * SECOND_MS, 10) == []
    assert index.pop(START + 3_600_000 + 9_999 * SECOND_MS, 10) == [0]


def test_an_entry_costs_few_bytes() -> None:
    index = TimerIndex()
    for slot in range(100_000):
        index.set(slot, START + slot * 25_920)
    arrays = [index._due, index._place]
    arrays += [bucket for level in index._levels for bucket in level.buckets.values()]
    used = sum(a.itemsize * len(a) for a in arrays if isinstance(a, array))
    assert used <= 16 * 100_000


def test_a_second_with_very_many_is_taken_in_portions() -> None:
    index = TimerIndex()
    for slot in range(5_000):
        index.set(slot, START)
    first = index.pop(START, 100)
    assert first == list(range(100))
    index.set(100, START + 10)  # moved while it waits its turn
    index.set(101, NEVER)
    assert index.pop(START, 2) == [102, 103]
    assert len(index) == 5_000 - 100 - 1 - 2
