"""`wait`, `wait_until` and `wait_for` in the engine: dates and zones that move, looking back."""

from __future__ import annotations

from typing import Any

import pytest

from schemas import facts as f
from schemas.records import Interaction
from tests.engine.folding import Log, iso, raw

GO = "2026-01-05T10:00"


def until(options: str = "") -> Log:
    log = Log(f"""
campaign: c
enter: [{{event: Go}}]
steps:
  - {{wait_until: {{field: ends_on, offset: -1 days}}, {options}}}
  - {{exit: came}}
""")
    log.identify("2026-01-05T09:00", email="ana@example.com")
    return log


def ends(log: Log) -> list[tuple[str, str]]:
    log.until("2027-01-01")
    return [(fact.reason, iso(fact.at)) for fact in log.told(f.Left)]


# wait_until with a field


def test_the_field_may_come_later_move_and_go() -> None:
    log = until()
    log.track(GO, "Go")
    seen = [log.waiting()]
    for minute, value in enumerate(
        ["2026-01-20", "2026-01-30T12:00", None, 5, "soon", "2026-02-10"], start=1
    ):
        log.identify(f"2026-01-05T10:{minute:02d}", ends_on=value)
        seen.append(log.waiting())
    assert [due for ((_, due),) in seen] == [
        None, "2026-01-19T00:00", "2026-01-29T12:00", None, None, None, "2026-02-09T00:00",
    ]  # fmt: skip
    assert ends(log) == [("came", "2026-02-09T00:00")]


@pytest.mark.parametrize(
    ("options", "value", "ended"),
    [
        ("", None, []),
        ("if_missing: wait", "soon", []),
        ("if_missing: continue", None, [("came", GO)]),
        ("if_missing: exit", None, [("date_missing", GO)]),
        ("if_missing: exit", 17, [("date_missing", GO)]),
        ("", "2026-01-02", [("came", GO)]),
        ("if_past: exit", "2026-01-02", [("date_past", GO)]),
        ("if_past: exit", "2026-01-06T10:00", [("came", GO)]),  # equal is not past
        ("if_past: exit", "2026-01-06T09:59:59.999", [("date_past", GO)]),
        # past after at, between, on
        ('if_past: exit, at: "10:00"', "2026-01-06T09:00", [("came", GO)]),
        ('if_past: exit, between: "12:00-13:00"', "2026-01-06", [("came", "2026-01-05T12:00")]),
        ('between: "12:00-13:00"', "2026-01-01", [("came", "2026-01-05T12:00")]),
        ("on: [wed]", "2026-01-01", [("came", "2026-01-07T10:00")]),
        ('at: "09:00"', "2026-01-01", [("came", GO)]),
    ],
)
def test_on_arrival(options: str, value: Any, ended: list[tuple[str, str]]) -> None:
    log = until(options)
    log.identify("2026-01-05T09:30", ends_on=value)
    log.track(GO, "Go")
    assert ends(log) == ended


@pytest.mark.parametrize(
    ("options", "value", "ended"),
    [
        ("", "2026-01-02", [("came", "2026-01-05T11:00")]),
        ("if_past: exit", "2026-01-02", [("date_past", "2026-01-05T11:00")]),
        ("if_missing: continue", None, [("came", "2026-01-05T11:00")]),
        ("if_missing: exit", None, [("date_missing", "2026-01-05T11:00")]),
        ("", None, []),
        ("on: [wed]", "2026-01-01", [("came", "2026-01-07T11:00")]),
    ],
)
def test_while_it_waits(options: str, value: Any, ended: list[tuple[str, str]]) -> None:
    log = until(options)
    log.identify("2026-01-05T09:30", ends_on="2026-03-01")
    log.track(GO, "Go")
    log.identify("2026-01-05T11:00", ends_on=value)
    assert ends(log) == ended


