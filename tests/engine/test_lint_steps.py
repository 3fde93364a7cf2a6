"""Lint of steps: every mistake in them, at its path."""

from __future__ import annotations

import pytest

from tests.engine.linting import lint, places, with_steps


@pytest.mark.parametrize(
    ("steps", "expected"),
    [
        # a step has one verb that is known, and options that belong to it
        ("- {id: a}", [("no-verb", "steps[0]")]),
        ("- {send_emial: a}", [("unknown-key", "steps[0].send_emial")]),
        ("- {wait: 1 day, exit: x}", [("two-verbs", "steps[0].exit")]),
        ("- {exit: x, at: '09:00'}", [("unknown-key", "steps[0].at")]),
        ("- {wait: 1 day, att: '09:00'}", [("unknown-key", "steps[0].att")]),
        ("- wait", [("wrong-type", "steps[0]")]),
        ("- null", [("wrong-type", "steps[0]")]),
        ("- if: true\n  then: {exit: x}", [("wrong-type", "steps[0].then")]),
        ("- {send_email: 17}", [("wrong-type", "steps[0].send_email")]),
        ("- {send_email: ''}", [("wrong-type", "steps[0].send_email")]),
        (f"- {{send_email: {'x' * 257}}}", [("wrong-type", "steps[0].send_email")]),
        (
            f"- {{set_fields: {{a: {'[' * 40}{']' * 40}}}}}",
            [("wrong-type", "steps[0].set_fields.a")],
        ),
        (
            "- {split: [{name: a, weight: -1, steps: []}]}",
            [("wrong-type", "steps[0].split[0].weight")],
        ),
        ("- {record_event: {name: A, properties: {b: {expr: x}}}}",
         [("bad-expression", "steps[0].record_event.properties.b.expr")]),
        ("- {exit: x, id: a b}", [("wrong-type", "steps[0].id")]),
        ("- {change_points: '5'}", [("wrong-type", "steps[0].change_points")]),
        ("- {change_points: true}", [("wrong-type", "steps[0].change_points")]),
        ("- {add_tags: []}", [("wrong-type", "steps[0].add_tags")]),
        ("- {add_tags: [a, 1]}", [("wrong-type", "steps[0].add_tags[1]")]),
        ("- {unsubscribe: any}", [("wrong-type", "steps[0].unsubscribe")]),
        ("- {split: []}", [("wrong-type", "steps[0].split")]),
        ("- {split: [{name: a, steps: []}]}", [("missing-key", "steps[0].split[0]")]),
        ("- {choose: [{steps: []}]}", [("missing-key", "steps[0].choose[0]")]),
        ("- {call_webhook: {method: GET}}", [("missing-key", "steps[0].call_webhook")]),
        ("- {record_event: {properties: {}}}", [("missing-key", "steps[0].record_event")]),
        (
            "- {call_webhook: {url: 'https://x.example', method: FETCH}}",
            [("wrong-type", "steps[0].call_webhook.method")],
        ),
        # times
        ("- {wait: 3}", [("bad-duration", "steps[0].wait")]),
        ("- {wait: -3 days}", [("bad-duration", "steps[0].wait")]),
        ("- {wait: 1 day, at: 9}", [("wrong-type", "steps[0].at")]),
        ("- {wait: 1 day, on: [monday]}", [("wrong-type", "steps[0].on")]),
        ("- {wait: 1 day, between: '08:00'}", [("half-window", "steps[0].between")]),
        (
            "- {wait: 1 day, at: '09:00', between: '08:00-10:00'}",
            [("exclusive-keys", "steps[0].between")],
        ),
        ("- {wait_until: tomorrow}", [("wrong-type", "steps[0].wait_until")]),
        ("- {wait_until: {offset: 3 days}}", [("missing-key", "steps[0].wait_until")]),
        ("- {wait_until: {field: a, offset: x}}", [("bad-duration", "steps[0].wait_until.offset")]),
        ("- {wait_for: {event: A}, within: soon}", [("bad-duration", "steps[0].within")]),
        ("- {wait_for: {event: A}, within: 2026-13-01}", [("wrong-type", "steps[0].within")]),
        ("- {wait: 1 day, between: '08:00-08:00'}", [("never-satisfiable", "steps[0].between")]),
        # expressions and Liquid
        ("- {if: lead.x ==}", [("bad-expression", "steps[0].if")]),
        ("- {if: 17}", [("bad-expression", "steps[0].if")]),
        ("- {if: lead.x == null}", [("null-comparison", "steps[0].if")]),
        ("- {set_fields: {a: {expr: x +}}}", [("bad-expression", "steps[0].set_fields.a.expr")]),
        ("- {send_email: a, subject: '{{ lead'}", [("bad-template", "steps[0].subject")]),
        (
            "- {call_webhook: {url: 'https://x.example', body: {a: ['{{ nobody }}']}}}",
            [("bad-template", "steps[0].call_webhook.body.a[0]")],
        ),
        (
            "- {if: journey.variant('a') == 'b'}",
            [("unknown-step", "steps[0].if")],
        ),
        (
            "- if: times('Page Viewed', '7 days') > 3\n  then: [{exit: bored}]",
            [("counts-every-page", "steps[0].if")],
        ),
        ("- if: times('page', '7 days', 'event.context.x == 1') > 3", []),
        # names
        ("- {exit: goal}", [("reserved-reason", "steps[0].exit")]),
        ("- {exit: failed}", []),
        ("- {set_fields: {points: 3}}", [("reserved-field", "steps[0].set_fields.points")]),
        ("- {set_fields: {timezone: Europe/Berlin}}", []),
        (
            "- {exit: a, id: x}\n- {exit: b, id: x}",
            [("unreachable-step", "steps[1]"), ("duplicate-step-id", "steps[1].id")],
        ),
        (
            "- {wait: 1 day, id: x}\n- {wait_for: {opens_email: x}}",
            [("unknown-step", "steps[1].wait_for.opens_email")],
        ),
        (
            "- {send_email: a, id: x}\n- {wait_for: [{clicks_email: x}, {opens_email: other}]}",
            [],
        ),
        # the flow
        ("- {jump_to: y}", [("unknown-step", "steps[0].jump_to")]),
        ("- {exit: a}\n- {wait: 1 day}\n- {wait: 1 day}", [("unreachable-step", "steps[1]")]),
        ("- {leave_campaign: this}\n- {wait: 1 day}", [("unreachable-step", "steps[1]")]),
        ("- {leave_campaign: other}\n- {wait: 1 day}", []),
        (
            "- if: lead.x\n  then: [{exit: a}]\n  else: [{exit: b}]\n- {wait: 1 day}",
            [("unreachable-step", "steps[1]")],
        ),
        ("- if: lead.x\n  then: [{exit: a}]\n- {wait: 1 day}", []),
        (
            "- wait_for: {event: A}\n  else: [{exit: b}]",
            [("unreachable-step", "steps[0].else[0]")],
        ),
        (
            "- wait_for: [{event: A, then: [{exit: a}]}]\n  then: [{exit: b}]",
            [("unreachable-step", "steps[0].then[0]")],
        ),
        (
            "- choose: [{when: lead.a, steps: [{exit: a}]}]\n  otherwise: [{exit: b}]\n- {exit: c}",
            [("unreachable-step", "steps[1]")],
        ),
        (
            "- split: [{name: a, weight: 1, steps: [{exit: a}]}, {name: b, weight: 0, steps: []}]\n"
            "- {exit: c}",
            [],
        ),
        (
            "- {jump_to: there}\n- {exit: a}\n- {wait: 1 day}\n- {wait: 1 day, id: there}",
            [("unreachable-step", "steps[2]")],
        ),
        (
            "- {add_tags: a, id: top}\n- {jump_to: top}",
            [("loop-without-wait", "steps[1].jump_to")],
        ),
        (
            "- {wait: 59 seconds, id: a}\n- {jump_to: a}",
            [("loop-without-wait", "steps[1].jump_to")],
        ),
        ("- {wait: 1 minute, id: top}\n- {jump_to: top}", []),
        ("- {wait: 1 day, id: top}\n- {jump_to: top, at_most: 5}", []),
        ("- {wait_for: {event: A}, id: top}\n- {jump_to: top}", []),
        ("- {jump_to: me, id: me}", [("loop-without-wait", "steps[0].jump_to")]),
        (
            "- {add_tags: a, id: top}\n- if: lead.x\n  then: [{wait: 1 day}]\n- {jump_to: top}",
            [("loop-without-wait", "steps[2].jump_to")],
        ),
        (
            "- {add_tags: a, id: top}\n- if: lead.x\n  then: [{wait: 1 day}, {jump_to: top}]",
            [],
        ),
        (
            "- split: [{name: a, weight: 0, steps: []}, {name: a, weight: 0, steps: []}]",
            [("zero-weights", "steps[0].split"), ("duplicate-branch", "steps[0].split[1].name")],
        ),
        # triggers
        ("- {wait_for: opened}", [("wrong-type", "steps[0].wait_for")]),
        ("- {wait_for: []}", [("wrong-type", "steps[0].wait_for")]),
        ("- {wait_for: [open]}", [("wrong-type", "steps[0].wait_for[0]")]),
        ("- {wait_for: {evnt: A}}", [("unknown-key", "steps[0].wait_for.evnt")]),
        ("- {wait_for: {where: lead.x}}", [("no-verb", "steps[0].wait_for")]),
        (
            "- {wait_for: {event: A, visits_page: /}}",
            [("two-verbs", "steps[0].wait_for.visits_page")],
        ),
        ("- {wait_for: {event: A, within: 1 day}}", [("unknown-key", "steps[0].wait_for.within")]),
        ("- {wait_for: {event: A, then: []}}", [("unknown-key", "steps[0].wait_for.then")]),
        ("- {wait_for: {called: true}}", [("entry-only", "steps[0].wait_for")]),
        ("- {wait_for: {is_created: yes}}", [("wrong-type", "steps[0].wait_for.is_created")]),
        ("- {wait_for: {reaches_points: x}}", [("wrong-type", "steps[0].wait_for.reaches_points")]),
        ("- {wait_for: {spends_time: 0}}", [("bad-duration", "steps[0].wait_for.spends_time")]),
        ("- {wait_for: {unsubscribes: fax}}", [("wrong-type", "steps[0].wait_for.unsubscribes")]),
        ("- {wait_for: {bounces: [email, any]}}", []),
        ("- {wait_for: {event: A}, since: ever}", [("wrong-type", "steps[0].since")]),
    ],
)  # fmt: skip
def test_steps(steps: str, expected: list[tuple[str, str]]) -> None:
    assert places(lint(with_steps(steps))) == expected
