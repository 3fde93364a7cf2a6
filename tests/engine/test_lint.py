"""Lint: every code, at the right place, all of a document at once."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings

from schemas.language import CODES
from streams.engine.lint import Known, lint_campaign, lint_list
from tests.engine.documents import DOCUMENTS
from tests.engine.linting import lint, places, with_steps

NOTHING = Known(frozenset(), frozenset(), frozenset(), frozenset(), {})
TEN = """\
campaign: trial-nurture
timezone: Europe/Berln
entre: []
enter:
  - submits_form: trial
  - event: Order Completed
    where: lead.country = "DE"
reentry: sometimes
exit:
  - unsubscribes: fax
steps:
  - send_email: welcome
    id: welcome
  - wait: 3 fortnights
  - send_email: second
    id: welcome
  - wait: 1 day
    between: "08:00-"
  - if: lead.vip == null
    then:
      - exit: expired
"""


def test_ten_mistakes_are_ten_findings_with_their_lines() -> None:
    findings = lint(TEN)
    assert [(finding.line, finding.code) for finding in findings] == [
        (2, "unknown-timezone"),
        (3, "unknown-key"),
        (7, "bad-expression"),
        (8, "wrong-type"),
        (10, "wrong-type"),
        (14, "bad-duration"),
        (16, "duplicate-step-id"),
        (18, "half-window"),
        (19, "null-comparison"),
        (21, "reserved-reason"),
    ]
    assert {finding.file for finding in findings} == {"campaign.yaml"}
    assert all(finding.severity == "error" for finding in findings)
    assert findings[1].message == "`entre` is no key here; did you mean `enter`?"
    assert (findings[2].path, findings[2].column) == ("enter[1].where", 12)
    assert "`Europe/Berln`" in findings[0].message
    assert "==" in findings[2].message


def test_a_document_without_mistakes_has_no_findings() -> None:
    text = with_steps(
        """
        - send_email: welcome
          id: welcome
          note: says hello
        - wait: 3 days
          at: "09:00"
          on: [weekdays]
        - wait_for: {opens_email: welcome}
          within: 7 days
          then: [{change_points: 10}]
          else: [{send_email: reminder, subject: "{{ lead.first_name }}"}]
        """,
        "goal: {on: {event: Order Completed}, within: 30 days}",
    )
    assert lint(text) == []
    assert lint(text, Known(templates=frozenset({"welcome", "reminder"}))) == []


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("priority: 10", [("wrong-type", "priority")]),
        ("name: 17", [("wrong-type", "name")]),
        ("timezone: CET+1", [("unknown-timezone", "timezone")]),
        ("goal: {within: 1 day}", [("missing-key", "goal")]),
        ("goal: {on: {event: A}, exits: true}", [("unknown-key", "goal.exits")]),
        ("goal: yes", [("wrong-type", "goal")]),
        ("expires_after: 0", [("bad-duration", "expires_after")]),
        ("only_if: lead.x = 1", [("bad-expression", "only_if")]),
        ("channel_defaults: {fax: {from: a}}", [("unknown-key", "channel_defaults.fax")]),
        ("channel_defaults: {email: {form: a}}", [("unknown-key", "channel_defaults.email.form")]),
        (
            "active: {from: 2026-02-01, until: 2026-01-01}",
            [("never-satisfiable", "active")],
        ),
        ("active: {from: 2026-02-01}", []),
        ("limits: {quiet_hours: '21:00-'}", [("half-window", "limits.quiet_hours")]),
        ("limits: {quiet_hours: '21:00-21:00'}", [("never-satisfiable", "limits.quiet_hours")]),
        (
            "limits: {quiet_days: [weekdays, weekends]}",
            [("never-satisfiable", "limits.quiet_days")],
        ),
        ("limits: {quiet_days: [weekdays]}", []),
        (
            "limits: {send_rate: 10 per hour}",
            [("not-yet", "limits.send_rate"), ("low-rate", "limits.send_rate")],
        ),
        ("limits: {send_rate: 96 per hour}", [("not-yet", "limits.send_rate")]),
        (
            "limits: {send_rate: 1 per minute}",
            [("not-yet", "limits.send_rate"), ("low-rate", "limits.send_rate")],
        ),
        ("limits: {send_rate: 2 per minute}", [("not-yet", "limits.send_rate")]),
        (
            "entries_at_most: {rate: 100 per day}",
            [("not-yet", "entries_at_most.rate"), ("low-rate", "entries_at_most.rate")],
        ),
        (
            "limits: {frequency: {email: {at_most: 3, per: 32 days}}}",
            [("bad-duration", "limits.frequency.email.per")],
        ),
        (
            "limits: {frequency: {email: {per: 3 days}}}",
            [("missing-key", "limits.frequency.email")],
        ),
        ("holdout: 0.1", [("wrong-type", "holdout")]),
        ("in_flight: finish\non_resume: run_late\nfailure_limit: 10%", []),
        ("in_flight: migrate", [("not-yet", "in_flight")]),
        ("on_resume: skip", [("not-yet", "on_resume")]),
        ("failure_limit: 5%", [("not-yet", "failure_limit")]),
        ("exit: {event: A}\nper: event.properties.id", [("unbound-per", "exit")]),
        (
            "exit: [{event: A, where: event.properties.id == entry.properties.id}]\n"
            "per: event.properties.id",
            [],
        ),
        ("exit: {unsubscribes: any}\nper: event.properties.id", []),
    ],
)
def test_header(header: str, expected: list[tuple[str, str]]) -> None:
    found = [
        place
        for place in places(lint(with_steps("- {exit: a}", header)))
        if place != ("not-yet", "limits")
    ]
    assert sorted(found) == sorted(expected)


@pytest.mark.parametrize(
    ("document", "code", "path"),
    [
        (None, "wrong-type", ""),
        ([], "wrong-type", ""),
        ({"enter": {"event": "A"}, "steps": []}, "missing-key", ""),
        ({"campaign": "A", "enter": {"event": "A"}, "steps": []}, "wrong-type", "campaign"),
        ({"campaign": "a" * 65, "enter": {"event": "A"}, "steps": []}, "wrong-type", "campaign"),
        ({"campaign": "a", "enter": [], "steps": []}, "wrong-type", "enter"),
        ({"campaign": "a", "steps": []}, "missing-key", ""),
        ({"campaign": "a", "enter": {"event": "A"}}, "missing-key", ""),
        ({"campaign": "a", "enter": {"event": "A"}, "steps": [], 7: 1}, "unknown-key", "7"),
        ({"campaign": "a", "enter": {"event": "A"}, "steps": {}}, "wrong-type", "steps"),
        (
            {"campaign": "a", "enter": {"date": "2026-12-24", "every": "week"}, "steps": []},
            "missing-key", "enter",
        ),
    ],
)  # fmt: skip
def test_documents(document: Any, code: str, path: str) -> None:
    found = lint_campaign(document)
    assert (code, path) in places(found)
    assert all((finding.line, finding.column, finding.file) == (0, 0, "") for finding in found)


def test_unknown_names_are_told_when_the_names_are_known() -> None:
    text = with_steps(
        """
        - {send_email: welcom, id: first}
        - {add_to_list: [a, b]}
        - {start_campaign: other}
        - {start_campaign: c}
        - {leave_campaign: this}
        """,
        "exit: [{leaves_list: gone}, {opens_email: nothing}, {opens_email: any},"
        " {opens_email: first}, {clicks_email: welcome}]",
    ).replace("enter: {event: E}", "enter: [{opens_email: first}, {joins_list: a}]")
    known = Known(
        templates=frozenset({"welcome"}), lists=frozenset({"a"}), campaigns=frozenset({"mine"})
    )
    assert lint(text) == []
    assert places(lint(text, known)) == [
        ("unknown-template", "enter[0].opens_email"),
        ("unknown-list", "exit[0].leaves_list"),
        ("unknown-template", "exit[1].opens_email"),
        ("unknown-template", "steps[0].send_email"),
        ("unknown-list", "steps[1].add_to_list[1]"),
        ("unknown-campaign", "steps[2].start_campaign"),
    ]
    assert "did you mean `welcome`" in lint(text, known)[3].message
    assert ("unknown-connector", "steps[0].push_to_crm") in places(
        lint(with_steps("- {push_to_crm: x}"), NOTHING)
    )
    assert ("unknown-connector", "steps[0].notify.slack") in places(
        lint(with_steps("- {notify: {slack: x}}"), NOTHING)
    )


def test_parallel_branches_are_closed_to_jumps_and_join() -> None:
    steps = """
        - {wait: 1 day, id: outside}
        - parallel:
          - [{wait: 1 day, id: inside}, {jump_to: outside}, {jump_to: inside}]
          - [{wait: 1 day, id: beside}, {jump_to: inside}]
        - {jump_to: beside}
        """
    found = [place for place in places(lint(with_steps(steps))) if place[0] != "not-yet"]
    assert found == [
        ("jump-into-parallel", "steps[1].parallel[0][1].jump_to"),
        ("jump-into-parallel", "steps[1].parallel[1][1].jump_to"),
        ("jump-into-parallel", "steps[2].jump_to"),
    ]
    for join, lost in (("", True), (", join: any", False)):
        text = with_steps(f"- {{parallel: [[{{exit: a}}], [{{wait: 0}}]]{join}}}\n- {{exit: b}}")
        assert (("unreachable-step", "steps[1]") in places(lint(text))) is lost


@pytest.mark.parametrize(
    ("wait", "limits", "never"),
    [
        ("between: '22:00-23:00'", "quiet_hours: '21:00-08:00'", True),
        ("between: '07:00-08:00'", "quiet_hours: '21:00-08:00'", True),
        ("between: '07:00-09:00'", "quiet_hours: '21:00-08:00'", False),
        ("between: '23:00-07:00', on: [sun]", "quiet_hours: '22:00-07:00'", True),
        ("on: [sun]", "quiet_days: [sun]", True),
        ("on: [sat, sun]", "quiet_days: [sun]", False),
        ("between: '22:00-02:00', on: [sat]", "quiet_days: [sun]", False),
        ("between: '22:00-02:00', on: [sat]", "quiet_days: [sun, sat]", True),
        ("between: '08:00-10:00'", "quiet_days: [sat], quiet_hours: '10:00-08:00'", False),
        ("at: '22:00'", "quiet_hours: '21:00-08:00'", False),
    ],
)  # fmt: skip
def test_a_message_that_no_instant_allows(wait: str, limits: str, never: bool) -> None:
    text = with_steps(f"- {{wait: 1 day, {wait}}}\n- {{send_email: a}}", f"limits: {{{limits}}}")
    assert (("never-satisfiable", "steps[1]") in places(lint(text))) is never
    spared = text.replace("{send_email: a}", "{send_email: a, transactional: true}")
    assert ("never-satisfiable", "steps[1]") not in places(lint(spared))


def test_what_is_not_built_yet_is_told_and_read() -> None:
    text = with_steps(
        """
        - {send_sms: a}
        - {send_email: a, on_failure: [{exit: b}], once_per_lead: true}
        - {send_email: a, once_per_lead: false}
        - {wait: 1 day, restart_on: {event: A}}
        - {forget_lead: true}
        """
    ).replace("{event: E}", "[{date_field: born, yearly: true}, {joins_list: a, existing: true}]")
    assert places(lint(text)) == [
        ("not-yet", "steps[0].send_sms"),
        ("not-yet", "steps[4].forget_lead"),
    ]


def test_deeply_nested_blocks_are_refused() -> None:
    steps: list[Any] = [{"exit": "a"}]
    for _ in range(500):
        steps = [{"if": "lead.x", "then": steps}]
    found = lint_campaign({"campaign": "c", "enter": {"event": "E"}, "steps": steps})
    assert [finding.code for finding in found] == ["too-deep"]


def test_a_thousand_jumps_are_checked_at_once() -> None:
    steps = [{"jump_to": f"s{(n * 7) % 3000}", "id": f"s{n}"} for n in range(3000)]
    found = lint_campaign({"campaign": "c", "enter": {"event": "E"}, "steps": steps})
    assert {finding.code for finding in found} == {"loop-without-wait"}


@settings(max_examples=500)
@given(document=DOCUMENTS)
def test_nothing_raises_on_any_document(document: Any) -> None:
    for found in (lint_campaign(document, None, NOTHING), lint_list(document, None, NOTHING)):
        for finding in found:
            assert finding.code in CODES
            assert finding.severity == CODES[finding.code].severity
            assert finding.message
