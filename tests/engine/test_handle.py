"""The order within one record (campaign-language, "One record, step by step")."""

from __future__ import annotations

import pytest

from schemas import facts as f
from streams.engine import bounds
from tests.engine.folding import Log, iso

GO = "2026-01-05T10:00"


def kinds(log: Log) -> list[str]:
    return [fact.kind for fact in log.handled[-1].facts]


def test_timers_before_a_record_fire_first_and_do_not_see_it() -> None:
    log = Log("""
campaign: c
enter: [{event: Go}]
steps:
  - wait: 1 hour
  - {if: lead.plan == "pro", then: [{add_tags: saw}], else: [{add_tags: did-not-see}]}
  - {if: 'event.name == "x"', then: [{add_tags: an-event}]}
""")
    log.track(GO, "Go")
    log.identify("2026-01-05T11:00:00.001", plan="pro")
    assert log.lead is not None
    assert log.lead.tags == ["did-not-see"]
    assert [iso(fact.at) for fact in log.told(f.Completed)] == ["2026-01-05T11:00"]
    assert log.lead.traits == {"plan": "pro"}


def test_a_deadline_is_inclusive_the_event_wins() -> None:
    log = Log("""
campaign: c
enter: [{event: Go}]
steps: [{wait_for: {event: Paid}, within: 1 hour, then: [{exit: paid}], else: [{exit: late}]}]
""")
    log.track(GO, "Go")
    log.track("2026-01-05T11:00", "Paid")
    assert log.reasons() == ["paid"]

    late = Log("""
campaign: c
enter: [{event: Go}]
steps: [{wait_for: {event: Paid}, within: 1 hour, then: [{exit: paid}], else: [{exit: late}]}]
""")
    late.track(GO, "Go")
    late.track("2026-01-05T11:00:00.001", "Paid")
    assert late.reasons() == ["late"]
    assert [iso(fact.at) for fact in late.told(f.Left)] == ["2026-01-05T11:00"]


def test_a_record_that_says_time_has_come_fires_what_is_due_at_its_time() -> None:
    log = Log("{campaign: c, enter: [{event: Go}], steps: [{wait: 1 hour}, {exit: done}]}")
    log.track(GO, "Go")
    log.wake("2026-01-05T10:59:59.999")
    assert log.reasons() == []
    log.wake("2026-01-05T11:00")
    assert log.reasons() == ["done"]
    assert not log.wake("2026-01-05T11:00").effect


def test_a_late_timer_fires_at_its_due_time_for_all_that_follows() -> None:
    log = Log("""
campaign: c
enter: [{event: Go}]
steps: [{wait: 1 hour}, {send_email: first}, {wait: 1 hour}, {send_email: second}]
""")
    log.identify("2026-01-05T09:00", email="ana@example.com")
    log.track(GO, "Go")
    log.wake("2026-01-06T00:00")
    assert log.sent() == [("2026-01-05T11:00", "first"), ("2026-01-05T12:00", "second")]
    assert {iso(command.issued_ms) for command in log.commands} == {"2026-01-06T00:00"}


def test_due_timers_fire_by_priority_campaign_journey_and_expiry_last() -> None:
    def campaign(name: str, priority: int, event: str = "Go") -> str:
        return f"""
campaign: {name}
enter: [{{event: {event}}}]
reentry: always
priority: {priority}
expires_after: 2 hours
steps: [{{wait: 2 hours}}, {{change_points: 1}}]
"""

    log = Log(campaign("b", 5), campaign("a", 5), campaign("low", 1), campaign("high", 9))
    log.track(GO, "Go")
    log.track(GO, "Go")
    log.wake("2026-01-05T12:00")
    order = [fact.campaign for fact in log.told(f.TimerFired)]
    assert order == ["high", "high", "a", "a", "b", "b", "low", "low"]
    entered = {fact.journey: fact.offset for fact in log.told(f.Entered)}
    fired = [entered[fact.journey] for fact in log.told(f.TimerFired)]
    assert fired == [1, 2] * 4
    assert log.reasons() == []  # completed before its expiry at the same instant


