"""Entry, refusals in their order, re-entry, one journey per value."""

from __future__ import annotations

from itertools import combinations_with_replacement
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Struct

from schemas import facts as f
from schemas.language import NOT_YET
from schemas.records import Interaction, Record
from schemas.state import Entry, Journey, Lead, Past
from streams.engine import bounds
from streams.engine.evolve import past_key
from streams.engine.handle import handle
from tests.engine.folding import Log, iso, ms

GO = "2026-01-05T10:00"


def campaign(**header: Any) -> dict[str, Any]:
    return {"campaign": "c", "enter": [{"event": "Go"}, {"called": True}], **header,
            "steps": header.pop("steps", [{"wait": "1 day"}])}  # fmt: skip


def test_an_entry_keeps_what_let_it_in() -> None:
    log = Log("""
campaign: c
enter: [{event: Other}, {event: Go}]
expires_after: 2 days
goal: {on: {event: Buy}, within: 3 days}
steps:
  - wait: 1 day
  - {if: entry.properties.order.id == 5 and entry.context.ip == "1.2.3.4", then: [{exit: same}]}
  - call_webhook: {url: "https://example.com/{{ entry.properties.list }}"}
""")
    log.track(
        GO,
        "Go",
        {"order": {"id": 5, "secret": "x"}, "list": [1, {"a": 2}], "more": "y"},
        context={"ip": "1.2.3.4", "page": {"path": "/"}},
    )
    (journey,) = log.journeys()
    assert journey.entry.name == "Go"
    assert journey.entry.properties == {"order": {"id": 5}, "list": [1, {"a": 2}]}
    assert journey.entry.context == {"ip": "1.2.3.4"}
    assert [iso(at) for at in (journey.entered_at, journey.expires_at, journey.goal_until)] == [
        "2026-01-05T10:00", "2026-01-07T10:00", "2026-01-08T10:00",
    ]  # fmt: skip
    log.until("2026-01-06T10:00")
    assert log.reasons() == ["same"]


def test_a_path_and_one_within_it_may_both_be_kept() -> None:
    log = Log("""
campaign: c
enter: [{event: Go}]
steps:
  - wait: 1 day
  - {if: entry.properties.a == 1 or entry.properties.a.b == 2 or entry.properties.a.c.d == 1,
     then: [{exit: yes}]}
""")
    log.track(GO, "Go", {"a": {"b": 2, "c": {"d": 3}, "e": 4}})
    (journey,) = log.journeys()
    assert journey.entry.properties == {"a": {"b": 2, "c": {"d": 3}, "e": 4}}


def test_any_trigger_lets_in_once_and_the_first_written_is_told() -> None:
    log = Log("""
campaign: c
enter: [{event: Other}, {event: Go, where: event.properties.n == 1}, {event: Go}]
reentry: always
steps: [{wait: 1 day}]
""")
    log.track(GO, "Go", {"n": 2})
    log.track(GO, "Go", {"n": 1})
    assert len(log.journeys()) == 2
    assert [fact.trigger for fact in log.told(f.Entered)] == ["event", "event"]


class Rule(Struct):
    """A rule of entry: its reason, the header and properties that break it, and what the lead
    must have gone through (of the campaign, as `Past`)."""

    reason: str
    header: dict[str, Any] = {}
    past: dict[str, Any] = {}
    properties: dict[str, Any] = {}
    runs: int = 0
    rival: bool = False


RULES = [
    Rule("not_active", {"active": {"until": "2026-01-05T10:00"}}),
    Rule("only_if", {"only_if": "false"}),
    Rule("missing_per", {"per": "event.properties.missing"}),
    Rule("too_large", properties={"big": "x" * bounds.ENTRY_BYTES}),
    Rule("removed_by_hand", past={"removed_by_hand": True}),
    Rule("reentry", {"reentry": "never"}, past={"runs": 5}),
    Rule("reentry_after", {"reentry_after": "30 days"}, past={"entered_at": ms(GO) - 1}),
    Rule("too_many_runs", runs=bounds.RUNS_AT_ONCE),
    Rule("group_occupied", {"exclusive_group": "g"}, rival=True),
    Rule("entries_at_most", {"entries_at_most": {"per_lead": 5}}, past={"runs": 5}),
]
BUILT = [
    rule for rule in RULES if not any(f"campaign.{key}" in NOT_YET for key in rule.header)
]  # fmt: skip


