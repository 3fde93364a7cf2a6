"""The order that nothing may break, and when a flush begins."""

from __future__ import annotations

import pytest

from schemas import topics
from schemas.commands import Suppression
from schemas.state import MARKER_KEY, decode, decode_marker, prefix_of
from streams.partition import suppression
from streams.partition.bounds import Bounds
from streams.ports import Commit, Outgoing, Produce
from tests.partition.driving import SECRET, Driver, T, event, page

COMMANDS, FACTS, STATES = topics.COMMANDS, topics.JOURNEY_FACTS, topics.LEADS_CHANGELOG


def started(**how: object) -> Driver:
    driver = Driver(**how)  # type: ignore[arg-type]
    driver.start()
    driver.tick(0)
    return driver


def points(record: Outgoing) -> int | float:
    return decode(record.value or b"").points


def watermark(record: Outgoing) -> int:
    assert record.key == MARKER_KEY
    return decode_marker(record.value or b"").watermark


def test_what_a_batch_says_goes_out_at_once_a_topic_a_produce() -> None:
    driver = started()
    outputs = driver.receive(
        event(0, "Send"), event(1, "Block"), event(2, "Told"), event(3, "Raise", "bob"), page(4)
    )
    assert [(o.topic, o.lane, o.partition) for o in outputs if isinstance(o, Produce)] == [
        ("suppressions", "commands", 0),
        ("commands", "commands", 0),
        ("journey-facts", "commands", 0),
        ("dead-letters", "commands", 0),
    ]
    assert len(outputs) == 4
    (command,) = driver.produced(COMMANDS)
    assert command.key == b"ana"
    assert dict(command.headers) == {"schema": b"command/1", "id": b"c0"}
    (block,) = driver.produced(topics.SUPPRESSIONS)
    assert block.key == suppression.key(SECRET, "email", "ana@example.com")
    assert b"ana" not in (block.key or b"")
    assert block.value == b'{"channel":"email","reason":"unsubscribed","at_ms":%d}' % (T + 1)
    assert Suppression("email", "unsubscribed", T + 1)
    assert len(driver.produced(FACTS)) == 3, "one record for each input record with facts"


def test_states_wait_for_commands_then_the_offset_for_the_states() -> None:
    driver = started()
    driver.receive(event(0, "Send"))
    sent = driver.outputs
    assert driver.tick(999) == []
    assert driver.tick(1_000) == [], "a flush has begun, but its commands are not durable"
    driver.outputs = sent
    assert driver.acknowledge(COMMANDS) == [], "nor its facts"
    driver.outputs = sent
    driver.acknowledge(FACTS)
    state, marker = driver.produced(STATES)
    assert (state.key, points(state), watermark(marker)) == (b"ana", 1, 0)
    assert driver.commits() == []
    assert driver.acknowledge(STATES) == [Commit(1)]
    assert driver.partition.idle


def test_what_comes_while_a_flush_waits_belongs_to_the_next() -> None:
    driver = started()
    driver.receive(event(0, "Send"))
    first = driver.outputs
    driver.tick(1_000)
    driver.receive(event(1, "Send"), event(2, "Point", "bob"))
    second = driver.outputs
    for topic in (COMMANDS, FACTS):
        driver.outputs = first
        driver.acknowledge(topic)
    state, marker = driver.produced(STATES)
    assert (points(state), watermark(marker)) == (1, 0), "the state is as it was at the beginning"
    driver.acknowledge(STATES)
    assert driver.tick(2_000) == [], "the second command is not durable"
    for topic in (FACTS, COMMANDS):
        driver.outputs = second
        driver.acknowledge(topic)
    ana, bob, marker = driver.produced(STATES)
    assert [(s.key, points(s)) for s in (ana, bob)] == [(b"ana", 2), (b"bob", 1)]
    assert watermark(marker) == 2


def test_a_lead_is_written_once_a_flush_with_the_watermark_of_its_last_effect() -> None:
    driver = started()
    driver.receive(*(event(o, "Point") for o in range(5)), page(5))
    driver.tick(1_000)
    state, marker = driver.produced(STATES)
    assert prefix_of(state.value or b"").watermark == 4
    assert watermark(marker) == 5
    driver.acknowledge(STATES)
    driver.receive(event(6, "Point", "bob"))
    driver.tick(2_000)
    assert [s.key for s in driver.produced(STATES)] == [b"bob", MARKER_KEY]


def test_many_changed_leads_begin_a_flush_at_once_and_the_next_follows() -> None:
    driver = started(bounds=Bounds(changed_leads=3))
    driver.receive(*(event(o, "Point", f"l{o}") for o in range(3)))
    assert len(driver.produced(STATES)) == 4
    first = driver.outputs
    driver.receive(*(event(o, "Point", f"l{o}") for o in range(3, 7)))
    assert driver.outputs == []
    assert not driver.partition.full
    driver.receive(*(event(o, "Point", f"l{o}") for o in range(7, 15)))
    assert driver.partition.full
    driver.outputs = first
    driver.acknowledge(STATES)
    assert driver.commits() == [3]
    assert len(driver.produced(STATES)) == 12 + 1
    assert not driver.partition.full


def test_records_without_effect_cost_a_marker_now_and_then() -> None:
    driver = started()
    written = 0
    for second in range(20):
        driver.receive(*(page(second * 100 + n, f"visitor-{n}") for n in range(100)))
        assert driver.outputs == []
        driver.tick(second * 1_000)
        if driver.outputs:
            assert [s.key for s in driver.produced(STATES)] == [MARKER_KEY]
            driver.acknowledge(STATES)
            written += 1
    assert 3 <= written <= 4
    counts = driver.partition.counts
    assert (counts.no_effect, counts.effects, counts.states) == (2_000, 0, 0)
    assert list(driver.partition.leads()) == []


def test_a_partition_at_rest_says_nothing_but_that_it_lives() -> None:
    driver = started()
    assert [driver.tick(t) for t in range(0, 600_000, 1_000)] == [[]] * 600
    driver.tick(600_000)
    assert [s.key for s in driver.produced(STATES)] == [MARKER_KEY]


def test_a_fact_without_effect_is_durable_before_the_marker_passes_it() -> None:
    driver = started()
    driver.receive(event(0, "Told"))
    sent = driver.outputs
    assert driver.tick(5_000) == []
    driver.outputs = sent
    driver.acknowledge(FACTS)
    assert watermark(driver.produced(STATES)[0]) == 0
    assert driver.partition.counts.refusals == {"reentry": 1}


def test_drain() -> None:
    driver = started()
    assert driver.partition.idle
    driver.receive(event(0, "Point"))
    assert not driver.partition.idle
    driver.outputs = driver.partition.flush()
    first = driver.outputs
    driver.receive(page(1))
    assert driver.partition.flush() == [], "the one in flight comes first"
    driver.outputs = first
    driver.acknowledge(STATES)
    assert watermark(driver.produced(STATES)[-1]) == 1
    driver.acknowledge(STATES)
    assert driver.partition.idle
    assert driver.partition.flush() == []


def test_an_acknowledgement_that_nobody_waits_for_is_a_bug() -> None:
    driver = started()
    with pytest.raises(ValueError, match="ticket 7"):
        driver.partition.acknowledged(7, 0)


def test_real_time_paces_flushes_not_the_clock_of_the_log() -> None:
    driver = Driver()
    driver.start()
    driver.tick(0, real_ms=0)
    driver.receive(event(0, "Point"))
    assert driver.tick(3_600_000, real_ms=500) == []
    driver.tick(7_200_000, real_ms=1_000)
    assert len(driver.produced(STATES)) == 2