def test_an_expiry_ends_a_wait_at_its_instant() -> None:
    log = Log("""
campaign: c
enter: [{event: Go}]
expires_after: 1 hour
steps: [{wait_for: {event: Never}}, {add_tags: never}]
""")
    log.track(GO, "Go")
    log.track("2026-01-05T12:00", "Never")
    assert log.reasons() == ["expired"]
    assert [iso(fact.at) for fact in log.told(f.Left)] == ["2026-01-05T11:00"]
    assert log.lead is not None
    assert log.lead.tags == []


def test_goals_then_exits_then_waits_then_entries() -> None:
    log = Log(
        """
campaign: goal
enter: [{event: Go}]
goal: {on: {event: X}}
exit: [{event: X}]
steps: [{wait_for: {event: X}}, {add_tags: no}]
""",
        """
campaign: exit
enter: [{event: Go}]
priority: 9
exit: [{event: X}]
steps: [{wait_for: {event: X}}, {add_tags: no}]
""",
        "{campaign: waits, enter: [{event: Go}], steps: [{wait_for: {event: X}}, {add_tags: w}]}",
        "{campaign: enters, priority: 9, enter: [{event: X}], steps: [{add_tags: e}]}",
    )
    log.track(GO, "Go")
    log.track("2026-01-05T11:00", "X")
    facts = log.handled[-1].facts
    order = [(fact.kind, fact.campaign) for fact in facts if fact.kind in (
        "converted", "left", "branched", "entered")]  # fmt: skip
    assert order == [
        ("converted", "goal"), ("left", "goal"), ("left", "exit"), ("branched", "waits"),
        ("entered", "enters"),
    ]  # fmt: skip
    assert log.lead is not None
    assert log.lead.tags == ["w", "e"]


def test_campaigns_are_visited_by_priority_then_id() -> None:
    names = [("b", 5), ("a", 5), ("low", 0), ("high", 9)]
    log = Log(*[
        f"{{campaign: {name}, priority: {priority}, enter: [{{event: Go}}], "
        f"steps: [{{wait_for: {{event: X}}}}, {{add_tags: {name}}}]}}"
        for name, priority in names
    ])  # fmt: skip
    log.track(GO, "Go")
    assert [fact.campaign for fact in log.told(f.Entered)] == ["high", "a", "b", "low"]
    log.track("2026-01-05T11:00", "X")
    assert log.lead is not None
    assert log.lead.tags == ["high", "a", "b", "low"]


def test_one_record_satisfies_one_wait_of_a_journey() -> None:
    log = Log("""
campaign: c
enter: [{event: X}]
steps: [{wait_for: {event: X}}, {add_tags: one}, {wait_for: {event: X}}, {add_tags: two}]
""")
    tags = []
    for minute in range(4):
        log.track(f"2026-01-05T10:0{minute}", "X")
        assert log.lead is not None
        tags.append(list(log.lead.tags))
    assert tags == [[], ["one"], ["one", "two"], ["one", "two"]]


def test_the_entry_itself_satisfies_nothing_of_the_new_journey() -> None:
    log = Log("""
campaign: c
enter: [{event: X}, {joins_list: l}]
reentry: always
goal: {on: [{event: X}, {joins_list: l}]}
exit: [{event: X}, {joins_list: l}]
steps: [{wait_for: [{event: X}, {joins_list: l}], since: entry}]
""")
    log.track(GO, "X")
    assert [len(log.told(kind)) for kind in (f.Entered, f.Converted, f.Left)] == [1, 0, 0]
    log.by_hand("2026-01-05T11:00", "join", "l")
    assert [len(log.told(kind)) for kind in (f.Entered, f.Converted, f.Left)] == [2, 1, 1]


def test_what_steps_change_is_handled_first_in_first_out_when_they_have_come_to_rest() -> None:
    log = Log(
        """
campaign: changes
enter: [{event: Go}]
steps: [{add_to_list: a}, {add_to_list: b}, {record_event: {name: Told}}, {change_points: 1}]
""",
        "{campaign: on-b, priority: 9, enter: [{joins_list: b}], steps: [{add_tags: b}]}",
        """
campaign: on-a
priority: 0
enter: [{joins_list: a}]
steps: [{if: lead.points == 1, then: [{add_tags: a-after}]}, {add_to_list: c}]
""",
        "{campaign: on-c, enter: [{joins_list: c}], steps: [{add_tags: c}]}",
        "{campaign: on-told, enter: [{event: Told}], steps: [{add_tags: told}]}",
    )
    log.track(GO, "Go")
    assert log.lead is not None
    assert log.lead.tags == ["a-after", "b", "told", "c"]


