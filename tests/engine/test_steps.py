"""Steps that decide, change and act: what the scenarios of the language leave to the engine."""

from __future__ import annotations

from typing import Any

import pytest

from schemas import facts as f
from schemas.ids import share
from streams.engine.branching import SplitNode
from streams.engine.registry import Registry
from tests.engine.folding import Log, iso, ms, registry_of

GO = "2026-01-05T10:00"


def sends(steps: str, header: str = "", *documents: Any, **traits: Any) -> Log:
    log = Log(f"{{campaign: c, enter: [{{event: Go}}], reentry: after_exit, {header}"
              f" steps: [{steps}]}}", *documents)  # fmt: skip
    log.identify("2026-01-05T09:00", email="ana@example.com", **traits)
    return log


# Splits and jumps


def split_of(registry: Registry) -> SplitNode:
    node = registry.campaigns["c"].nodes["s"]
    assert isinstance(node, SplitNode)
    return node


SPLIT = """
campaign: c
enter: [{event: Go}]
reentry: after_exit
steps:
  - id: s
    split:
      - {name: none, weight: 0, steps: [{add_tags: none}]}
      - {name: a, weight: 1, steps: [{change_points: 1}]}
      - {name: b, weight: 3, steps: [{change_points: 1}]}
      - {name: never, weight: 0, steps: [{add_tags: never}]}
  - {wait: 1 hour}
  - {jump_to: s}
"""


def test_a_split_is_the_share_of_the_hash_and_stays() -> None:
    chosen = set()
    for n in range(40):
        log = Log(SPLIT, lead=f"lead-{n}")
        log.track(GO, "Go")
        expected = "a" if share(f"c/s/lead-{n}") < 0.25 else "b"
        log.until("2026-01-06")
        log.track("2026-01-07T10:00", "Go")
        assert {fact.branch for fact in log.told(f.SplitAssigned)} == {expected}
        assert len(log.told(f.SplitAssigned)) == 2  # once a run, not once a pass
        assert [fact.which for fact in log.told(f.Branched)] == [expected] * 3
        chosen.add(expected)
    assert chosen == {"a", "b"}


def test_every_share_finds_a_branch_with_a_weight() -> None:
    node = split_of(registry_of(SPLIT))
    for u, name in ((0.0, "a"), (0.2499, "a"), (0.25, "b"), (0.9999, "b"), (1.0, "b")):
        assert node.names[node._index(u)] == name


def test_a_jump_that_is_used_up_is_passed() -> None:
    log = sends("{change_points: 1, id: top}, {wait: 1 hour}, {jump_to: top, at_most: 2}, "
                "{exit: done}")  # fmt: skip
    log.track(GO, "Go")
    log.until("2026-01-06")
    assert log.lead is not None
    assert log.lead.points == 3
    assert log.reasons() == ["done"]


# Other campaigns


def test_leaving_another_campaign_ends_its_journeys() -> None:
    log = Log(
        "{campaign: other, enter: [{event: Go}], reentry: always, steps: [{wait: 9 days}]}",
        "{campaign: c, enter: [{event: End}], steps: [{leave_campaign: other}, {exit: done}]}",
    )
    log.track(GO, "Go")
    log.track(GO, "Go")
    log.track("2026-01-05T11:00", "End")
    assert log.reasons() == ["left", "left", "done"]


@pytest.mark.parametrize("target", ["this", "c"])
def test_leaving_ones_own_campaign_ends_here(target: str) -> None:
    log = Log(f"""
campaign: c
enter: [{{event: Go}}]
reentry: always
steps: [{{wait: 1 hour}}, {{leave_campaign: {target}}}, {{add_tags: no}}]
""")
    log.track(GO, "Go")
    log.track("2026-01-05T10:30", "Go")
    log.until("2026-01-05T11:00")
    assert log.lead is not None
    assert log.lead.tags == []
    assert len(log.journeys()) == (1 if target == "this" else 0)


def test_a_campaign_that_is_not_there_is_started_without_harm() -> None:
    log = sends("{start_campaign: nobody}, {exit: done}")
    log.track(GO, "Go")
    assert log.reasons() == ["done"]