@pytest.mark.parametrize(("one", "two"), list(combinations_with_replacement(BUILT, 2)))
def test_the_first_rule_that_fails_is_the_reason(one: Rule, two: Rule) -> None:
    header = {"reentry": "always", **two.header, **one.header}
    steps = [{"wait": "1 day"}, {"if": "empty(entry.properties.big)", "then": []}]
    rival = {**header, "campaign": "rival", "reentry": "never", "enter": [{"event": "Rival"}],
             "priority": 9, "steps": [{"wait": "9 days"}]}  # fmt: skip
    log = Log(campaign(**header, steps=steps), {"campaign": "rival", **{
        key: rival[key] for key in ("enter", "priority", "steps", "exclusive_group")
        if key in rival}})  # fmt: skip
    log.identify("2026-01-05T09:00", a=1)
    if one.rival or two.rival:
        log.track("2026-01-05T09:00", "Rival")
    assert log.lead is not None
    for rule in (one, two):
        for name, value in rule.past.items():
            setattr(log.lead.past.setdefault("c", Past()), name, value)
        for n in range(rule.runs):
            log.lead.journeys.append(
                Journey(str(n), "c", 1, 1, "", 1, 0, n, Entry("", {}, {}))
            )  # fmt: skip
    log.track(GO, "Go", {**one.properties, **two.properties})
    assert log.refusals() == [one.reason]


def test_without_the_trigger_called_nobody_enters_by_hand() -> None:
    document = campaign(only_if="false")
    document["enter"] = [{"event": "Go"}]
    log = Log(document)
    log.by_hand(GO, "enter", "c")
    log.by_hand(GO, "enter", "no-such-campaign")
    assert log.refusals() == ["not_callable"]
    assert log.lead is None


@pytest.mark.parametrize(
    ("kind", "entered", "reasons"),
    [
        (None, 1, ["reentry", "reentry"]),
        ("never", 1, ["reentry", "reentry"]),
        ("after_exit", 2, ["reentry"]),
        ("restart", 3, []),
        ("always", 3, []),
    ],
)
def test_kinds_of_reentry(kind: str | None, entered: int, reasons: list[str]) -> None:
    """A second trigger while inside, a third after the end."""
    log = Log(campaign(**({"reentry": kind} if kind else {})))
    log.track(GO, "Go")
    log.track("2026-01-05T11:00", "Go")
    log.until("2026-01-07")
    log.track("2026-01-08T10:00", "Go")
    assert [fact.run for fact in log.told(f.Entered)] == list(range(1, entered + 1))
    assert log.refusals() == reasons
    assert log.reasons() == (["restarted"] if kind == "restart" else [])


def test_a_restart_cancels_the_timers_of_the_old_run() -> None:
    log = Log(campaign(reentry="restart", steps=[{"wait": "1 day"}, {"change_points": 1}]))
    log.track(GO, "Go")
    log.track("2026-01-05T11:00", "Go")
    assert log.waiting() == [("steps[0]", "2026-01-06T11:00")]
    log.until("2026-02-01")
    assert log.lead is not None
    assert log.lead.points == 1


def test_at_most_ten_runs_at_once() -> None:
    log = Log(campaign(reentry="always"))
    for n in range(12):
        log.track(f"2026-01-05T10:00:{n:02d}", "Go")
    assert len(log.journeys()) == 10
    assert log.refusals() == ["too_many_runs"] * 2


@pytest.mark.parametrize("kind", ["after_exit", "restart", "always"])
def test_the_least_time_between_two_entries(kind: str) -> None:
    log = Log(campaign(reentry=kind, reentry_after="2 days"))
    for at in (GO, "2026-01-07T09:59:59.999", "2026-01-07T10:00"):
        log.track(at, "Go")
    assert log.refusals() == ["reentry_after"]
    assert [iso(fact.at) for fact in log.told(f.Entered)] == [GO, "2026-01-07T10:00"]


