"""Random logs: campaigns that use the whole language, and records of every kind, odd ones too."""

from __future__ import annotations

import random
from typing import Any

from hypothesis import strategies as st
from msgspec import Raw

from schemas.records import ByHand, Interaction, Outcome, WakeUp
from tests.engine.folding import Log, ms, raw

START = ms("2026-03-27T09:00")

LISTS = [
    "{list: keen, when: lead.points >= 5 and 'cold' not in lead.tags}",
    "{list: known, when: not empty(lead.email) or 'keen' in lead.lists}",
    "{list: berlin, when: lead.timezone == 'Europe/Berlin'}",
]
CAMPAIGNS = [
    """
campaign: nurture
timezone: Europe/Berlin
priority: 7
enter: [{submits_form: trial}, {event: Go}, {called: true}, {visits_page: "/pricing*"}]
only_if: not (lead.blocked_by_test == true)
reentry: after_exit
reentry_after: 1 hour
goal: {on: [{event: Bought}, {reaches_points: 30}], within: 3 days, exit: false}
exit: [{leaves_list: trial}, {unsubscribes: email}]
expires_after: 20 days
steps:
  - {send_email: hello, id: hello}
  - {wait: 1 day, at: "09:00", on: [mon, tue, wed, thu, fri]}
  - wait_for: [{opens_email: hello}, {clicks_email: any, then: [{add_tags: clicked}]}]
    within: 2 days
    then: [{change_points: 10}, {set_fields: {stage: mql, copied: {expr: lead.tags}}}]
    else: [{add_tags: [cold, quiet]}, {jump_to: hello, at_most: 2}]
  - {if: lead.points >= 20 and "cold" not in lead.tags, then: [{add_to_list: hot}],
     else: [{remove_tags: cold}]}
  - call_webhook: {url: "https://example.com/{{ entry.properties.form_id }}",
                   body: {tags: "{{ lead.tags }}", p: "{{ lead.points }}"}}
""",
    """
campaign: dates
enter: [{event: Trial Started}, {joins_list: hot}, {event: Go}]
per: event.properties.id
reentry: always
steps:
  - {wait_until: {field: ends_on, offset: -1 days}, at: "10:00", if_missing: continue}
  - {wait_until: {field: ends_on}, between: "08:00-10:00", if_past: exit, if_missing: continue}
  - split:
      - {name: a, weight: 1, steps: [{set_points: {expr: lead.points + 0.5}}]}
      - {name: b, weight: 2, steps: [{remove_from_list: hot}, {wait: 30 minutes}]}
  - choose:
      - {when: 'journey.variant("steps[2]") == "a"', steps: [{exit: was-a}]}
    otherwise: [{record_event: {name: Bought, properties: {of: {expr: entry.properties.id}}}}]
""",
    """
campaign: visits
enter: [{spends_time: 2 minutes}, {changes_field: plan, to: pro}]
reentry: restart
only_if: times("Go", "7 days") < 5
steps:
  - {wait_for: {joins_list: hot}, since: entry, within: 12 hours}
  - {unsubscribe: email}
  - {start_campaign: nurture}
  - {wait: 0, between: "22:00-06:00"}
  - {subscribe: email}
  - {leave_campaign: dates}
""",
    """
campaign: held
priority: 6
enter: [{event: Go}, {is_created: true}]
reentry: always
exclusive_group: g
holdout: 30%
active: {from: 2026-03-01, until: 2026-06-15, then: exit}
entries_at_most: {per_lead: 20}
limits:
  quiet_hours: "21:00-08:00"
  quiet_days: [sun]
  frequency: {email: {at_most: 2, per: 2 days, then: delay}}
steps:
  - parallel:
      - [{wait: 1 hour, restart_on: {event: Bought}}, {send_email: hello, once_per_lead: true}]
      - [{wait_for: {event: Bought}, within: 3 days, restart_on: {event: Go}}]
      - [{wait: 5 days}]
    join: any
  - parallel: [[{wait: 10 minutes}], [{change_points: 1}], []]
  - {send_email: bye, on_success: [{add_tags: got-it}], on_failure: [{exit: bad-mail}]}
  - {call_webhook: {url: "https://example.com/"}, on_failure: [{add_tags: broken}]}
""",
    """
campaign: capped
enter: [{event: Go}]
reentry: restart
exclusive_group: g
limits: {frequency: {email: {at_most: 1, per: 1 day}}}
steps: [{send_email: hello}, {wait: 2 days, between: "10:00-11:00"}, {send_email: bye}]
""",
]
CAMPAIGNS.append("""
campaign: by-date
timezone: Asia/Tokyo
enter:
  - {date: 2026-03-30T09:00, list: hot, every: week on wed at 07:30}
  - {date: 2026-04-05, list: keen}
  - {date_field: ends_on, offset: -3 days, at: "09:00"}
  - {date_field: plan, yearly: true}
  - {joins_list: keen, existing: true}
reentry: always
expires_after: 12 hours
steps: [{add_to_list: hot}, {wait: 1 day}]
""")
CAMPAIGNS += LISTS
TEMPLATE = {
    "template": "hello",
    "html": "{{ lead.tags | join: ',' }} {{ entry.properties.form_id }}",
    "subject": "{{ lead.first_name }}",
}

