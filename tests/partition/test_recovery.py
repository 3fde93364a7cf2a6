"""How an owner begins, when it refuses to, and what it does about another that still writes."""

from __future__ import annotations

import pytest

from schemas import topics
from schemas.changes import Change, digest_of
from schemas.errors import Halt
from schemas.facts import DECODE
from schemas.records import DECODERS, ChangeMarker
from schemas.state import FENCE_KEY, MARKER_KEY, Lead, Marker, decode, encode, encode_marker
from streams.engine.registry import Registries
from streams.ports import AwaitChanges, Commit, Outgoing, Produce, Reread, StoredRecord
from tests.partition.driving import Driver, T, event, page, record

STATES = topics.LEADS_CHANGELOG


def marker(watermark: int, **more: object) -> bytes:
    return encode_marker(Marker(watermark, "t", **more))  # type: ignore[arg-type]


def stored(points: int, watermark: int) -> bytes:
    return encode(Lead(points=points), watermark)


def points(driver: Driver, lead: str = "ana") -> float:
    found = driver.partition.lead(lead)
    assert found is not None
    return found.points


def change(id: str = "hot") -> Change:
    document = {"list": id}
    return Change("list", id, "publish", document, digest_of(document))


# Beginning


def test_an_empty_log_begins_at_its_start() -> None:
    assert Driver().start(log_end=0) == 0


def test_begins_behind_the_marker() -> None:
    driver = Driver()
    driver.partition.recovered(MARKER_KEY, marker(41))
    assert driver.start() == 42
    assert driver.partition.durable == 41
    assert driver.partition.idle


def test_the_highest_watermark_wins_not_the_last() -> None:
    driver = Driver()
    for key, value in [
        (b"ana", stored(1, 5)),
        (b"ana", stored(9, 30)),
        (MARKER_KEY, marker(30, change=4)),
        (FENCE_KEY, b""),
        (b"ana", stored(2, 20)),
        (MARKER_KEY, marker(20, change=3)),
        (b"bob", stored(7, 1)),
    ]:
        driver.partition.recovered(key, value)
    assert driver.start() == 31
    assert (points(driver), points(driver, "bob")) == (9, 7)
    assert driver.partition.change == 4


def test_a_newer_state_that_lies_before_an_older_one_is_written_again() -> None:
    driver = Driver()
    for key, value in [
        (b"ana", stored(9, 30)), (b"ana", stored(2, 20)), (MARKER_KEY, marker(30)),
    ]:  # fmt: skip
        driver.partition.recovered(key, value)
    driver.start()
    driver.tick(0)
    driver.tick(1_000)
    state, _ = driver.produced(STATES)
    assert (state.key, state.value) == (b"ana", stored(9, 30))
    assert driver.partition.counts.rewritten == 1


def test_a_tombstone_takes_a_lead_away() -> None:
    driver = Driver()
    driver.partition.recovered(b"ana", stored(1, 5))
    driver.partition.recovered(b"ana", None)
    driver.start()
    assert driver.partition.lead("ana") is None
    driver.receive(event(0, "Point"))
    assert points(driver) == 1


def test_states_without_a_marker_begin_at_the_start_and_skip_what_they_hold() -> None:
    driver = Driver()
    driver.partition.recovered(b"ana", stored(1, 1))
    assert driver.start() == 0
    driver.receive(
        event(0, "Point"), event(1, "Point"), event(2, "Point", "bob"), event(3, "Point")
    )
    assert (points(driver), points(driver, "bob")) == (2, 1)
    assert driver.partition.counts.skipped == 2


def test_a_successor_goes_on_where_the_marker_is() -> None:
    first = Driver()
    first.start()
    first.receive(event(0, "Point"), page(1), event(2, "Point", "bob"))
    first.settle()
    first.receive(event(3, "Point"))
    second = first.successor()
    assert second.partition.next_offset == 3
    second.receive(event(3, "Point"))
    assert (points(second), points(second, "bob")) == (2, 1)


HALTS = {
    "retention took records": (marker(41), {"log_start": 43}, "took 1 records"),
    "the log is shorter": (marker(41), {"log_end": 41}, "has seen offset 41"),
    "another topic": (marker(41), {"topic_id": "other"}, "deleted and made anew"),
    "no marker, and the log has lost its start": (None, {"log_start": 5}, "--from-log-start"),
}


