"""From documents to definitions: conversions, defaults, position ids."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings

from schemas.campaigns import (
    Active,
    Arm,
    Definition,
    Duration,
    Frequency,
    Goal,
    Instant,
    Limits,
    ListDefinition,
    Step,
    Trigger,
    When,
    Window,
)
from streams.engine.reading import read_campaign, read_list
from streams.engine.tree import every_step
from streams.engine.yaml_reading import load_yaml
from tests.engine.documents import DOCUMENTS

WHOLE = """\
campaign: trial-nurture
name: Trial nurture
timezone: Europe/Berlin
channel_defaults: {email: {from: "Ana <ana@example.com>"}}
enter:
  - submits_form: trial
  - joins_list: trial-users
only_if: lead.country in ["DE", "AT"]
reentry: after_exit
reentry_after: 30 days
per: event.properties.order_id
goal: {on: {event: Order Completed}, within: 30 days}
exit:
  - leaves_list: trial-users
  - unsubscribes: email
expires_after: 90 days
active: {from: 2026-12-01T00:00, until: 2027-01-31T00:00, then: drain}
holdout: 10%
limits:
  quiet_hours: "21:00-08:00"
  quiet_days: [sun]
  frequency: {email: {at_most: 3, per: 7 days, then: skip}}
  send_rate: 600 per minute
priority: 5
exclusive_group: lifecycle
entries_at_most: {per_lead: 5, rate: 5000 per hour}
failure_limit: 10%
in_flight: finish
on_resume: run_late
steps:
  - send_email: welcome
    id: welcome
  - wait: 3 days
    at: "09:00"
    on: [mon, tue, wed, thu, fri]
  - wait_for: {opens_email: welcome}
    within: 7 days
    then:
      - change_points: 10
      - if: lead.points >= 50 and "vip" not in lead.tags
        then: [{add_to_list: hot-leads}, {push_to_crm: hubspot, fields: {stage: mql}}]
    else:
      - send_email: welcome-reminder
