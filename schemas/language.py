"""The whole campaign language as one declarative table.

From it come the findings about unknown keys and wrong types, the JSON Schemas for editors and the
reference page: what is not here is not in the language. Triggers and steps are in
`language_triggers` and `language_steps`, the parts it is made of in `language_shapes`. Scenario
documents are described by the simulation.
"""

from __future__ import annotations

from typing import Final

from schemas.language_shapes import (
    BOOLEAN,
    DAYS,
    DOCUMENT_ID,
    EXPRESSION,
    INSTANT,
    LIQUID,
    PERCENT,
    RATE,
    STEPS,
    TEXT,
    TRIGGERS,
    WINDOW,
    ZONE,
    Code,
    Key,
    Shape,
    choice,
    duration,
    integer,
    map_of,
    mapping,
    name,
)  # fmt: skip
from schemas.language_steps import COMMON, STEP, STEPS_TABLE
from schemas.language_triggers import OWN_BRANCH, TRIGGER, WHERE
from schemas.language_triggers import TRIGGERS as TRIGGERS_TABLE

__all__ = [
    "CAMPAIGN", "CODES", "COMMON", "LIST", "NOT_YET", "OWN_BRANCH", "STEP", "STEPS_TABLE",
    "TRIGGER", "TRIGGERS_TABLE", "WHERE",
]  # fmt: skip

_FREQUENCY: Final = mapping(
    Key("at_most", integer(1, 100), "messages", required=True),
    Key("per", duration(positive=True, most_days=31), "in any such span", required=True),
    Key("then", choice("skip", "delay"), "what becomes of one more", "skip"),
)
_LIMITS: Final = mapping(
    Key("quiet_hours", WINDOW, "messages wait for their end, in the lead's local time"),
    Key("quiet_days", DAYS, "messages wait for their end"),
    Key(
        "frequency",
        map_of(_FREQUENCY, "`at_most`, `per`, `then` by channel", "channel"),
        "messages of a channel, over all campaigns",
    ),
    Key("send_rate", RATE, "this campaign's share of the sinks"),
)

CAMPAIGN: Final[tuple[Key, ...]] = (
    Key("campaign", DOCUMENT_ID, "the campaign's id, which never changes", required=True),
    Key("name", TEXT, "its name for people"),
    Key("timezone", ZONE, "for leads without a known zone, and this header's dates", "UTC"),
    Key(
        "channel_defaults",
        map_of(mapping(Key("from", LIQUID, "the sender")), "`from` by channel", "channel"),
        "what messages of a channel have in common",
    ),
    Key("enter", TRIGGERS, "any of these lets a lead in", required=True),
    Key("only_if", EXPRESSION, "checked at entry"),
    Key(
        "reentry",
        choice("never", "after_exit", "restart", "always"),
        "whether a lead may enter again",
        "never; after_exit where the entry repeats",
    ),
    Key("reentry_after", duration(), "least time between two entries of one lead"),
    Key("per", EXPRESSION, "one journey per value, side by side"),
    Key(
        "goal",
        mapping(
            Key("on", TRIGGERS, "what counts", required=True),
            Key("within", duration(positive=True), "counted from the entry", "while inside"),
            Key("exit", BOOLEAN, "whether it ends the journey", True),
        ),
        "the conversion",
    ),
    Key("exit", TRIGGERS, "any of these ends the journey at once"),
    Key("expires_after", duration(positive=True), "a journey never lives longer"),
    Key(
        "active",
        mapping(
            Key("from", INSTANT, "inclusive"),
            Key("until", INSTANT, "exclusive"),
            Key("then", choice("drain", "exit"), "what becomes of those inside", "drain"),
        ),
        "entries only inside",
    ),
    Key("holdout", PERCENT, "sticky share that gets no outward action"),
    Key("limits", _LIMITS, "what concerns this campaign's messages"),
    Key("priority", integer(0, 9), "who comes first, high before low", 5),
    Key(
        "exclusive_group",
        name("group", "name", 64),
        "a lead is in at most one campaign of a group",
    ),
    Key(
        "entries_at_most",
        mapping(
            Key("per_lead", integer(1, 1_000_000), "entries of one lead"),
            Key("rate", RATE, "entries of all; more wait for their turn"),
        ),
        "bounds on entries",
    ),
    Key("failure_limit", PERCENT, "failed outward actions that pause the campaign", "10%"),
    Key(
        "in_flight",
        choice("finish", "migrate", "exit"),
        "what a new version does to leads inside",
        "finish",
    ),
    Key(
        "removed_steps",
        Shape("removed_steps", "`exit`, or `{old-id: new-id}`"),
        "with `migrate`: leads at steps that are gone",
        "exit",
    ),
    Key("resume_completed", BOOLEAN, "runs steps added behind finished leads", False),
    Key(
        "on_resume",
        choice("run_late", "skip", "reschedule"),
        "what becomes of what came due in a pause",
        "run_late",
    ),
    Key("steps", STEPS, "what a lead walks through", required=True),
)