# What goes out


def test_a_mail_carries_exactly_the_paths_that_it_names() -> None:
    template = {
        "template": "hello",
        "subject": "{{ lead.first_name }} {{ lead.points }} {{ lead.timezone }}",
        "html": "{% for p in entry.properties.items %}{{ p.name }}{% endfor %} {{ event.name }}"
                "{{ journey.run }} {{ lead.missing }} {{ lead.id }} {{ lead.address.city }}"
                "{{ lead.created_at }} {{ lead.last_seen_at }} {{ unsubscribe_url }}",
    }  # fmt: skip
    log = sends(
        "{send_email: hello, subject: '{{ event.properties.title }}', from: 'a@b.c'}", "", template,
        first_name="Ana", address={"city": "Berlin", "street": "x"}, secret="s",
    )  # fmt: skip
    items = [{"name": "one", "price": 1}]
    log.track(GO, "Go", {"items": items, "title": "T", "secret": "s"})
    (command,) = log.commands
    assert command.data == {
        "lead": {
            "first_name": "Ana", "points": 0, "timezone": "UTC", "id": "ana",
            "address": {"city": "Berlin"}, "created_at": "2026-01-05T09:00:00.000Z",
            "last_seen_at": "2026-01-05T10:00:00.000Z",
        },
        "entry": {"properties": {"items": items}},
        "event": {"name": "Go", "properties": {"title": "T"}},
        "journey": {"run": 1},
    }  # fmt: skip
    assert command.settings == {"subject": "{{ event.properties.title }}", "from": "a@b.c"}
    assert (command.address, command.zone, command.priority) == ("ana@example.com", "UTC", 5)


def test_a_timer_has_no_event_but_the_entry() -> None:
    log = sends(
        "{wait: 1 hour}, {call_webhook: {url: 'https://example.com/', "
        "body: {a: '{{ entry.properties.a }}', b: '{{ event.properties.a }}', "
        "list: ['{{ lead.email }}', 5, true]}}}"
    )
    log.track(GO, "Go", {"a": 1})
    log.wake("2026-01-05T12:00")
    (command,) = log.commands
    assert command.data == {
        "entry": {"properties": {"a": 1}}, "lead": {"email": "ana@example.com"},
    }  # fmt: skip
    assert (iso(command.due_ms), iso(command.issued_ms)) == (
        "2026-01-05T11:00", "2026-01-05T12:00",
    )  # fmt: skip
    assert (command.channel, command.address, command.template) == ("webhook", None, None)


def test_an_expiry_counts_from_the_due_time() -> None:
    log = sends("{wait: 1 hour}, {send_email: hello, expires_after: 1 day}")
    log.track(GO, "Go")
    log.wake("2026-01-05T12:00")
    (command,) = log.commands
    assert command.expires_ms == ms("2026-01-06T11:00")


def test_each_sending_of_a_step_has_an_id_of_its_own() -> None:
    log = sends("{send_email: hello, id: top}, {wait: 1 hour}, {jump_to: top, at_most: 2}")
    log.track(GO, "Go")
    log.until("2026-01-06")
    assert len({command.id for command in log.commands}) == 3


# Held messages


def test_a_held_message_is_suppressed_when_the_journey_expires() -> None:
    log = sends("{send_email: hello, id: m}",
                "expires_after: 2 hours, limits: {quiet_hours: '08:00-18:00'},")  # fmt: skip
    log.track(GO, "Go")
    assert log.waiting() == [("m", "2026-01-05T18:00")]
    log.until("2026-01-06")
    assert [fact.reason for fact in log.told(f.ActionSuppressed)] == ["expired"]
    assert log.reasons() == ["expired"]