@pytest.mark.parametrize("how", ["identify", "step"])
def test_an_exit_by_the_same_change_comes_first(how: str) -> None:
    """Exits are step 4 of a record, waits step 5: what was cleared does not let the wait go on."""
    log = Log(
        """
campaign: c
enter: [{event: Go}]
exit: [{changes_field: ends_on}]
steps: [{wait_until: {field: ends_on}, if_missing: continue}, {exit: went-on}]
""",
        "{campaign: sets, priority: 9, enter: [{event: Clear}], "
        "steps: [{set_fields: {ends_on: null}}]}",
    )
    log.identify("2026-01-05T09:30", ends_on="2026-03-01")
    log.track(GO, "Go")
    if how == "identify":
        log.identify("2026-01-05T11:00", ends_on=None)
    else:
        log.track("2026-01-05T11:00", "Clear")
    assert log.reasons() == ["exit_trigger"]


@pytest.mark.parametrize("options", ["", "if_past: exit", "if_missing: exit",
                                     "if_missing: continue"])  # fmt: skip
@pytest.mark.parametrize("value", [None, "2026-01-02", "2026-02-01"])
def test_a_historical_record_moves_timers_and_no_journey(options: str, value: Any) -> None:
    log = until(options)
    log.identify("2026-01-05T09:30", ends_on="2026-03-01")
    log.track(GO, "Go")
    log.take("2026-01-05T11:00", Interaction("identify", traits=raw({"ends_on": value}),
                                             historical=True))  # fmt: skip
    assert log.reasons() == []
    assert len(log.journeys()) == 1
    if value == "2026-02-01":
        assert log.waiting() == [("steps[0]", "2026-01-31T00:00")]


def test_a_moved_timer_counts_up_so_that_an_old_wake_up_means_nothing() -> None:
    log = until()
    log.identify("2026-01-05T09:30", ends_on="2026-01-08")
    log.track(GO, "Go")
    log.identify("2026-01-05T11:00", ends_on="2026-01-10")
    assert log.journeys()[0].tokens[0].generation == 1
    assert not log.wake("2026-01-07T00:00").effect
    assert ends(log) == [("came", "2026-01-09T00:00")]


def test_dates_at_the_edges_of_the_calendar() -> None:
    for value in ("9999-12-31", "9999-12-31T23:59:59-12:00", "0001-01-01T00:00:00+14:00",
                  "0001-01-01"):  # fmt: skip
        for options in ("", 'at: "09:00"', 'between: "08:00-09:00", on: [mon]'):
            log = until(options)
            log.identify("2026-01-05T09:30", ends_on=value, timezone="Pacific/Kiritimati")
            log.track(GO, "Go")
            log.identify("2026-01-05T10:30", timezone="Pacific/Niue")
            log.wake("2026-02-01")


# Zones