LIST: Final[tuple[Key, ...]] = (
    Key("list", DOCUMENT_ID, "the list's id", required=True),
    Key("name", TEXT, "its name for people"),
    Key("when", EXPRESSION, "the rule; without it a list is static"),
)

# What this version reads and checks but does not run: the one place to shorten.
# `campaign.<key>`, `trigger.<verb>`, `step.<verb>`, `list.<key>`, an option as
# `step.<verb>.<option>` (`*` for every verb), one value as `….<key>=<value>`, or every value but
# one as `….<key>!=<value>`.
NOT_YET: Final = frozenset({
    "campaign.entries_at_most.rate",
    "campaign.failure_limit!=10%",
    "campaign.in_flight!=finish",
    "campaign.limits.send_rate",
    "campaign.on_resume!=run_late",
    "campaign.removed_steps",
    "campaign.resume_completed!=false",
    "step.forget_lead",
    "step.notify",
    "step.push_to_crm",
    "step.send_push",
    "step.send_sms",
})  # fmt: skip

_ERRORS: Final = (
    ("yaml", "the file is not the YAML that is read here"),
    ("unknown-key", "a key that the language does not have at this place"),
    ("missing-key", "a key that must be there"),
    ("wrong-type", "a value of another kind than the key takes"),
    ("no-verb", "a step or trigger without a verb"),
    ("two-verbs", "a step or trigger with more than one verb"),
    ("exclusive-keys", "keys that exclude each other, as `at` and `between`"),
    ("entry-only", "a trigger that may only stand in `enter`"),
    ("bad-duration", "no duration, or one that is too long or too short here"),
    ("bad-expression", "an expression that cannot be read"),
    ("bad-template", "Liquid that cannot be read, or names what is not there"),
    ("null-comparison", "a comparison with a literal null: use `empty()`"),
    ("half-window", "a window with one end"),
    ("duplicate-step-id", "two steps of one id"),
    ("duplicate-branch", "two branches of a split of one name"),
    ("zero-weights", "a split whose weights are all zero"),
    ("unknown-step", "a step id that no step has, or not such a step"),
    ("unknown-template", "a template that does not exist"),
    ("unknown-list", "a list that does not exist"),
    ("unknown-connector", "a connector that does not exist"),
    ("unknown-timezone", "a time zone that is not in the IANA database"),
    ("loop-without-wait", "a loop that holds neither a wait of a minute nor a `wait_for`"),
    ("unreachable-step", "a step that no lead can come to"),
    ("jump-into-parallel", "a jump into or out of a branch of `parallel`"),
    ("reserved-reason", "an `exit` whose reason the engine uses itself"),
    ("reserved-field", "`set_fields` of a name that is no trait"),
    ("rule-needs-clock", "a list's rule that uses now, times() or lead.last_seen_at"),
    ("rule-cycle", "lists whose rules depend on each other in a circle"),
    ("too-deep", "blocks of steps nested too deeply"),
    ("not-yet", "part of the language that this version does not run"),
)
_WARNINGS: Final = (
    ("never-satisfiable", "a time that no instant can satisfy"),
    ("unbound-per", "with `per`: a trigger that is not bound to the value"),
    ("counts-every-page", "`times()` of page views: each of them changes the lead"),
    ("unknown-campaign", "a campaign that does not exist"),
    ("low-rate", "a rate so low that its share of a partition is less than one an hour"),
)
CODES: Final[dict[str, Code]] = {
    code: Code(code, severity, meaning)
    for severity, table in (("error", _ERRORS), ("warning", _WARNINGS))
    for code, meaning in table
}
