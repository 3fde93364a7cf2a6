"""When the engine raises on a record: its lead alone is taken out, as it was before."""

from __future__ import annotations

from typing import Any

import pytest

from schemas import topics
from schemas.errors import DataError, Halt
from schemas.facts import DECODE
from schemas.state import NEVER, Lead
from streams.partition.bounds import Bounds
from tests.partition.driving import Driver, event, page, reason, toy, toy_concerns, wake


def started(**how: Any) -> Driver:
    driver = Driver(**how)
    driver.start()
    driver.tick(0)
    return driver


def lead(driver: Driver, id: str = "ana") -> Lead:
    found = driver.partition.lead(id)
    assert found is not None
    return found


@pytest.mark.parametrize("flushed", [True, False])
def test_the_lead_goes_back_to_what_it_was(flushed: bool) -> None:
    driver = started()
    driver.receive(event(0, "Point"), event(1, "Point"))
    if flushed:
        driver.settle()
    driver.receive(event(2, "Explode"), event(3, "Point", "bob"))
    assert (lead(driver).points, lead(driver).clock) == (2, lead(driver).clock)
    assert lead(driver).quarantined == "ZeroDivisionError at offset 2"
    assert lead(driver, "bob").points == 1, "the stream goes on"
    (letter,) = driver.produced(topics.DEAD_LETTERS)
    assert reason(letter) == "quarantined"
    assert b"boom" in dict(letter.headers)["dripline-detail"]
    (told,) = driver.produced(topics.JOURNEY_FACTS)
    (row,) = DECODE(told.value or b"").facts
    assert (row.fact, row.detail) == ("quarantined", {"error": "ZeroDivisionError"})


def test_later_records_follow_into_the_dead_letters_and_change_nothing() -> None:
    driver = started()
    driver.receive(event(0, "Point"), event(1, "Raise"))
    driver.settle()
    written = len(driver.changelog)
    driver.receive(event(2, "Point"), event(3, "Send"), event(4, "Raise"), wake(5, 9))
    assert [reason(one) for one in driver.produced(topics.DEAD_LETTERS)] == ["quarantined"] * 4
    assert driver.produced(topics.COMMANDS) == driver.produced(topics.JOURNEY_FACTS) == []
    driver.settle()
    assert [one.key for one in driver.changelog[written:]] == [b"\0marker"]
    assert (lead(driver).points, driver.partition.counts.quarantined) == (1, 1)


def test_it_outlives_the_owner() -> None:
    driver = started()
    driver.receive(event(0, "Explode"))
    driver.settle()
    other = driver.successor()
    other.receive(event(1, "Point"))
    assert [reason(one) for one in other.produced(topics.DEAD_LETTERS)] == ["quarantined"]


def test_a_lead_that_did_not_exist_is_nothing_but_quarantined() -> None:
    driver = started()
    driver.receive(event(0, "Explode", "new"))
    assert lead(driver, "new") == Lead(quarantined="ZeroDivisionError at offset 0")


def test_nobody_wakes_it() -> None:
    driver = started()
    driver.receive(event(0, "Timer", due=5_000))
    assert driver.partition.next_due == 5_000
    driver.receive(event(1, "Raise"))
    assert driver.partition.next_due == NEVER
    driver.settle()
    other = driver.successor()
    assert other.partition.next_due == NEVER
    assert other.tick(10_000) == []


def test_what_the_failed_record_said_is_not_sent() -> None:
    def half(lead: Any, record: Any, *rest: Any) -> Any:
        handled = toy(lead, record, *rest)
        if record.offset == 1:
            raise RecursionError
        return handled

    driver = started(handle=half, concerns=toy_concerns)
    driver.receive(event(0, "Send"), event(1, "Send"))
    assert [dict(c.headers)["id"] for c in driver.produced(topics.COMMANDS)] == [b"c0"]


def test_bad_data_that_the_engine_finds_is_no_quarantine() -> None:
    def picky(lead: Any, record: Any, *rest: Any) -> Any:
        toy(lead, record, *rest)
        raise DataError("bad_field", "properties.due is no time")

    driver = started(handle=picky, concerns=toy_concerns)
    driver.receive(event(0, "Point"))
    (letter,) = driver.produced(topics.DEAD_LETTERS)
    assert reason(letter) == "bad_field"
    assert driver.partition.lead("ana") is None


@pytest.mark.parametrize("error", [MemoryError(), Halt("enough")])
def test_what_is_not_about_the_record_ends_the_process(error: Exception) -> None:
    def failing(*_: Any) -> Any:
        raise error

    driver = started(handle=failing, concerns=toy_concerns)
    with pytest.raises(type(error)):
        driver.receive(event(0, "Point"))


def test_too_many_among_the_last_records_end_the_process() -> None:
    driver = started(bounds=Bounds(quarantines=3, quarantine_window=10))
    for offset in range(0, 40, 4):  # three among ten are not too many
        driver.receive(event(offset, "Raise", f"l{offset}"), *(page(offset + n) for n in (1, 2, 3)))
    driver.receive(event(40, "Raise", "x"))
    with pytest.raises(Halt, match="raised for 4 leads among the last 10 records"):
        driver.receive(event(41, "Raise", "y"))
    assert Bounds().quarantines == 100
    assert Bounds().quarantine_window == 10_000


def test_an_interest_that_raises_is_decided_by_handling() -> None:
    def raising(*_: Any) -> bool:
        raise KeyError

    driver = started(handle=toy, concerns=raising)
    driver.receive(event(0, "Point"), page(1), event(2, "Raise", "bob"))
    assert lead(driver).points == 1
    assert lead(driver, "bob").quarantined