def test_a_change_satisfies_only_waits_that_were_armed_before_it_happened() -> None:
    log = Log("""
campaign: c
enter: [{event: Go}]
steps: [{add_to_list: l}, {wait_for: {joins_list: l}, within: 1 hour, else: [{exit: late}]}]
""")
    log.track(GO, "Go")
    log.until("2026-01-06")
    assert log.reasons() == ["late"]


def test_with_since_entry_it_satisfies_all() -> None:
    log = Log("""
campaign: c
enter: [{event: Go}]
steps:
  - add_to_list: l
  - {wait_for: {joins_list: l}, within: 1 hour, since: entry, else: [{exit: late}]}
  - exit: heard
""")
    log.track(GO, "Go")
    assert log.reasons() == ["heard"]


def test_a_change_by_one_journey_is_heard_by_another_that_waited() -> None:
    log = Log(
        "{campaign: a, enter: [{event: One}], steps: [{wait_for: {joins_list: l}}, {exit: heard}]}",
        "{campaign: b, enter: [{event: Two}], steps: [{add_to_list: l}]}",
    )
    log.track(GO, "One")
    log.track("2026-01-05T11:00", "Two")
    assert log.reasons() == ["heard"]


def test_a_journey_begun_later_in_the_record_does_not_hear_what_happened_before() -> None:
    log = Log(
        "{campaign: a, priority: 9, enter: [{event: Go}], steps: [{add_to_list: l}]}",
        """
campaign: b
enter: [{event: Go}]
exit: [{joins_list: l}]
steps: [{wait_for: {joins_list: l}, since: entry}]
""",
    )
    log.track(GO, "Go")
    assert log.reasons() == []
    assert [journey.campaign for journey in log.journeys()] == ["b"]


def loop_of(steps: int) -> str:
    """A journey that runs `steps` steps in its first record: it jumps back until it may not."""
    return f"""
campaign: loop
enter: [{{event: Go}}]
steps:
  - {{change_points: 1, id: top}}
  - {{jump_to: top, at_most: {steps // 2 - 1}}}
  - add_to_list: l
  - wait: 1 hour
"""


def test_a_journey_may_run_a_thousand_steps_in_one_record() -> None:
    log = Log(loop_of(998), "{campaign: other, enter: [{joins_list: l}], steps: [{add_tags: o}]}")
    log.track(GO, "Go")
    assert log.lead is not None
    assert log.reasons() == []
    assert log.lead.points == 499
    assert log.lead.tags == ["o"]
    assert len(log.told(f.StepTaken)) == bounds.STEPS_PER_JOURNEY + 1


def test_the_next_step_makes_it_run_away_and_what_it_queued_is_dropped() -> None:
    log = Log(
        loop_of(2_000).replace("change_points: 1", "add_to_list: l"),
        "{campaign: other, enter: [{joins_list: l}], steps: [{add_tags: no}]}",
        "{campaign: waits, priority: 0, enter: [{event: Go}], steps: [{add_tags: yes}]}",
    )
    log.track(GO, "Go")
    assert log.reasons() == ["runaway"]
    assert [fact.limit for fact in log.told(f.LimitReached)] == ["steps_per_journey"]
    assert len(log.told(f.StepTaken)) == bounds.STEPS_PER_JOURNEY + 1
    assert log.lead is not None
    assert log.lead.tags == ["yes"]
    assert log.lead.lists == ["l"]


def test_after_ten_thousand_steps_in_all_the_rest_is_dropped() -> None:
    log = Log(
        """
campaign: ping
enter: [{event: Go}, {called: true}]
reentry: always
steps: [{change_points: 1}, {change_points: 1}, {change_points: 1}, {start_campaign: ping}]
""",
        "{campaign: later, enter: [{event: Later}], steps: [{add_tags: handled}]}",
    )
    log.track(GO, "Go")
    assert [fact.limit for fact in log.told(f.LimitReached)] == ["steps_per_record"]
    assert len(log.told(f.StepTaken)) == bounds.STEPS_PER_RECORD
    assert log.journeys() == []
    log.track("2026-01-05T11:00", "Later")
    assert log.lead is not None
    assert log.lead.tags == ["handled"]


