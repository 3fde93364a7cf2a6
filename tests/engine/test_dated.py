"""Entries by date, lists with a rule, and changes that touch leads who are there already."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas import facts as f
from streams.engine import bounds
from tests.engine.folding import Log, iso

GO = "2026-01-05T10:00"


def entered(log: Log, end: str = "2027-01-01") -> list[str]:
    log.until(end)
    return [iso(fact.at) for fact in log.told(f.Entered)]


def broadcast(trigger: str, more: str = "") -> str:
    return f"{{campaign: b, enter: [{{{trigger}}}], {more} steps: [{{add_tags: x}}]}}"


# A broadcast


def test_every_member_of_the_list_enters_on_that_date_in_its_zone() -> None:
    log = Log(broadcast("date: 2026-01-10T09:00, list: customers"))
    log.identify(GO, timezone="Asia/Tokyo")
    log.by_hand("2026-01-05T11:00", "join", "customers")
    assert entered(log) == ["2026-01-10T00:00"]
    assert [fact.trigger for fact in log.told(f.Entered)] == ["date"]


def test_who_leaves_the_list_is_disarmed_and_who_comes_late_has_missed_it() -> None:
    log = Log(broadcast("date: 2026-01-10T09:00, list: customers"))
    log.by_hand(GO, "join", "customers")
    log.by_hand("2026-01-06T10:00", "leave", "customers")
    assert log.lead is not None
    assert log.lead.entries == []
    log.by_hand("2026-01-11T10:00", "join", "customers")
    assert entered(log) == []


def test_membership_and_only_if_are_tested_then() -> None:
    log = Log(broadcast("date: 2026-01-10T09:00, list: customers", "only_if: lead.ok == true,"))
    log.by_hand(GO, "join", "customers")
    log.until("2026-01-11")
    assert log.refusals() == ["only_if"]
    again = Log(broadcast("date: 2026-01-10T09:00, list: customers", "only_if: lead.ok == true,"))
    again.by_hand(GO, "join", "customers")
    again.identify("2026-01-06T10:00", ok=True)
    assert entered(again) == ["2026-01-10T09:00"]


def test_a_change_of_zone_moves_it() -> None:
    log = Log(broadcast("date: 2026-01-10T09:00, list: customers"))
    log.by_hand(GO, "join", "customers")
    log.identify("2026-01-06T10:00", timezone="America/New_York")
    assert entered(log) == ["2026-01-10T14:00"]


@pytest.mark.parametrize(
    ("every", "times"),
    [
        ("week on mon at 09:00",
         ["2026-01-07T10:00", "2026-01-12T09:00", "2026-01-19T09:00", "2026-01-26T09:00"]),
        ("day", ["2026-01-07T10:00", "2026-01-08T10:00", "2026-01-09T10:00"]),
        ("day at 08:00", ["2026-01-07T10:00", "2026-01-08T08:00", "2026-01-09T08:00"]),
        ("week on sun", ["2026-01-07T10:00", "2026-01-11T10:00", "2026-01-18T10:00"]),
        ("week", ["2026-01-07T10:00", "2026-01-14T10:00", "2026-01-21T10:00"]),
    ],
)  # fmt: skip
def test_it_may_repeat(every: str, times: list[str]) -> None:
    log = Log(broadcast(f"date: 2026-01-07T10:00, list: l, every: {every}"))
    log.by_hand(GO, "join", "l")
    assert entered(log, times[-1]) == times


@pytest.mark.parametrize(
    ("start", "every", "times"),
    [
        ("2026-01-31T10:00", "month",
         ["2026-01-31T10:00", "2026-02-28T10:00", "2026-03-31T10:00", "2026-04-30T10:00"]),
        ("2026-01-15T10:00", "month on 31 at 09:00",
         ["2026-01-15T10:00", "2026-01-31T09:00", "2026-02-28T09:00", "2026-03-31T09:00"]),
        ("2028-02-29T10:00", "year", ["2028-02-29T10:00", "2029-02-28T10:00", "2030-02-28T10:00"]),
    ],
)  # fmt: skip
def test_by_month_and_year(start: str, every: str, times: list[str]) -> None:
    log = Log(broadcast(f"date: {start}, list: l, every: {every}"))
    log.by_hand(GO, "join", "l")
    assert entered(log, times[-1]) == times


def test_who_joins_in_between_comes_in_at_the_next_time() -> None:
    log = Log(broadcast("date: 2026-01-01T10:00, list: l, every: week on mon at 09:00"))
    log.by_hand("2026-01-13T10:00", "join", "l")
    assert entered(log, "2026-01-26T09:00") == ["2026-01-19T09:00", "2026-01-26T09:00"]


# A date that the lead carries


def dated(options: str) -> Log:
    return Log(broadcast(f"date_field: ends_on, {options}", "reentry: always,"))


def test_relative_to_the_field_and_moving_with_it() -> None:
    log = dated('offset: -3 days, at: "09:00"')
    log.identify(GO, ends_on="2026-01-20")
    log.identify("2026-01-06T10:00", ends_on="2026-01-25T18:00")
    assert entered(log) == ["2026-01-22T09:00"]


@pytest.mark.parametrize("value", [None, "2026-01-02", "soon", 5, [], "0001-01-01"])
def test_a_date_that_is_past_or_none_gives_no_entry(value: Any) -> None:
    log = dated("offset: -3 days")
    log.identify(GO, ends_on="2026-01-20")
    log.identify("2026-01-06T10:00", ends_on=value, other=1)
    assert entered(log) == []


@given(st.integers(1900, 2030), st.integers(0, 364))
def test_yearly(year: int, day: int) -> None:
    born = date(year, 1, 1) + timedelta(days=day)
    log = Log(broadcast("date_field: born, yearly: true", "reentry: always,"))
    log.identify(GO, born=born.isoformat())
    found = entered(log, "2035-12-31T23:59")
    expected = []
    for later in range(max(year, 2026), 2036):
        try:
            birthday = born.replace(year=later)
        except ValueError:
            birthday = date(later, 2, 28)
        if birthday > date(2026, 1, 5):
            expected.append(f"{birthday}T00:00")
    assert found == expected


def test_the_bound_of_entry_timers() -> None:
    log = Log(*[
        broadcast(f"date: 2026-02-{n % 28 + 1:02d}, list: l").replace("b,", f"b{n},", 1)
        for n in range(bounds.TIMERS + 1)
    ])  # fmt: skip
    log.by_hand(GO, "join", "l")
    assert log.lead is not None
    assert len(log.lead.entries) == bounds.TIMERS
    assert [fact.limit for fact in log.told(f.LimitReached)] == ["timers"]


# Changes that touch leads who are there already


def test_a_broadcast_published_later_is_armed_with_the_next_record() -> None:
    log = Log()
    log.by_hand(GO, "join", "l")
    log.publish(broadcast("date: 2026-01-10T09:00, list: l"), "2026-01-06T10:00")
    log.wake("2026-01-06T10:00")
    assert entered(log) == ["2026-01-10T09:00"]


def test_it_is_taken_in_at_its_time_however_late_the_next_record_comes() -> None:
    log = Log("{campaign: c, enter: [{event: Go}], steps: [{wait: 2 days}, {add_tags: first}]}")
    log.track(GO, "Go")
    log.publish("{list: tagged, when: '\"first\" in lead.tags'}", "2026-01-06T10:00")
    log.publish("{list: all, when: not ('x' in lead.tags)}", "2026-01-07T10:00")
    log.wake("2026-01-20T10:00")
    joined = [(iso(fact.at), fact.what) for fact in log.told(f.LeadChanged)]
    assert joined == [
        ("2026-01-07T10:00", "lists.all"), ("2026-01-07T10:00", "tags.first"),
        ("2026-01-07T10:00", "lists.tagged"),
    ]  # fmt: skip
    assert not log.wake("2026-01-20T10:01").effect


def test_a_new_version_disarms_what_it_no_longer_has() -> None:
    log = Log(broadcast("date: 2026-01-10T09:00, list: l"))
    log.by_hand(GO, "join", "l")
    log.publish(broadcast("event: Go"), "2026-01-06T10:00")
    log.wake("2026-01-06T10:00")
    assert log.lead is not None
    assert log.lead.entries == []


def test_existing_members_come_in_when_it_is_published() -> None:
    for existing, count in (("true", 1), ("false", 0)):
        log = Log()
        log.by_hand(GO, "join", "l")
        log.publish(
            broadcast(f"joins_list: l, existing: {existing}"), "2026-01-06T10:00"
        )  # fmt: skip
        log.wake("2026-01-08T10:00")
        assert entered(log) == ["2026-01-06T10:00"] * count


# Lists with a rule


def test_a_rule_is_kept_at_every_change_of_the_lead() -> None:
    log = Log(
        "{list: hot, when: lead.points >= 50 and lead.country == 'DE'}",
        "{campaign: adds, enter: [{event: Score}], reentry: after_exit, "
        "steps: [{change_points: 30}, {if: \"'hot' in lead.lists\", then: [{add_tags: seen}]}]}",
        "{campaign: hears, enter: [{joins_list: hot}], exit: [{leaves_list: hot}], "
        "steps: [{wait: 100 days}]}",
    )
    log.identify("2026-01-05T09:00", country="DE")
    log.track(GO, "Score")
    assert log.lead is not None
    assert log.lead.lists == []
    log.track("2026-01-05T10:01", "Score")
    assert log.lead.lists == ["hot"]
    assert log.lead.tags == ["seen"]
    assert len(log.journeys()) == 1
    log.identify("2026-01-05T10:02", country="AT")
    assert log.lead.lists == []
    assert log.reasons() == ["exit_trigger"]


def test_rules_run_until_nothing_changes_in_the_order_of_their_ids() -> None:
    log = Log(
        "{list: c, when: \"'b' in lead.lists\"}", "{list: b, when: \"'a' in lead.lists\"}",
        "{list: a, when: lead.x == 1}", "{list: z, when: \"'c' in lead.lists\"}",
    )  # fmt: skip
    log.identify(GO, x=1)
    assert log.lead is not None
    assert log.lead.lists == ["a", "b", "c", "z"]
    log.identify("2026-01-05T10:01", x=2)
    assert log.lead.lists == []


def test_rules_in_a_cycle_end_with_a_fact() -> None:
    log = Log("{list: a, when: \"not ('a' in lead.lists)\"}")
    log.identify(GO, x=1)
    assert "list_rules" in {fact.limit for fact in log.told(f.LimitReached)}


def test_a_lead_that_comes_into_being_is_looked_at_too() -> None:
    log = Log("{list: all, when: true}", "{campaign: c, enter: [{event: Go}], steps: [{wait: 0}]}")
    log.track(GO, "Go")
    assert log.lead is not None
    assert log.lead.lists == ["all"]