def test_a_held_message_looks_again_at_consent_and_the_zone() -> None:
    limits = "limits: {quiet_hours: '08:00-18:00'},"
    log = sends("{send_email: hello, id: m}, {exit: done}", limits)
    log.track(GO, "Go")
    log.identify("2026-01-05T10:30", timezone="Asia/Tokyo")  # 19:30 there
    assert log.waiting() == [("m", "2026-01-05T10:30")]
    log.until("2026-01-06")
    assert log.sent() == [("2026-01-05T10:30", "hello")]
    other = sends("{send_email: hello, id: m}, {exit: done}", limits)
    other.track(GO, "Go")
    other.track("2026-01-05T11:00", "Unsubscribed")
    other.until("2026-01-06")
    assert [fact.reason for fact in other.told(f.ActionSuppressed)] == ["unsubscribed"]
    assert other.reasons() == ["done"]


def test_a_message_without_any_instant_ends_the_journey() -> None:
    log = sends("{wait: 0, between: '09:00-17:00'}, {send_email: hello}",
                "limits: {quiet_hours: '08:00-18:00'},")  # fmt: skip
    log.track(GO, "Go")
    assert log.reasons() == ["unschedulable"]


@pytest.mark.parametrize(
    ("zone", "per", "first", "free"),
    [
        ("UTC", "1 day", "2026-01-05T10:00", "2026-01-06T10:00"),
        ("Europe/Berlin", "1 day", "2026-03-28T12:00+01:00", "2026-03-29T12:00+02:00"),
        # sent in the second 02:30 of a night; the same local time a day later
        ("Europe/Berlin", "1 day", "2026-10-25T02:30+01:00", "2026-10-26T02:30+01:00"),
        ("UTC", "1 month", "2026-01-31T10:00", "2026-02-28T10:00"),
        ("UTC", "90 minutes", "2026-01-05T10:00", "2026-01-05T11:30"),
    ],
)
def test_a_cap_holds_until_its_oldest_send_leaves_the_window(
    zone: str, per: str, first: str, free: str
) -> None:
    cap = f"{{email: {{at_most: 1, per: {per}, then: delay}}}}"
    log = sends("{send_email: hello}", f"limits: {{frequency: {cap}}},")
    log.identify("2026-01-05T09:30", timezone=zone)
    log.track(ms(first), "Go")
    log.track(ms(first) + 60_000, "Go")
    assert [due for _, due in log.waiting()] == [iso(ms(free))]
    log.until(ms(free) - 1)
    assert len(log.commands) == 1
    log.until(ms(free))
    assert len(log.commands) == 2


def test_a_cap_that_skips_counts_all_campaigns_and_nothing_transactional() -> None:
    cap = "limits: {frequency: {email: {at_most: 2, per: 1 day}}},"
    log = sends("{send_email: one}, {send_email: two}, {send_email: three, id: three}", cap)
    log.track(GO, "Go")
    log.track("2026-01-06T09:59:59.999", "Go")
    log.track("2026-01-06T10:00", "Go")
    assert [template for _, template in log.sent()] == ["one", "two", "one", "two"]
    assert {fact.reason for fact in log.told(f.ActionSuppressed)} == {"frequency_cap"}
    free = sends("{send_email: one, transactional: true}, {send_email: two}, {send_email: three}",
                 cap)  # fmt: skip
    free.track(GO, "Go")
    assert len(free.commands) == 3


# Outcomes


OUTCOMES = ("{send_email: hello, id: m, on_success: [{exit: success}], "
            "on_failure: [{exit: failure}]}, {exit: neither}")  # fmt: skip


@pytest.mark.parametrize(
    ("result", "reason"),
    [("delivered", "success"), ("failed", "failure"), ("bounced", "failure"),
     ("unknown", "failure")],
)  # fmt: skip
def test_a_final_outcome_takes_its_branch(result: str, reason: str) -> None:
    log = sends(OUTCOMES)
    log.track(GO, "Go")
    log.outcome("2026-01-05T11:00", log.commands[0], result)
    assert log.reasons() == [reason]


def test_without_an_outcome_it_has_failed_after_seven_days() -> None:
    log = sends(OUTCOMES)
    log.track(GO, "Go")
    log.until("2026-02-01")
    assert [(fact.reason, iso(fact.at)) for fact in log.told(f.Left)] == [
        ("failure", "2026-01-12T10:00")
    ]