def test_timers_that_a_full_record_did_not_reach_fire_with_the_next() -> None:
    steps = "{change_points: 1}, " * 900
    log = Log(*[
        f"{{campaign: c{n:02d}, enter: [{{event: Go}}], steps: [{{wait: 1 hour}}, {steps}]}}"
        for n in range(13)
    ])  # fmt: skip
    log.track(GO, "Go")
    log.wake("2026-01-06T10:00")
    assert [fact.limit for fact in log.told(f.LimitReached)] == ["steps_per_record"]
    assert [fact.campaign for fact in log.told(f.Completed)] == [f"c{n:02d}" for n in range(11)]
    assert log.reasons() == ["runaway"]
    assert [journey.campaign for journey in log.journeys()] == ["c12"]
    log.wake("2026-01-06T10:00")
    assert log.journeys() == []
    assert {iso(fact.at) for fact in log.told(f.Completed)} == {"2026-01-05T11:00"}


def test_a_repeated_message_id_is_skipped_and_counted() -> None:
    log = Log("{campaign: c, enter: [{event: Go}], reentry: always, steps: [{wait: 1 day}]}")
    log.track(GO, "Go")
    last = log.offset
    log.offset -= 1
    log.track("2026-01-05T10:01", "Go")  # the same id, a later record
    assert log.offset == last
    assert log.counted == ["repeated"]
    assert len(log.journeys()) == 1


def test_an_id_is_forgotten_behind_the_last_32_that_had_an_effect() -> None:
    log = Log("{campaign: c, enter: [{event: Go}], reentry: after_exit, steps: [{add_tags: x}]}")
    first = log.track(GO, "Go")
    assert first.effect
    for n in range(31):
        log.track(f"2026-01-05T10:01:{n:02d}", "Go")
    assert log.lead is not None
    assert len(log.lead.ids) == 32 * 8
    log.offset = 0
    assert not log.track("2026-01-05T10:02", "Go").effect
    log.offset = 32
    log.track("2026-01-05T10:03", "Go")
    log.offset = 0
    assert log.track("2026-01-05T10:04", "Go").effect


@pytest.mark.parametrize("name", ["Go", "Other"])
def test_the_clock_moves_only_with_an_effect(name: str) -> None:
    log = Log("{campaign: c, enter: [{event: Go}], reentry: after_exit, steps: [{add_tags: x}]}")
    log.track("2026-01-05T10:00", "Go")
    log.track("2026-01-05T10:05", name)
    assert log.lead is not None
    clock = "2026-01-05T10:05" if name == "Go" else "2026-01-05T10:00"
    assert iso(log.lead.clock) == clock


def test_a_record_older_than_the_clock_happens_now() -> None:
    log = Log("{campaign: c, enter: [{event: Go}], reentry: always, steps: [{wait: 1 hour}]}")
    log.track("2026-01-05T10:00", "Go")
    log.track("2026-01-05T09:00", "Go")
    assert [iso(fact.at) for fact in log.told(f.Entered)] == ["2026-01-05T10:00"] * 2
    assert log.waiting() == [("steps[0]", "2026-01-05T11:00")] * 2


def test_last_seen_moves_in_steps_of_a_quarter_hour() -> None:
    log = Log("{campaign: c, enter: [{event: Go}], steps: [{add_tags: x}]}")
    assert log.page("2026-01-05T09:00", "/").lead is None
    log.track("2026-01-05T10:00", "Go")
    times = ("10:14:59", "10:15", "10:20", "11:00")
    effects = [log.page(f"2026-01-05T{time}", "/").effect for time in times]
    assert effects == [False, True, False, True]
    historical = log.page("2026-01-05T12:00", "/", historical=True)
    assert not historical.effect


def test_a_record_from_an_earlier_quarter_hour_moves_nothing() -> None:
    """Timers move the clock, not the quarter; concerns and handle must agree on an older record."""
    log = Log("{campaign: c, enter: [{event: Go}], steps: [{wait: 20 minutes}, {add_tags: x}]}")
    log.track("2026-01-05T10:00", "Go")
    log.wake("2026-01-05T10:20")
    assert not log.page("2026-01-05T10:10", "/").effect
    assert log.page("2026-01-05T10:15", "/").effect
