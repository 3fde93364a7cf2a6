"""Opens, clicks and replies: by step id, by template, any."""

from __future__ import annotations

from typing import Any

import pytest

from tests.engine.folding import Log

WAITS = """
campaign: c
enter: [{event: Go}]
reentry: always
steps:
  - {send_email: hello, id: first}
  - wait: 1 day
  - {wait_for: {TRIGGER}, within: 1 day, then: [{exit: heard}], else: [{exit: not-heard}]}
"""


def began(trigger: str, steps: str = WAITS) -> Log:
    log = Log(steps.replace("{TRIGGER}", "{" + trigger + "}"))
    log.identify("2026-01-05T09:00", email="ana@example.com")
    log.track("2026-01-05T10:00", "Go")
    return log


def ended(log: Log) -> list[str]:
    log.until("2026-02-01")
    return log.reasons()


@pytest.mark.parametrize("at", ["2026-01-05T10:00", "2026-01-05T11:00", "2026-01-06T11:00"])
def test_a_message_of_this_run_counts_from_its_sending(at: str) -> None:
    log = began("opens_email: first")
    log.until(at)
    log.opened(at, log.commands[0])
    assert ended(log) == ["heard"]


def test_a_template_counts_from_arrival() -> None:
    early, late = began("opens_email: hello"), began("opens_email: hello")
    early.opened("2026-01-05T11:00", early.commands[0])
    assert ended(early) == ["not-heard"]
    late.opened("2026-01-06T11:00", late.commands[0])
    assert ended(late) == ["heard"]


def test_only_this_runs_message_counts_for_a_step() -> None:
    log = began("opens_email: first")
    log.track("2026-01-05T10:30", "Go")
    one, two = log.commands
    log.opened("2026-01-06T11:00", two)
    assert log.reasons() == ["heard"]
    assert [journey.id for journey in log.journeys()] == [one.journey_id]
    assert ended(log) == ["heard", "not-heard"]


def test_any_run_counts_for_a_template_and_any_message_for_any() -> None:
    for trigger in ("opens_email: hello", "opens_email: any"):
        log = began(trigger)
        log.track("2026-01-05T10:30", "Go")
        log.opened("2026-01-06T11:00", log.commands[1])
        assert log.reasons() == ["heard", "heard"]


def test_an_event_that_names_only_a_template_belongs_to_no_run() -> None:
    for trigger, reason in (("opens_email: first", "not-heard"), ("opens_email: hello", "heard")):
        log = began(trigger)
        log.track("2026-01-06T11:00", "Email Opened", {"template": "hello"})
        assert ended(log) == [reason]


@pytest.mark.parametrize(
    ("trigger", "event"),
    [("opens_email", "Email Opened"), ("clicks_email", "Email Link Clicked"),
     ("replies_to_email", "Email Replied")],
)  # fmt: skip
def test_each_kind_hears_its_own_event_alone(trigger: str, event: str) -> None:
    for told in ("Email Opened", "Email Link Clicked", "Email Replied"):
        log = began(f"{trigger}: first")
        log.opened("2026-01-06T11:00", log.commands[0], told)
        assert ended(log) == ["heard" if told == event else "not-heard"]


def test_a_click_may_be_narrowed_by_its_url() -> None:
    for url, reason in (("https://example.com/*", "heard"), ("*/b", "not-heard")):
        log = began(f'clicks_email: first, url: "{url}"')
        log.opened("2026-01-06T11:00", log.commands[0], "Email Link Clicked")
        assert ended(log) == [reason]


LOOP = """
campaign: c
enter: [{event: Go}]
steps:
  - {send_email: hello, id: first}
  - {wait: 1 hour}
  - {wait_for: {TRIGGER}, within: 1 day, then: [{change_points: 1}], else: [{add_tags: late}]}
  - {jump_to: first}
"""


def test_in_a_loop_only_the_newest_sending_counts() -> None:
    log = began("opens_email: first", LOOP)
    log.opened("2026-01-05T10:30", log.commands[0])
    log.until("2026-01-05T12:00")
    assert len(log.commands) == 2
    assert log.waiting() == [("steps[2]", "2026-01-06T12:00")]
    log.until("2026-01-08")
    assert log.lead is not None
    assert (log.lead.points, log.lead.tags) == (1, ["late"])


TWO = """
campaign: c
enter: [{event: Go}]
steps:
  - {send_email: hello, id: first}
  - {wait: 1 hour}
  - {send_email: again, id: second}
  - {wait: 1 hour}
  - {wait_for: {TRIGGER}, within: 1 day, then: [{exit: heard}], else: [{exit: not-heard}]}
"""


@pytest.mark.parametrize(
    ("trigger", "opened", "reason"),
    [
        # each message counts from its own sending
        ("opens_email: [first, second]", 0, "heard"),
        ("opens_email: [first, second]", 1, "heard"),
        ("opens_email: [first, again]", 0, "heard"),
        # a template beside it still counts from arrival
        ("opens_email: [first, again]", 1, "not-heard"),
    ],
)
def test_of_several_messages_each_counts_by_itself(trigger: str, opened: int, reason: str) -> None:
    log = began(trigger, TWO)
    if opened == 1:
        log.until("2026-01-05T11:00")
    at = "2026-01-05T10:30" if opened == 0 else "2026-01-05T11:30"
    log.opened(at, log.commands[opened])
    assert ended(log) == [reason]


def test_a_list_of_names_is_any_of_where_the_language_takes_lists() -> None:
    log = Log("""
campaign: c
enter: [{opens_email: first}]
steps: [{send_email: hello, id: first}]
""")
    log.identify("2026-01-05T09:00", email="ana@example.com")
    log.track("2026-01-05T10:00", "Email Opened", {"template": "first"})
    assert len(log.commands) == 1  # before the entry there are no steps: the name is a template's


def test_since_entry_also_hears_templates_from_before() -> None:
    text = WAITS.replace("within: 1 day", "within: 1 day, since: entry")
    log = began("opens_email: hello", text)
    log.opened("2026-01-05T11:00", log.commands[0])
    assert ended(log) == ["heard"]


@pytest.mark.parametrize(
    "properties",
    [None, {}, [], "x", 5, {"message": None}, {"message": []}, {"message": {"step": 5}},
     {"message": {"journey_id": {}, "step": None}}, {"template": 5}, {"template": ""},
     {"message": {}, "link_url": ["x"]}],
)  # fmt: skip
def test_odd_properties_are_no_message(properties: Any) -> None:
    log = began("opens_email: first")
    log.track("2026-01-06T11:00", "Email Opened", properties)
    assert ended(log) == ["not-heard"]


def test_the_outcome_of_a_message_is_remembered_once() -> None:
    log = began("opens_email: first")
    first = log.outcome("2026-01-05T10:01", log.commands[0], "delivered")
    assert [fact.kind for fact in first.facts] == ["outcome"]
    assert not log.outcome("2026-01-05T10:02", log.commands[0], "delivered").effect
    assert log.counted == ["repeated"]
    assert log.journeys()[0].sent[0].outcome == "delivered"
    log.until("2026-02-01")
    over = log.outcome("2026-02-02T10:00", log.commands[0], "failed")
    assert [fact.kind for fact in over.facts] == ["outcome"]
    assert not over.effect