@pytest.mark.parametrize("what", HALTS)
def test_refuses_to_begin(what: str) -> None:
    value, where, message = HALTS[what]
    driver = Driver()
    if value is not None:
        driver.partition.recovered(MARKER_KEY, value)
    with pytest.raises(Halt, match=message):
        driver.start(**where)


def test_a_marker_at_the_very_start_or_end_of_the_log_is_fine() -> None:
    for where in ({"log_start": 42}, {"log_end": 42}):
        driver = Driver()
        driver.partition.recovered(MARKER_KEY, marker(41))
        assert driver.start(**where) == 42


def test_from_the_log_start_only_when_told_and_only_without_a_marker() -> None:
    driver = Driver()
    assert driver.start(log_start=5, from_log_start=True) == 5
    driver.receive(event(5, "Point"))
    driver.settle()
    assert driver.partition.durable == 5
    other = Driver()
    other.partition.recovered(MARKER_KEY, marker(41))
    with pytest.raises(Halt):
        other.start(log_start=50, from_log_start=True)


def test_a_state_from_beyond_the_log_is_refused() -> None:
    driver = Driver()
    driver.partition.recovered(b"ana", stored(1, 7))
    with pytest.raises(Halt, match="offset 7"):
        driver.start(log_end=7)


# Contiguity


def test_a_gap_ends_the_process() -> None:
    driver = Driver()
    driver.start()
    driver.receive(event(0, "Point"))
    with pytest.raises(Halt, match="offset 1 was to come next, 2 came"):
        driver.receive(event(2, "Point"))


def test_what_was_handled_is_skipped_when_it_comes_again() -> None:
    driver = Driver()
    driver.start()
    driver.receive(event(0, "Point"), event(1, "Point"))
    driver.receive(event(0, "Point"), event(1, "Point"), event(2, "Point"))
    assert points(driver) == 3
    assert driver.partition.counts.skipped == 2


def test_a_gap_that_the_log_explains_is_none() -> None:
    driver = Driver()
    driver.start()
    driver.receive(event(0, "Point"))
    driver.partition.absent(1, 3)
    driver.receive(event(3, "Point"))
    driver.settle()
    assert (points(driver), driver.partition.durable) == (2, 3)


# Somebody else writes


def flushed(base: int, driver: Driver, offset: int) -> None:
    driver.receive(event(offset, "Point"))
    driver.tick(1_000 * (offset + 1))
    driver.acknowledge(STATES, base)


def test_a_foreign_write_is_read_and_its_leads_are_written_again() -> None:
    driver = Driver()
    driver.start(changelog_end=10)
    driver.tick(0)
    flushed(10, driver, 0)
    assert driver.outputs == [Commit(1)]
    driver.receive(event(1, "Point", "bob"))
    driver.tick(2_000)
    driver.acknowledge(STATES, 15)
    assert driver.outputs == [Commit(2), Reread(12, 15)]
    for key, value in [(b"ana", stored(0, 0)), (b"carl", stored(1, 1)), (MARKER_KEY, marker(0))]:
        driver.partition.foreign(key, value)
    driver.outputs = driver.partition.reread()
    ana, _ = driver.produced(STATES)
    assert (ana.key, decode(ana.value or b"").points) == (b"ana", 1)
    driver.acknowledge(STATES, 17)
    assert driver.outputs == [Commit(2)]


def test_a_foreign_state_that_is_ahead_is_written_again_when_we_are_there() -> None:
    driver = Driver()
    driver.start(changelog_end=10)
    driver.tick(0)
    driver.receive(event(0, "Point"))
    driver.tick(1_000)
    driver.acknowledge(STATES, 11)
    driver.partition.foreign(b"ana", stored(3, 2))
    driver.outputs = driver.partition.reread()
    assert driver.outputs == []
    driver.receive(event(1, "Point"))
    driver.settle()
    driver.receive(event(2, "Point"), page(3))
    driver.settle()
    written = [one.value for one in driver.changelog if one.key == b"ana"]
    assert [decode(v or b"").points for v in written] == [1, 2, 3]
    assert driver.partition.idle