def test_reentry_after_counts_calendar_days_in_the_leads_zone() -> None:
    log = Log(campaign(reentry="after_exit", reentry_after="2 days", steps=[{"add_tags": "x"}]))
    log.identify("2026-03-28T10:00", timezone="Europe/Berlin")
    log.track("2026-03-28T11:00", "Go")  # 12:00 in Berlin
    log.track("2026-03-30T09:59:59.999", "Go")
    log.track("2026-03-30T10:00", "Go")  # 12:00 in Berlin, 47 hours later
    assert log.refusals() == ["reentry_after"]
    assert len(log.told(f.Entered)) == 2


# One journey per value


def test_per_value_side_by_side() -> None:
    log = Log(campaign(per="event.properties.id", reentry="after_exit"))
    for n, value in enumerate([1, "1", True, [1, 2], {"a": 1, "b": 2}, {"b": 2, "a": 1}, None, 1]):
        log.track(f"2026-01-05T10:00:{n:02d}", "Go", {"id": value})
    assert [journey.per for journey in log.journeys()] == [
        "1", '"1"', "true", "[1,2]", '{"a":1,"b":2}',
    ]  # fmt: skip
    assert log.refusals() == ["reentry", "missing_per", "reentry"]
    assert [journey.run for journey in log.journeys()] == [1, 2, 3, 4, 5]


@pytest.mark.parametrize(
    ("kind", "reasons"),
    [("never", ["reentry", "reentry"]), ("after_exit", ["reentry"]), ("restart", []),
     ("always", ["reentry"])],
)  # fmt: skip
def test_reentry_is_per_value(kind: str, reasons: list[str]) -> None:
    """A value again while inside, then after its end; another value is free all the time."""
    log = Log(campaign(per="event.properties.id", reentry=kind))
    log.track(GO, "Go", {"id": 1})
    log.track("2026-01-05T11:00", "Go", {"id": 1})
    log.track("2026-01-05T11:30", "Go", {"id": 2})
    log.until("2026-01-07")
    log.track("2026-01-08T10:00", "Go", {"id": 1})
    assert log.refusals() == reasons
    assert "2" in {fact.per for fact in log.told(f.Entered)}


def test_at_most_ten_values_at_once_with_always() -> None:
    log = Log(campaign(per="event.properties.id", reentry="always"))
    for n in range(11):
        log.track(GO, "Go", {"id": n})
    assert log.refusals() == ["too_many_runs"]


def test_a_huge_value_is_too_large_and_a_long_one_is_remembered_short() -> None:
    log = Log(campaign(per="event.properties.id", reentry="never"))
    log.track(GO, "Go", {"id": "x" * bounds.ENTRY_BYTES})
    assert log.refusals() == ["too_large"]
    log.track(GO, "Go", {"id": "y" * 5_000})
    log.until("2026-01-07")
    log.track("2026-01-08T10:00", "Go", {"id": "y" * 5_000})
    assert log.refusals() == ["too_large", "reentry"]
    assert log.lead is not None
    assert max(map(len, log.lead.past)) < 200


@given(st.text(max_size=200), st.text(max_size=200))
def test_two_values_never_share_a_past(a: str, b: str) -> None:
    assert (past_key("c", a) == past_key("c", b)) == (a == b)


# By hand


def test_who_was_taken_out_by_hand_comes_back_only_by_hand() -> None:
    log = Log(campaign(reentry="always"))
    log.track(GO, "Go")
    log.by_hand("2026-01-05T11:00", "remove", "c")
    log.track("2026-01-05T12:00", "Go")
    assert log.reasons() == ["removed"]
    assert log.refusals() == ["removed_by_hand"]
    log.by_hand("2026-01-05T13:00", "enter", "c")
    log.track("2026-01-05T14:00", "Go")
    assert len(log.journeys()) == 2


def test_start_campaign_is_not_by_hand() -> None:
    log = Log(
        campaign(reentry="after_exit"),
        "{campaign: starts, enter: [{event: Start}], steps: [{start_campaign: c}]}",
    )
    log.track(GO, "Go")
    log.by_hand("2026-01-05T11:00", "remove", "c")
    log.track("2026-01-05T12:00", "Start")
    assert log.refusals() == ["removed_by_hand"]


