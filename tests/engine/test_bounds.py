"""The bounds of a lead (architecture, Bounds), and odd data that must not raise."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec import Raw

from schemas import facts as f
from schemas.errors import DataError
from schemas.records import Interaction, Record
from schemas.state import decode, encode
from schemas.topics import BY_NAME, JOURNEY_FACTS
from streams.engine import bounds
from streams.engine.handle import concerns, handle
from tests.engine.folding import Log, ms, raw

GO = "2026-01-05T10:00"


def limits(log: Log) -> list[str]:
    return [fact.limit for fact in log.told(f.LimitReached)]


def test_traits() -> None:
    log = Log()
    log.identify(GO, **{f"t{n}": n for n in range(bounds.TRAITS + 2)})
    assert log.lead is not None
    assert len(log.lead.traits) == bounds.TRAITS
    assert limits(log) == ["traits"] * 2
    log.identify("2026-01-05T10:01", t0="changed", new=1)  # what is there may still change
    assert log.lead.traits["t0"] == "changed"
    assert "new" not in log.lead.traits
    log.identify("2026-01-05T10:02", t1=None, new=2)
    assert log.lead.traits["new"] == 2


def test_the_size_of_traits() -> None:
    log = Log()
    log.identify(GO, a="x" * 10_000)
    log.identify("2026-01-05T10:01", b="y" * 10_000)
    assert log.lead is not None
    assert list(log.lead.traits) == ["a"]
    assert limits(log) == ["traits"]
    log.identify("2026-01-05T10:02", a="z" * 16_000)
    assert len(log.lead.traits["a"]) == 16_000


def test_lists_and_tags() -> None:
    many = ", ".join(f"n{n}" for n in range(bounds.TAGS + 1))
    log = Log(f"{{campaign: c, enter: [{{event: Go}}], steps: [{{add_tags: [{many}]}}, "
              f"{{add_to_list: [{many}]}}]}}")  # fmt: skip
    log.track(GO, "Go")
    assert log.lead is not None
    assert (len(log.lead.tags), len(log.lead.lists)) == (bounds.TAGS, bounds.LISTS)
    assert limits(log) == ["tags", "lists"]
    log.by_hand("2026-01-05T11:00", "join", "by-hand")
    assert limits(log) == ["tags", "lists", "lists"]


def test_points_stay_numbers_that_can_be_stored() -> None:
    log = Log("""
campaign: c
enter: [{event: Go}]
reentry: after_exit
steps: [{change_points: {expr: event.properties.n}}]
""")
    for amount in (2**63 - 1, 2**63 - 1, 2**63 - 1, 1e308, 1e308, 1e308, "x", None, True, []):
        log.track(GO, "Go", {"n": amount})
        assert log.lead is not None
        assert decode(log.bytes()).points == log.lead.points
    assert log.lead is not None
    assert log.lead.points == pytest.approx(1e308)


def test_points_may_be_fractions_and_cross_a_mark_once() -> None:
    log = Log(
        "{campaign: adds, enter: [{event: Go}], reentry: after_exit, "
        "steps: [{change_points: 0.5}]}",
        "{campaign: at, enter: [{reaches_points: 1}], reentry: after_exit, steps: [{add_tags: x}]}",
    )
    for n in range(4):
        log.track(f"2026-01-05T10:0{n}", "Go")
    assert [fact.trigger for fact in log.told(f.Entered) if fact.campaign == "at"] == [
        "reaches_points"
    ]


def test_what_a_step_copies_does_not_follow_its_source() -> None:
    """In memory as after a recovery: tags copied into a trait, and a command's data as of issue."""
    log = Log("""
campaign: c
enter: [{event: Go}]
steps:
  - add_tags: [one, two]
  - set_fields: {copied: {expr: lead.tags}}
  - call_webhook: {url: "https://example.com/", body: {tags: "{{ lead.tags }}"}}
  - remove_tags: one
  - add_tags: three
""")
    log.track(GO, "Go")
    assert log.lead is not None
    assert log.lead.traits["copied"] == ["one", "two"]
    assert log.commands[0].data == {"lead": {"tags": ["one", "two"]}}
    assert log.lead.tags == ["two", "three"]


ASKS = """
campaign: c
enter: [{event: Go}]
only_if: empty(event.properties.a) or not empty(lead.a)
per: event.properties.per
steps:
  - set_fields: {copy: {expr: event.properties.a}}
  - record_event: {name: Copied, properties: {of: {expr: event.properties.a}}}
"""


@pytest.mark.parametrize(
    ("properties", "reason"),
    [
        (b'{"a":"\xff"}', "bad_json"),
        (b'{"\xff":1}', "bad_json"),
        (b'{"a":1e999}', "bad_json"),
        (b'{"a":"\\ud800"}', "bad_json"),
        (b'{"a":' + b"[" * 33 + b"]" * 33 + b"}", "too_deep"),
        (b"[" * 900 + b"]" * 900, "too_deep"),
        (b'{"a":' + b'{"a":' * 40 + b"1" + b"}" * 41, "too_deep"),
    ],
)
def test_json_that_cannot_be_used_is_bad_data(properties: bytes, reason: str) -> None:
    log = Log(ASKS)
    record = Record(
        0, 1, ms(GO), "ana", "m", Interaction("track", "Go", properties=Raw(properties))
    )
    assert concerns(None, record, log.registry)
    with pytest.raises(DataError) as caught:
        handle(None, record, log.registry)
    assert caught.value.reason == reason
    traits = Record(0, 1, ms(GO), "ana", "m", Interaction("identify", traits=Raw(properties)))
    with pytest.raises(DataError):
        handle(None, traits, log.registry)