def test_a_writer_of_a_later_generation_is_the_owner() -> None:
    driver = Driver()
    driver.start(generation=4)
    driver.partition.foreign(MARKER_KEY, marker(0, generation=3))
    with pytest.raises(Halt, match="no longer ours"):
        driver.partition.foreign(MARKER_KEY, marker(0, generation=5))


def test_a_changelog_that_became_shorter_ends_the_process() -> None:
    driver = Driver()
    driver.start(changelog_end=10)
    driver.receive(event(0, "Point"))
    driver.tick(0)
    driver.tick(1_000)
    with pytest.raises(Halt, match="deleted or cut"):
        driver.acknowledge(STATES, 9)


def test_an_unknown_base_offset_is_not_compared() -> None:
    driver = Driver()
    driver.start(changelog_end=10)
    driver.tick(0)
    flushed(-1, driver, 0)
    assert driver.outputs == [Commit(1)]
    flushed(99, driver, 1)
    assert driver.outputs == [Commit(2)], "nothing to compare with"
    flushed(105, driver, 2)
    assert driver.outputs == [Commit(3), Reread(101, 105)]


# Change markers


def mark(offset: int, number: int) -> StoredRecord:
    return record(offset, ChangeMarker(number), None, T + offset)


def test_a_change_is_told_and_is_in_the_marker() -> None:
    registries = Registries()
    registries.append(0, change("a"))
    registries.append(3, change("b"))
    driver = Driver(registries=registries)
    driver.start()
    driver.receive(mark(0, 3), mark(1, 0), mark(2, 3))
    (told,) = driver.produced(topics.JOURNEY_FACTS)
    facts = DECODE(told.value or b"")
    assert (told.key, facts.lead, facts.offset) == (None, "", 0)
    assert [(row.at, row.detail["change"], row.detail["what"]) for row in facts.facts] == [
        (T, 0, "list/a"),
        (T, 3, "list/b"),
    ]
    driver.settle()
    assert driver.successor().partition.change == 3
    assert driver.partition.counts.change_markers == 3


def test_waits_for_a_change_that_is_not_known_yet() -> None:
    driver = Driver()
    driver.start()
    outputs = driver.receive(event(0, "Send"), mark(1, 2), event(2, "Point"))
    assert [type(o) for o in outputs] == [Produce, Produce, AwaitChanges]
    assert outputs[-1] == AwaitChanges(2)
    assert driver.partition.waiting_for == 2
    assert driver.receive(event(3, "Point")) == []
    driver.registries.append(1, change("a"))
    assert driver.partition.resumed() == [AwaitChanges(2)]
    driver.registries.append(2, change("b"))
    driver.outputs = driver.partition.resumed()
    assert driver.partition.waiting_for is None
    assert (points(driver), driver.partition.change) == (3, 2)
    assert driver.partition.next_offset == 4


def test_waits_at_once_when_the_registry_is_behind_the_marker() -> None:
    driver = Driver()
    driver.partition.recovered(MARKER_KEY, marker(4, change=1, changes={1: T}))
    driver.start()
    assert driver.receive(event(5, "Point")) == [AwaitChanges(1)]
    assert driver.partition.lead("ana") is None
    driver.registries.append(1, change())
    driver.partition.resumed()
    assert points(driver) == 1


def missing(driver: Driver, at: int, **more: bool) -> list[int]:
    driver.tick(at, **more)
    return [_number(one) for one in driver.produced(topics.LEAD_EVENTS)]


def _number(one: Outgoing) -> int:
    assert dict(one.headers)["schema"] == b"change-marker/1"
    body = DECODERS["change-marker/1"].decode(one.value or b"")
    assert isinstance(body, ChangeMarker)
    return body.number


def test_a_marker_that_is_missing_for_ten_seconds_is_appended() -> None:
    driver = Driver()
    driver.start()
    driver.registries.append(0, change("a"))
    assert missing(driver, 0) == []
    driver.registries.append(1, change("b"))
    assert missing(driver, 9_999) == []
    assert missing(driver, 10_000, wake=False) == []
    assert missing(driver, 10_001) == [1]
    assert missing(driver, 20_000) == [], "not once a tick"
    assert missing(driver, 20_001) == [1]
    assert driver.partition.idle, "no flush waits for it"
    driver.receive(mark(0, 1))
    assert missing(driver, 60_000) == []
