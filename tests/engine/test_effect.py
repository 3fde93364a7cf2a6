"""The no-effect rule (architecture, The protocol of a partition), and random logs.

What must hold for every record is checked in `folding.Log`.
"""

from __future__ import annotations

import random

import pytest
from hypothesis import HealthCheck, given, settings
from msgspec import Raw

from schemas import facts as f
from schemas.records import Interaction, Record
from schemas.state import encode
from streams.engine import bounds
from streams.engine.handle import handle
from tests.engine.folding import Log, reread
from tests.engine.logs import GAPS, START, body_of, registry_of_all, run, seeds

GO = "2026-01-05T10:00"
DOCUMENT = "{campaign: c, enter: [{event: Go}], reentry: after_exit, steps: [{wait: 1 day}]}"


@settings(max_examples=40, suppress_health_check=[HealthCheck.too_slow])
@given(seeds)
def test_whatever_happens(pick: random.Random) -> None:
    log = registry_of_all(pick.choice(["ana", "ben", "cid"]))
    run(log, pick, 60)
    assert log.offset == 61


@pytest.mark.parametrize("seed", range(12))
def test_long_logs(seed: int) -> None:
    log = registry_of_all(f"lead-{seed}")
    run(log, random.Random(seed), 200, publish=True)
    assert log.lead is not None
    assert len(log.bytes()) < bounds.STATE_BYTES
    assert log.told(f.Entered)
    assert len(log.lead.journeys) <= bounds.OPEN_JOURNEYS


@settings(max_examples=40, suppress_health_check=[HealthCheck.too_slow])
@given(seeds)
def test_handled_twice_it_has_no_effect_where_it_had_none(pick: random.Random) -> None:
    log = registry_of_all()
    run(log, pick, pick.randrange(40))
    at = START if log.lead is None else log.lead.clock + pick.choice(GAPS)
    record = Record(0, log.offset + 1, at, "ana", "again", body_of(log, at, pick))
    before = None if log.lead is None else encode(log.lead, 0)
    first = handle(log.lead, record, log.registry)
    state = None if first.lead is None else encode(first.lead, 0)
    if not first.effect:
        assert state == before
    second = handle(first.lead, reread(record), log.registry)
    if isinstance(record.body, Interaction) or not first.effect:
        assert not second.effect
        assert (None if second.lead is None else encode(second.lead, 0)) == state
    if not first.effect:
        assert second.facts == first.facts


@pytest.mark.parametrize(
    "properties", [b"null", b"[]", b"5", b'"x"', b'{"a":[[]]}', b'{"a":1e400}', b'{"a":"\xff"}']
)
def test_odd_json_that_nobody_asks_for_is_nothing(properties: bytes) -> None:
    log = Log(DOCUMENT)
    body = Interaction("track", "Other", properties=Raw(properties))
    record = Record(0, 1, 1_800_000_000_000, "ana", "m", body)
    assert not handle(None, record, log.registry).effect


def test_no_effect_no_lead_no_write() -> None:
    log = Log(DOCUMENT)
    for at in ("2026-01-05T10:00", "2026-01-06T10:00"):
        assert log.track(at, "Other", {"a": 1}, context={"timezone": "Asia/Tokyo"}).lead is None
    log.track("2026-01-07T10:00", "Go")
    before = log.bytes()
    assert not log.track("2026-01-07T10:01", "Other").effect
    assert not log.identify("2026-01-07T10:02").effect
    assert not log.identify("2026-01-07T10:02", missing=None).effect
    assert log.bytes() == before


def test_an_identify_that_repeats_known_traits_has_none() -> None:
    log = Log(DOCUMENT)
    traits = {"a": 1, "b": [1, {"c": None}], "d": "x", "e": 1.5, "f": False}
    assert log.identify("2026-01-05T10:00", **traits).effect
    assert not log.identify("2026-01-05T10:01", **traits).effect
    assert not log.identify("2026-01-05T10:02", a=1.0).effect
    for changed in ({"a": True}, {"b": [True, {"c": None}]}, {"f": 0}, {"b": [1, {"c": 0}]}):
        assert log.identify("2026-01-05T10:03", **changed).effect


def test_the_browsers_zone_is_seen_on_any_record_of_a_lead_that_exists() -> None:
    log = Log("""
campaign: c
enter: [{event: Go}]
steps: [{wait: 1 day, at: "09:00"}]
""")
    log.track(GO, "Go")
    assert log.waiting() == [("steps[0]", "2026-01-07T09:00")]
    log.page("2026-01-05T10:01", "/nobody-looks", context={"timezone": "Asia/Tokyo"})
    assert log.waiting() == [("steps[0]", "2026-01-07T00:00")]
    assert not log.page("2026-01-05T10:02", "/", context={"timezone": "Asia/Tokyo"}).effect
    assert not log.page("2026-01-05T10:03", "/", context={"timezone": "Mars/X"}).effect
    assert log.counted == ["unknown_timezone"]


def test_before_effect_is_called_once_with_the_lead_as_it_was() -> None:
    log = Log(DOCUMENT)
    seen: list[bytes | None] = []
    record = Record(0, 1, 1_800_000_000_000, "ana", "m", Interaction("track", "Go"))
    handled = handle(None, record, log.registry, before_effect=lambda lead: seen.append(lead))  # type: ignore[arg-type]
    assert seen == [None]
    assert handled.lead is not None
    state = encode(handled.lead, 0)
    later = Record(0, 2, 1_900_000_000_000, "ana", "n", Interaction("track", "Go"))
    handle(
        handled.lead, later, log.registry,
        before_effect=lambda lead: seen.append(None if lead is None else encode(lead, 0)),
    )  # fmt: skip
    assert seen == [None, state]