def nested(depth: int) -> Any:
    value: Any = 1
    for _ in range(depth):
        value = [value]
    return value


@pytest.mark.parametrize(
    "value",
    [None, True, 0, -0.0, 1.5, 2**64 - 1, -(2**63), 1e300, "", "x" * 5_000, "\x00\x1f", [], {},
     [[[]]], {"": {"": ""}}, nested(30), ["a", 1, None, True, {"b": []}]],
)  # fmt: skip
def test_any_json_passes_through_traits_properties_and_steps(value: Any) -> None:
    log = Log(ASKS)
    log.identify("2026-01-05T09:00", a=value, timezone=value, email=value)
    log.track(GO, "Go", {"a": value, "per": value}, context={"timezone": value, "page": value})
    log.page("2026-01-05T10:01", "/", context={"page": {"path": value, "url": value}})
    log.take("2026-01-05T10:02", Interaction("page", properties=raw(value), context=raw(value)))
    log.take("2026-01-05T10:03", Interaction("identify", traits=raw(value)))
    for event in ("Email Opened", "Email Bounced", "Unsubscribed", "Form Submitted",
                  "File Downloaded"):  # fmt: skip
        log.track("2026-01-05T10:04", event, {
            "message": value, "template": value, "channel": value, "email": value,
            "form_id": value, "name": value, "link_url": value,
        })  # fmt: skip


@pytest.mark.parametrize("timestamp", ["", "nonsense", "9999-12-31T23:59:59.999999-23:59",
                                       "0001-01-01", "2026-13-45", "\x00"])  # fmt: skip
def test_any_timestamp_passes(timestamp: str) -> None:
    log = Log(
        "{campaign: c, enter: [{event: Go}], steps: [{wait_for: {event: X}, within: 1 hour}]}"
    )
    log.track(GO, "Go", timestamp=timestamp)
    log.wake("2026-01-05T11:00")
    log.track("2026-01-05T12:00", "X", timestamp=timestamp, historical=True)
    log.track("2026-01-05T12:01", "X", timestamp=timestamp)


def test_a_long_life_does_not_grow() -> None:
    """Years of the same habits: a state as large after 300 rounds as after 150."""
    log = Log(
        """
campaign: habit
enter: [{event: Go}]
reentry: after_exit
goal: {on: {event: Buy}, within: 2 days}
steps:
  - {send_email: hello, id: hello}
  - {wait_for: [{opens_email: hello}, {event: Never}], within: 1 hour}
  - {if: 'times("Go", "3 days") > 1', then: [{change_points: 1}]}
""",
        "{campaign: visits, enter: [{spends_time: 1 minute}], reentry: after_exit, "
        "steps: [{add_tags: x}]}",
    )
    log.identify("2020-01-01T00:00", email="ana@example.com")
    sizes = []
    at = ms("2020-01-01T10:00")
    for n in range(300):
        at += 13 * 3_600_000
        log.until(at)
        log.track(at, "Go")
        log.page(at + 60_000, f"/{n}")
        log.page(at + 130_000, "/")
        sizes.append(len(log.bytes()))
    assert max(sizes[150:]) <= max(sizes[:150]) + 64
    assert log.lead is not None
    assert len(log.lead.journeys) < 10


def test_a_journey_without_an_end_does_not_grow() -> None:
    log = Log("""
campaign: loop
enter: [{event: Go}]
steps:
  - {send_email: hello, id: top}
  - {wait_for: {opens_email: top}, within: 1 hour}
  - {jump_to: top, at_most: 1000}
""")
    log.identify("2026-01-01T00:00", email="ana@example.com")
    log.track("2026-01-01T10:00", "Go")
    sizes = []
    for n in range(400):
        log.wake(ms("2026-01-01T11:00") + n * 3_600_000)
        sizes.append(len(log.bytes()))
    assert max(sizes[200:]) <= max(sizes[:200]) + 16


def test_encode_gives_what_decode_takes() -> None:
    log = Log(ASKS)
    log.track(GO, "Go", {"per": "x", "a": None})
    assert log.lead is not None
    value = encode(log.lead, 77)
    assert encode(decode(value), 77) == value


@pytest.mark.parametrize("texts", [[], ["x" * 15_000, "y" * 15_000]])
def test_the_facts_of_a_record_fit_into_a_record_of_kafka(texts: list[str]) -> None:
    """A campaign that enters by the very field it sets runs until a bound is met."""
    name = "a-campaign-whose-name-is-long-enough-to-be-realistic"
    counts = {"set_fields": {"counter": {"expr": "lead.counter + 1"}}, "id": f"up-{name}"}
    log = Log({
        "campaign": name,
        "enter": [{"changes_field": "counter"}],
        "reentry": "after_exit",
        "steps": [counts, *({"set_fields": {"text": text}} for text in texts)],
    })  # fmt: skip
    handled = log.identify(GO, counter=1)
    rows = [f.row(fact) for fact in handled.facts]
    whole = f.ENCODE(f.FactList("ana", 0, 1, 1, "m", rows))
    assert bounds.FACTS_BYTES < len(whole) < BY_NAME[JOURNEY_FACTS].max_bytes
    assert limits(log) == ["facts_bytes"]
    assert log.journeys() == []
    assert not log.track("2026-01-05T10:01", "Other").effect