"""


def read(document: Any) -> Definition:
    definition, findings = read_campaign(document)
    assert [finding for finding in findings if finding.code != "not-yet"] == []
    assert definition is not None
    return definition


def steps(*documents: Any) -> tuple[Step, ...]:
    return read({"campaign": "c", "enter": {"event": "E"}, "steps": list(documents)}).steps


def step(document: Any) -> Step:
    (only,) = steps(document)
    return only


def trigger(document: Any, **header: Any) -> Trigger:
    (only,) = read({"campaign": "c", "enter": document, "steps": [], **header}).enter
    return only


def test_the_whole_campaign_of_the_language_page() -> None:
    document, positions, findings = load_yaml(WHOLE)
    assert findings == []
    definition, told = read_campaign(document, positions)
    assert definition is not None
    assert {finding.code for finding in told} == {"not-yet"}
    assert definition.id == "trial-nurture"
    assert definition.enter == (
        Trigger("submits_form", "enter[0]", ("trial",)),
        Trigger("joins_list", "enter[1]", ("trial-users",)),
    )
    assert definition.channel_defaults == {"email": {"from": "Ana <ana@example.com>"}}
    assert definition.only_if == 'lead.country in ["DE", "AT"]'
    assert (definition.reentry, definition.reentry_after) == ("after_exit", Duration(days=30))
    assert definition.per == "event.properties.order_id"
    assert definition.goal == Goal(
        (Trigger("event", "goal.on", ("Order Completed",)),), Duration(days=30)
    )
    assert [exit_.verb for exit_ in definition.exit] == ["leaves_list", "unsubscribes"]
    assert definition.active == Active(
        Instant(local="2026-12-01T00:00:00"), Instant(local="2027-01-31T00:00:00")
    )
    assert definition.holdout == 0.1
    assert definition.limits == Limits(
        Window(1260, 480), frozenset({6}), {"email": Frequency(3, Duration(days=7))}, (600, 60_000)
    )
    assert (definition.entries_per_lead, definition.entry_rate) == (5, (5000, 3_600_000))
    assert [found.id for found in every_step(definition.steps)] == [
        "welcome",
        "steps[1]",
        "steps[2]",
        "steps[2].then[0]",
        "steps[2].then[1]",
        "steps[2].then[1].then[0]",
        "steps[2].then[1].then[1]",
        "steps[2].else[0]",
    ]


def test_defaults_are_those_of_the_language() -> None:
    assert read({"campaign": "c", "enter": {"called": True}, "steps": []}) == Definition(
        "c", (Trigger("called", "enter"),), ()
    )
    jump = steps({"wait": "1 day", "id": "a"}, {"jump_to": "a"})[1]
    assert (jump.value, jump.options) == ("a", {"at_most": 1})
    assert step({"wait_until": "2026-01-01"}).options == {
        "if_past": "continue",
        "if_missing": "wait",
    }
    assert step({"wait_for": {"event": "A"}}).options == {"since": "arrival"}
    assert step({"send_email": "a"}).options == {"once_per_lead": False, "transactional": False}


@pytest.mark.parametrize(
    ("enter", "reentry"),
    [
        ({"event": "A"}, "never"),
        ({"date": "2026-12-24", "list": "a"}, "never"),
        ({"date": "2026-12-24", "list": "a", "every": "week on mon at 09:00"}, "after_exit"),
        ({"date_field": "birthday"}, "never"),
        ({"date_field": "birthday", "yearly": False}, "never"),
        ({"date_field": "birthday", "yearly": True}, "after_exit"),
    ],
)
def test_reentry_follows_the_entry(enter: Any, reentry: str) -> None:
    document = {"campaign": "c", "enter": [enter], "steps": []}
    assert read(document).reentry == reentry
    assert read({**document, "reentry": "always"}).reentry == "always"


def test_position_ids_of_all_blocks() -> None:
    a = {"add_tags": "a"}
    found = steps(
        {"choose": [{"when": "true", "steps": [a]}], "otherwise": [a]},
        {"split": [{"name": "x", "weight": 1, "steps": [a]}]},
        {"parallel": [[a, a], [a]]},
        {"wait_for": [{"event": "A", "then": [a]}, {"event": "B"}], "then": [a], "else": [a],
         "within": "1 day"},
        {"send_email": "x", "on_success": [a], "on_failure": [a]},
    )  # fmt: skip
    inner = [found_.id for found_ in every_step(found) if found_.verb == "add_tags"]
    assert inner == [
        "steps[0].choose[0].steps[0]", "steps[0].otherwise[0]",
        "steps[1].split[0].steps[0]",
        "steps[2].parallel[0][0]", "steps[2].parallel[0][1]", "steps[2].parallel[1][0]",
        "steps[3].wait_for[0].then[0]", "steps[3].then[0]", "steps[3].else[0]",
        "steps[4].on_success[0]", "steps[4].on_failure[0]",
    ]  # fmt: skip
    choose, split, parallel, wait_for, _ = found
    assert choose.value[0].when == "true"
    assert split.value == (Arm("steps[1].split[0]", split.value[0].steps, None, "x", 1),)
    assert len(parallel.value) == 2
    assert [t.path for t in wait_for.value] == ["steps[3].wait_for[0]", "steps[3].wait_for[1]"]
    assert wait_for.value[0].then is not None
    assert wait_for.value[1].then is None


@pytest.mark.parametrize(
    ("document", "value", "options"),
    [
        ({"wait": 0, "between": "08:00-10:00"}, Duration(), {"when": When(None, Window(480, 600))}),
        (
            {"wait": "1 day", "on": ["weekends"]},
            Duration(days=1),
            {"when": When(days=frozenset({5, 6}))},
        ),
        ({"wait": "1 day", "on": []}, Duration(days=1), {}),
        ({"wait": "1 day", "on": ["weekdays", "weekends"]}, Duration(days=1), {}),
        ({"wait": "1 day", "at": "00:00"}, Duration(days=1), {"when": When(0)}),
        ({"exit": "bored"}, "bored", {}),
        ({"change_points": -5}, -5, {}),
        ({"set_points": {"expr": "lead.points / 2"}}, {"expr": "lead.points / 2"}, {}),
        ({"add_tags": "a"}, ("a",), {}),
        ({"add_to_list": ["a", "b"]}, ("a", "b"), {}),
        ({"set_fields": {"a": None, "b": [1], "c": {"expr": "now"}}},
         {"a": None, "b": [1], "c": {"expr": "now"}}, {}),
        ({"unsubscribe": "email"}, "email", {}),
        ({"record_event": {"name": "A"}}, {"name": "A"}, {}),
        ({"call_webhook": {"url": "https://a.example/{{ lead.id }}"}},
         {"url": "https://a.example/{{ lead.id }}"}, {}),
        ({"forget_lead": True}, True, {}),
        ({"leave_campaign": "this"}, "this", {}),
    ],
)  # fmt: skip
def test_steps(document: Any, value: Any, options: dict[str, Any]) -> None:
    found = step(document)
    assert found.value == value
    assert found.options == options


def test_dates_and_deadlines() -> None:
    found = step({"wait_until": {"field": "trial_ends_on", "offset": "-3 days"}, "at": "09:00",
                  "if_past": "exit"})  # fmt: skip
    assert found.value == {"field": "trial_ends_on", "offset": Duration(days=-3)}
    assert found.options == {"when": When(540), "if_past": "exit", "if_missing": "wait"}
    assert step({"wait_until": {"field": "a"}}).value == {"field": "a", "offset": Duration()}
    assert step({"wait_until": "2026-12-24T09:00Z"}).value == Instant(ms=1_798_102_800_000)
    within = {"wait_for": {"event": "A"}, "within": "2026-12-24"}
    assert step(within).options["within"] == Instant(local="2026-12-24T00:00:00", plain_date=True)


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        ({"event": ["A", "B"]}, Trigger("event", "enter", ("A", "B"))),
        ({"visits_page": "/a*", "referrer": "*x*"},
         Trigger("visits_page", "enter", ("/a*",), options={"referrer": ("*x*",)})),
        ({"spends_time": "5 minutes", "on": ["/docs/*", "/api/*"]},
         Trigger("spends_time", "enter", duration=Duration(ms=300_000),
                 options={"on": ("/docs/*", "/api/*")})),
        ({"clicks_email": "any", "url": "*pricing*", "where": "lead.x"},
         Trigger("clicks_email", "enter", ("any",), "lead.x", options={"url": ("*pricing*",)})),
        ({"joins_list": "a", "existing": True},
         Trigger("joins_list", "enter", ("a",), options={"existing": True})),
        ({"reaches_points": 100}, Trigger("reaches_points", "enter", number=100)),
        ({"changes_field": "plan", "to": "pro", "from": None},
         Trigger("changes_field", "enter", ("plan",), options={"to": "pro", "from": None})),
        ({"unsubscribes": "any"}, Trigger("unsubscribes", "enter", ("any",))),
        ({"is_created": True}, Trigger("is_created", "enter")),
        ({"date": "2026-12-24T09:00", "list": "a"},
         Trigger("date", "enter", options={"date": Instant(local="2026-12-24T09:00:00"),
                                           "list": "a"})),
        ({"date_field": "ends", "offset": "-3 days", "at": "09:00"},
         Trigger("date_field", "enter", ("ends",),
                 options={"offset": Duration(days=-3), "at": 540})),
    ],
)  # fmt: skip
def test_triggers(document: Any, expected: Trigger) -> None:
    assert trigger(document) == expected


def test_a_condition_may_be_true_itself() -> None:
    assert step({"if": True, "then": []}).value == "true"
    assert read({"campaign": "c", "enter": {"event": "A"}, "only_if": False, "steps": []}).only_if


def test_lists() -> None:
    assert read_list({"list": "a", "name": "A"})[0] == ListDefinition("a", None, "A")
    assert read_list({"list": "a", "when": "lead.points > 3"})[0] == ListDefinition(
        "a", "lead.points > 3"
    )
    assert read_list({"list": "a", "when": "lead.points >"})[0] is None


@settings(max_examples=500)
@given(document=DOCUMENTS)
def test_a_definition_comes_back_just_when_all_could_be_read(document: Any) -> None:
    definition, findings = read_campaign(document)
    errors = [f for f in findings if f.severity == "error" and f.code != "not-yet"]
    assert (definition is None) is bool(errors)