ODD: list[Any] = [
    None, True, 0, -1, 1.5, 2**63, 2**64 - 1, 1e300, "", "a", "pro", "\x00é", "2026-03-29T02:30",
    "2026-04-02", "9999-12-31", "0001-01-01T00:00:00+14:00", "2026-04-01T10:00:00Z", [], [1, "a"],
    {}, {"a": {"b": [1]}}, "Europe/Berlin", "Asia/Tokyo", "Mars/Olympus", "x" * 300,
]  # fmt: skip
EVENTS = [
    "Go", "Go", "Go", "Go", "Bought", "Bought", "Bought", "Form Submitted", "Form Submitted",
    "Go", "Bought", "Trial Started", "Form Submitted", "File Downloaded", "Heartbeat", "Nothing",
    "Email Opened", "Email Link Clicked", "Email Replied", "Unsubscribed", "Email Bounced",
    "Email Marked as Spam", "",
]  # fmt: skip
TRAITS = ["email", "timezone", "plan", "ends_on", "blocked_by_test", "first_name", "", "a.b"]
PATHS = ["/", "/pricing", "/pricing?x=1#y", "/docs/a", "https://a.example/pricing", ""]
GAPS = [0, 0, 1, 1_000, 60_000, 179_999, 900_000, 3_600_000, 43_200_000, 86_400_000, 200_000_000]
NOT_OBJECTS = [b"null", b"[]", b"5", b'"x"', b"[[1]]"]


def registry_of_all(lead: str = "ana") -> Log:
    """A log that begins with a lead who may be written to."""
    log = Log(TEMPLATE, *CAMPAIGNS, lead=lead)
    log.identify(START - 1_000, email="ana@example.com")
    return log


def properties_of(log: Log, pick: random.Random) -> Raw:
    if pick.random() < 0.1:
        return Raw(pick.choice(NOT_OBJECTS))
    found: dict[str, Any] = {"id": pick.choice([1, 2, "x", None]), "odd": pick.choice(ODD)}
    if pick.random() < 0.5:
        found["form_id"] = pick.choice(["trial", "trial", *ODD])
    if pick.random() < 0.5:
        found["path"] = pick.choice([*PATHS, 5])
    if log.commands and pick.random() < 0.8:
        command = pick.choice(log.commands)
        found["message"] = {
            "command_id": command.id, "journey_id": command.journey_id, "step": command.step,
            "template": command.template,
        }  # fmt: skip
    return raw(found)


def body_of(log: Log, at: int, pick: random.Random) -> Any:
    """A record of any kind, as it may come next in this log."""
    dice = pick.random()
    context = raw({"timezone": pick.choice(ODD), "page": {"path": pick.choice(PATHS)}})
    context = context if pick.random() < 0.2 else raw(None)
    timestamp = pick.choice([None, None, "2026-03-28T09:00:00Z", "nonsense", "9999-12-31T00:00Z"])
    historical = pick.random() < 0.05
    more: dict[str, Any] = {"context": context, "timestamp": timestamp, "historical": historical}
    if dice < 0.45:
        properties = properties_of(log, pick)
        return Interaction("track", pick.choice(EVENTS), properties=properties, **more)
    if dice < 0.6:
        kind: Any = pick.choice(["page", "screen", "page", "alias", "group"])
        return Interaction(kind, properties=properties_of(log, pick), **more)
    if dice < 0.75:
        traits = {pick.choice(TRAITS): pick.choice(ODD) for _ in range(pick.randrange(3))}
        if pick.random() < 0.5:
            traits["email"] = "ana@example.com"
        return Interaction("identify", traits=raw(traits), **more)
    if dice < 0.85:
        return WakeUp(at)
    if dice < 0.92:
        verb: Any = pick.choice(
            ["enter", "remove", "join", "leave", "subscribe", "subscribe", "unsubscribe"]
        )
        target = pick.choice(["nurture", "dates", "hot", "trial", "email", "unknown"])
        return ByHand(verb, target, rules=pick.random() < 0.9)
    if not log.commands:
        return Outcome("c", "j", "nurture", "hello", "email", "failed")
    command = pick.choice(log.commands)
    result: Any = pick.choice(["delivered", "failed", "bounced", "unknown"])
    return Outcome(
        command.id, command.journey_id, command.campaign, command.step, command.channel, result,
        address=pick.choice([None, "ana@example.com"]),
    )  # fmt: skip


def run(log: Log, pick: random.Random, records: int, *, publish: bool = False) -> None:
    """Append so many random records; with `publish` new versions come in between."""
    at = START
    for _ in range(records):
        at += pick.choice(GAPS)
        if pick.random() < 0.02:
            at -= 1_000_000  # a producer whose clock runs behind
        if publish and pick.random() < 0.03:
            log.publish(pick.choice([TEMPLATE, *CAMPAIGNS]), at)
        body = body_of(log, at, pick)
        again = pick.random() < 0.05 and log.offset > 0
        log.take(at, body, id=f"m{log.offset}" if again else None)


seeds = st.randoms(use_true_random=False, note_method_calls=False)