def test_by_hand_passes_reentry_of_who_is_not_inside_and_nothing_else() -> None:
    log = Log(campaign(reentry="never", reentry_after="30 days", only_if='lead.ok == "yes"'))
    log.identify("2026-01-05T09:00", ok="yes")
    log.track(GO, "Go")
    log.by_hand("2026-01-05T11:00", "enter", "c")
    assert log.refusals() == ["reentry"]
    log.until("2026-01-07")
    log.by_hand("2026-01-08T10:00", "enter", "c")
    assert [fact.run for fact in log.told(f.Entered)] == [1, 2]
    log.until("2026-01-10")
    log.identify("2026-01-10T09:00", ok="no")
    log.by_hand("2026-01-11T10:00", "enter", "c")
    assert log.refusals() == ["reentry", "only_if"]


@pytest.mark.parametrize("kind", ["always", "restart"])
def test_by_hand_waits_for_reentry_after_while_inside(kind: str) -> None:
    log = Log(campaign(reentry=kind, reentry_after="30 days"))
    log.track(GO, "Go")
    log.by_hand("2026-01-05T11:00", "enter", "c")
    assert log.refusals() == ["reentry_after"]
    log.until("2026-01-07")
    log.by_hand("2026-01-08T10:00", "enter", "c")
    assert len(log.told(f.Entered)) == 2


def test_given_leads_pass_every_rule() -> None:
    document = campaign(only_if="false")
    document["enter"] = [{"event": "Go"}]
    log = Log(document)
    log.by_hand(GO, "enter", "c", rules=False)
    assert [journey.campaign for journey in log.journeys()] == ["c"]


def test_removing_who_is_not_inside_does_nothing() -> None:
    log = Log(campaign(reentry="after_exit"))
    assert log.by_hand(GO, "remove", "c").lead is None
    log.track(GO, "Go")
    log.until("2026-01-07")
    assert not log.by_hand("2026-01-08T10:00", "remove", "c").effect
    log.track("2026-01-08T11:00", "Go")
    assert len(log.journeys()) == 1


# What is only counted, and what makes no lead


def test_a_refusal_is_no_effect_and_brings_no_lead_into_being() -> None:
    log = Log(campaign(per="event.properties.id"))
    handled = log.track(GO, "Go")
    assert log.refusals() == ["missing_per"]
    assert not handled.effect
    assert handled.lead is None


def test_live_reentry_and_only_if_are_only_counted() -> None:
    log = Log(campaign(only_if="false"))
    record = Record(0, 1, ms(GO), "ana", "m", Interaction("track", "Go"))
    handled = handle(None, record, log.registry)
    assert handled.facts == []
    assert handled.counted == ["only_if"]


def test_the_bound_of_open_journeys() -> None:
    documents = [
        f"{{campaign: c{n}, enter: [{{event: Go}}], steps: [{{wait: 1 day}}]}}"
        for n in range(bounds.OPEN_JOURNEYS + 2)
    ]
    log = Log(*documents)
    log.track(GO, "Go")
    assert len(log.journeys()) == bounds.OPEN_JOURNEYS
    limits = [(fact.limit, bool(fact.campaign)) for fact in log.told(f.LimitReached)]
    assert limits == [("open_journeys", True)] * 2


def test_a_state_that_is_full_takes_no_further_journey() -> None:
    log = Log(campaign(reentry="always", per="event.properties.id", goal={
        "on": {"event": "Buy"}, "within": "300 days"},
        steps=[{"if": "empty(entry.properties.text)", "then": []}]))  # fmt: skip
    for n in range(60):
        log.track(GO, "Go", {"id": n, "text": "x" * 8_000})
    assert len(log.bytes()) < bounds.STATE_BYTES + bounds.ENTRY_BYTES
    assert {fact.limit for fact in log.told(f.LimitReached)} == {"state_bytes"}


def test_a_thousand_campaigns_are_remembered() -> None:
    log = Log(campaign(per="event.properties.id", reentry="never", steps=[{"add_tags": "x"}]))
    log.identify("2026-01-05T09:00", a=1)
    assert isinstance(log.lead, Lead)
    log.lead.past = {f"c\x1f{n}": Past(1, n + 1, n + 1) for n in range(1, 1_000)}
    log.track(GO, "Go", {"id": "new"})
    assert len(log.lead.past) == bounds.CAMPAIGNS_REMEMBERED
    assert "c\x1f1" not in log.lead.past
    assert log.lead.past["c"].runs == 1