def test_a_suppressed_one_takes_neither() -> None:
    log = sends(OUTCOMES)
    log.identify("2026-01-05T09:30", email=None)
    log.track(GO, "Go")
    assert log.reasons() == ["neither"]


def test_the_outcome_of_an_older_sending_moves_nothing() -> None:
    log = sends("{send_email: hello, id: m, on_success: [{wait: 1 hour}, {jump_to: m}]}")
    log.track(GO, "Go")
    log.outcome("2026-01-05T10:30", log.commands[0], "delivered")
    log.until("2026-01-05T12:00")
    assert len(log.commands) == 2
    log.outcome("2026-01-05T12:30", log.commands[0], "failed")
    assert [step for step, _ in log.waiting()] == ["m"]


# Side by side


def test_an_exit_in_a_branch_ends_all_and_the_rest_is_not_begun() -> None:
    log = sends("{parallel: [[{wait: 1 hour}], [{exit: out}], [{add_tags: no}]]}, {add_tags: no}")
    log.track(GO, "Go")
    assert log.lead is not None
    assert (log.reasons(), log.lead.tags) == (["out"], [])


def test_the_first_branch_to_end_cancels_the_others() -> None:
    log = sends("{parallel: [[{wait: 1 hour}], [{wait: 2 hours}, {add_tags: no}]], join: any}, "
                "{exit: behind}")  # fmt: skip
    log.track(GO, "Go")
    log.until("2026-01-06")
    assert log.lead is not None
    assert (log.reasons(), log.lead.tags) == (["behind"], [])
    at_once = sends("{parallel: [[], [{add_tags: no}]], join: any}, {exit: behind}")
    at_once.track(GO, "Go")
    assert at_once.lead is not None
    assert (at_once.reasons(), at_once.lead.tags) == (["behind"], [])


def test_a_fork_in_a_loop_begins_anew() -> None:
    log = sends("{parallel: [[{wait: 1 hour}, {change_points: 1}], [{wait: 2 hours}, "
                "{change_points: 10}]], id: fork}, {jump_to: fork}, {exit: done}")  # fmt: skip
    log.track(GO, "Go")
    log.until("2026-01-06")
    assert log.lead is not None
    assert (log.lead.points, log.reasons()) == (22, ["done"])
    assert iso(log.told(f.Left)[0].at) == "2026-01-05T14:00"


# Groups


def test_a_higher_priority_takes_over_in_a_group() -> None:
    log = Log(*[
        f"{{campaign: {name}, priority: {priority}, exclusive_group: g, enter: [{{event: {name}}}],"
        " steps: [{wait: 9 days}]}"
        for name, priority in (("low", 1), ("mid", 5), ("mid2", 5), ("high", 9))
    ])  # fmt: skip
    for n, name in enumerate(["mid", "low", "mid2", "high"]):
        log.track(f"2026-01-05T1{n}:00", name)
    assert log.refusals() == ["group_occupied"] * 2
    assert log.reasons() == ["superseded"]
    assert [journey.campaign for journey in log.journeys()] == ["high"]


def test_expressions_know_where_a_lead_is_and_was() -> None:
    log = Log(
        "{campaign: a, enter: [{event: Go}], steps: [{wait: 1 hour}]}",
        """
campaign: b
enter: [{event: Ask}]
reentry: after_exit
steps:
  - {if: in_campaign("a"), then: [{add_tags: in}]}
  - {if: completed_campaign("a") and not in_campaign("b2"), then: [{add_tags: done}]}
  - {if: 'lead.email < 3', then: [{add_tags: no}]}
""",
    )
    log.identify("2026-01-05T09:00", email="x")
    log.track(GO, "Go")
    log.track("2026-01-05T10:30", "Ask")
    assert log.lead is not None
    assert log.lead.tags == ["in"]
    log.track("2026-01-05T12:00", "Ask")
    assert log.lead.tags == ["in", "done"]
    assert log.counted.count("type_mismatch") == 2