def test_a_change_of_zone_moves_windows_and_leaves_exact_waits() -> None:
    log = Log(
        "{campaign: at, enter: [{event: Go}], steps: [{wait: 1 day, at: '09:00'}, {exit: at}]}",
        "{campaign: exact, enter: [{event: Go}], steps: [{wait: 30 hours}, {exit: exact}]}",
        "{campaign: for, enter: [{event: Go}], "
        "steps: [{wait_for: {event: X}, within: 2026-01-08T09:00, else: [{exit: for}]}]}",
    )
    log.track(GO, "Go")
    log.identify("2026-01-05T11:00", timezone="Asia/Tokyo")
    assert dict(log.waiting()) == {"steps[0]": "2026-01-08T00:00"}
    assert ends(log) == [
        ("exact", "2026-01-06T16:00"), ("at", "2026-01-07T00:00"), ("for", "2026-01-08T00:00"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("step", "moves"),
    [
        ("wait: 0, at: '20:00'", "2026-01-05T12:00"),
        ("wait: 0, between: '20:00-21:00'", "2026-01-05T12:30"),
        ("wait_until: 2026-01-06T12:00, if_past: exit", "2026-01-06T10:00"),
        ("wait_for: {event: X}, within: 2026-01-06T12:00", "2026-01-06T10:00"),
    ],
)
def test_what_a_zone_makes_past_fires_now_and_once(step: str, moves: str) -> None:
    log = Log(f"{{campaign: c, enter: [{{event: Go}}], steps: [{{{step}}}, {{exit: came}}]}}")
    log.identify("2026-01-05T09:00", timezone="America/New_York")
    log.track(GO, "Go")
    log.identify(moves, timezone="Asia/Tokyo")
    assert ends(log) == [("came", moves)]


def test_an_unknown_zone_falls_back_and_is_counted_once_a_record() -> None:
    log = Log("""
campaign: c
timezone: Europe/Berlin
enter: [{event: Go}]
steps: [{wait: 1 day, at: "09:00"}, {wait: 1 day}]
""")
    log.identify("2026-01-05T09:00", timezone="Mars/Olympus")
    log.track(GO, "Go")
    assert log.waiting() == [("steps[0]", "2026-01-07T08:00")]
    assert log.counted.count("unknown_timezone") == 1


# wait_for


def test_a_date_that_is_past_on_arrival_is_else_at_once_unless_a_match_lies_before_it() -> None:
    for since, reason in (("arrival", "late"), ("entry", "heard")):
        log = Log(f"""
campaign: c
enter: [{{event: Go}}]
steps:
  - wait: 2 days
  - wait_for: {{event: X}}
    since: {since}
    within: 2026-01-06T12:00
    then: [{{exit: heard}}]
    else: [{{exit: late}}]
""")
        log.track(GO, "Go")
        log.track("2026-01-06T12:00", "X")
        assert ends(log) == [(reason, "2026-01-07T10:00")]


def test_since_entry_does_not_count_what_came_behind_the_deadline() -> None:
    log = Log("""
campaign: c
enter: [{event: Go}]
steps:
  - wait: 2 days
  - {wait_for: {event: X}, since: entry, within: 2026-01-06T12:00, then: [{exit: heard}],
     else: [{exit: late}]}
""")
    log.track(GO, "Go")
    log.track("2026-01-06T12:00:00.001", "X")
    assert ends(log) == [("late", "2026-01-07T10:00")]


def test_since_entry_takes_the_first_that_fired_and_a_where_sees_its_own_event() -> None:
    log = Log("""
campaign: c
enter: [{event: Go}]
steps:
  - wait: 1 day
  - wait_for:
      - {event: A, then: [{exit: a}]}
      - {event: B, where: event.properties.n == entry.properties.n, then: [{exit: b}]}
    since: entry
""")
    log.track(GO, "Go", {"n": 5})
    log.track("2026-01-05T11:00", "B", {"n": 4})
    log.track("2026-01-05T12:00", "B", {"n": 5})
    log.track("2026-01-05T13:00", "A")
    assert ends(log) == [("b", "2026-01-06T10:00")]


def test_the_order_written_decides_on_the_same_record() -> None:
    log = Log("""
campaign: c
enter: [{event: Go}]
steps: [{wait_for: [{event: [X, Y], then: [{exit: one}]}, {event: X, then: [{exit: two}]}]}]
""")
    log.track(GO, "Go")
    log.track("2026-01-05T11:00", "X")
    assert log.reasons() == ["one"]


def test_an_event_from_before_a_deadline_leaves_late_event_while_inside() -> None:
    log = Log("""
campaign: c
enter: [{event: Go}]
steps: [{wait_for: {event: X}, within: 1 hour}, {wait: 1 day}]
""")
    log.track(GO, "Go")
    log.until("2026-01-05T11:00")
    log.track("2026-01-05T12:00", "X", timestamp="2026-01-05T11:00:00Z")
    log.track("2026-01-05T12:01", "X", timestamp="2026-01-05T11:00:00.001Z")
    log.track("2026-01-05T12:02", "X", timestamp="nonsense")
    log.track("2026-01-05T12:03", "Y", timestamp="2026-01-05T10:30:00Z")
    log.track("2026-01-05T12:04", "X", timestamp="2026-01-05T10:30:00Z", historical=True)
    (late,) = log.told(f.LateEvent)
    assert (late.event, iso(late.event_at), iso(late.deadline), iso(late.at)) == (
        "X", "2026-01-05T11:00", "2026-01-05T11:00", "2026-01-05T12:00",
    )  # fmt: skip
    log.until("2026-01-07")
    log.track("2026-01-07T12:00", "X", timestamp="2026-01-05T11:00:00Z")
    assert len(log.told(f.LateEvent)) == 1


# Jumps, loops, blocks


def test_a_jump_into_a_block_goes_on_behind_it() -> None:
    log = Log("""
campaign: c
enter: [{event: Go}]
steps:
  - jump_to: inside
  - if: lead.points > 100
    then: [{add_tags: no}, {add_tags: inside, id: inside}, {add_tags: end-of-block}]
    else: [{add_tags: no}]
  - add_tags: behind
""")
    log.track(GO, "Go")
    assert log.lead is not None
    assert log.lead.tags == ["inside", "end-of-block", "behind"]


def test_a_loop_with_a_wait_runs_as_often_as_it_may() -> None:
    log = Log("""
campaign: c
enter: [{event: Go}]
steps:
  - {wait: 1 hour, id: top}
  - change_points: 1
  - {jump_to: top, at_most: 3}
  - {jump_to: top}
  - exit: done
""")
    log.track(GO, "Go")
    log.wake("2026-01-05T12:30")  # two at once, each at its time
    assert log.lead is not None
    assert log.lead.points == 2
    assert ends(log) == [("done", "2026-01-05T15:00")]
    assert log.lead.points == 5


def test_a_wait_that_has_nothing_to_wait_for_goes_on_in_the_same_record() -> None:
    log = Log("""
campaign: c
enter: [{event: Go}]
steps: [{wait: 0, between: "09:00-11:00"}, {wait: 0}, {exit: done}]
""")
    log.track(GO, "Go")
    assert log.reasons() == ["done"]


# Goals


def test_a_goal_is_counted_once_until_within_ends_also_after_completion() -> None:
    times = ["2026-01-05T12:00", "2026-01-06T10:00", "2026-01-06T10:00:00.001"]
    for at, converted in zip(times, (1, 1, 0), strict=True):
        log = Log("""
campaign: c
enter: [{event: Go}]
goal: {on: {event: Buy}, within: 1 day}
steps: [{add_tags: x}]
""")
        log.track(GO, "Go")
        assert [journey.status for journey in log.journeys()] == ["completed"]
        log.track(at, "Buy")
        log.track("2026-01-06T10:00", "Buy")
        assert len(log.told(f.Converted)) == max(converted, 0 if at > times[1] else 1)


def test_without_within_only_while_inside() -> None:
    log = Log("""
campaign: c
enter: [{event: Go}]
goal: {on: {event: Buy}}
steps: [{wait: 1 hour}]
""")
    log.track(GO, "Go")
    log.until("2026-01-05T11:00")
    log.track("2026-01-05T12:00", "Buy")
    assert log.told(f.Converted) == []
    assert log.journeys() == []


def test_a_journey_that_stayed_for_its_goal_goes_when_that_is_over() -> None:
    log = Log("""
campaign: c
enter: [{event: Go}]
reentry: after_exit
goal: {on: {event: Buy}, within: 1 hour}
steps: [{add_tags: x}]
""")
    for n in range(5):
        log.track(f"2026-01-0{n + 1}T10:00", "Go")
    assert len(log.journeys()) == 1


def test_with_exit_false_the_journey_goes_on_and_counts_once() -> None:
    log = Log("""
campaign: c
enter: [{event: Go}]
goal: {on: {event: Buy}, exit: false}
steps: [{wait_for: {event: Buy}}, {wait: 1 hour}, {exit: done}]
""")
    log.track(GO, "Go")
    log.track("2026-01-05T10:30", "Buy")
    log.track("2026-01-05T10:40", "Buy")
    assert len(log.told(f.Converted)) == 1
    assert ends(log) == [("done", "2026-01-05T11:30")]
