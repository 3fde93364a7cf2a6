"""The steps of the campaign language (campaign-language, "Steps")."""

from __future__ import annotations

from typing import Final

from schemas.language_shapes import (
    BOOLEAN,
    BRANCHES,
    CHANNEL,
    COMPUTED,
    COMPUTED_NUMBER,
    DAYS,
    DEADLINE,
    EXPRESSION,
    LIQUID,
    LIQUID_DATA,
    OFFSET,
    STEP_ID,
    STEPS,
    TEXT,
    TIME,
    TRIGGERS,
    TRUE,
    WAIT_TRIGGERS,
    WINDOW,
    Key,
    Shape,
    Verb,
    choice,
    duration,
    integer,
    map_of,
    mapping,
    name,
    names,
)  # fmt: skip

COMMON: Final[tuple[Key, ...]] = (
    Key("id", STEP_ID, "names the step; unique in the campaign", "its position"),
    Key("note", TEXT, "free text"),
)
_AT: Final = Key("at", TIME, "then at the next such time of day; excludes `between`")
_BETWEEN: Final = Key("between", WINDOW, "then on to the next start when outside")
_ON: Final = Key("on", DAYS, "then whole days on, to one of these", "every day")
_RESTART: Final = Key("restart_on", TRIGGERS, "begins the wait anew each time it fires")
_THEN: Final = Key("then", STEPS, "runs when it holds, or came")
_ELSE: Final = Key("else", STEPS, "runs when it does not, or the deadline came")
_OUTCOMES: Final = (
    Key("on_success", STEPS, "waits for the final outcome; runs when it was delivered"),
    Key("on_failure", STEPS, "waits for the final outcome; runs when it failed"),
)
_MESSAGE: Final = (
    Key("to", LIQUID, "another address", "the lead's"),
    Key("once_per_lead", BOOLEAN, "suppressed when this template was sent before", False),
    Key("transactional", BOOLEAN, "passes consent, frequency, quiet time and hold-out", False),
    Key("expires_after", duration(positive=True), "dropped when it is older than this", "3 days"),
    *_OUTCOMES,
)
_METHODS: Final = ("GET", "POST", "PUT", "PATCH", "DELETE")
_NAMES: Final = "a name or a list of them"


def _amount(verb: str, meaning: str) -> Verb:
    return Verb(verb, COMPUTED_NUMBER, meaning)


STEPS_TABLE: Final[tuple[Verb, ...]] = (
    Verb(
        "wait",
        duration(),
        "waits; days and longer are calendar steps in the lead's zone",
        (_AT, _BETWEEN, _ON, _RESTART),
    ),
    Verb(
        "wait_until",
        Shape(
            "target",
            "date, or `{field: …, offset: …}`",
            keys=(
                Key("field", name("field", "field of the lead"), "holds the date", required=True),
                Key("offset", OFFSET, "so long before or after it"),
            ),
        ),
        "waits for a date",
        (
            Key("at", TIME, "sets the time of day of that date"),
            _BETWEEN,
            _ON,
            Key("if_past", choice("continue", "exit"), "when the date is past", "continue"),
            Key(
                "if_missing", choice("wait", "continue", "exit"), "when the field is empty", "wait"
            ),
        ),
    ),
    Verb(
        "wait_for",
        WAIT_TRIGGERS,
        "waits for the lead; the first trigger to fire wins",
        (
            Key("within", DEADLINE, "the deadline", "for ever"),
            Key(
                "since",
                choice("arrival", "entry"),
                "`entry`: what happened since the journey began counts at once",
                "arrival",
            ),
            _RESTART,
            _THEN,
            _ELSE,
        ),
    ),
    Verb("if", EXPRESSION, "a condition, decided at once", (_THEN, _ELSE)),
    Verb(
        "choose",
        Shape(
            "arms",
            "list of `{when: <expression>, steps: […]}`",
            keys=(
                Key("when", EXPRESSION, "the condition", required=True),
                Key("steps", STEPS, "what runs", required=True),
            ),
        ),
        "the first branch whose condition holds",
        (Key("otherwise", STEPS, "runs when none holds"),),
    ),
    Verb(
        "split",
        Shape(
            "arms",
            "list of `{name: …, weight: …, steps: […]}`",
            keys=(
                Key("name", name("branch", "name of the branch", 64), "its name", required=True),
                Key(
                    "weight",
                    Shape("number", "number", least=0, most=1_000_000),
                    "its share, relative to the others",
                    required=True,
                ),
                Key("steps", STEPS, "what runs", required=True),
            ),
        ),
        "sticky shares, the same for a lead in every run and version",
    ),
    Verb(
        "parallel",
        BRANCHES,
        "all branches run; goes on when all have ended",
        (Key("join", choice("all", "any"), "`any`: when the first has ended", "all"),),
    ),
    Verb(
        "jump_to",
        name("step", "step id"),
        "goes on at another step; used up, it is passed",
        (Key("at_most", integer(1, 1000), "times in one run", 1),),
    ),
    Verb("exit", name("reason", "reason"), "ends the journey with this reason"),
    Verb(
        "send_email",
        name("template", "template"),
        "a mail to the lead",
        (
            Key("subject", LIQUID, "another subject"),
            Key("from", LIQUID, "another sender"),
            *_MESSAGE,
        ),
        outward=True,
    ),
    Verb("send_sms", name("template", "template"), "a text message", _MESSAGE, outward=True),
    Verb("send_push", name("template", "template"), "a push message", _MESSAGE, outward=True),
    Verb(
        "call_webhook",
        mapping(
            Key("url", LIQUID, "where to", required=True),
            Key("method", choice(*_METHODS), "how", "POST"),
            Key("headers", map_of(LIQUID, "texts by header", "header"), "further headers"),
            Key("body", LIQUID_DATA, "what is sent, as JSON unless it is a text"),
        ),
        "a signed HTTP call",
        _OUTCOMES,
        outward=True,
    ),
    Verb(
        "push_to_crm",
        name("connector", "connector"),
        "writes the lead into that system",
        (
            Key("fields", map_of(COMPUTED, "values by field", "field"), "what is written"),
            *_OUTCOMES,
        ),
        outward=True,
    ),
    Verb(
        "notify",
        mapping(
            Key("email", LIQUID, "a colleague's address"),
            Key("slack", name("connector", "connector"), "a Slack connector"),
        ),
        "a message to a colleague, not to the lead; exactly one of the two",
        _OUTCOMES,
        outward=True,
    ),
    Verb("add_to_list", names("list", _NAMES), "the lead becomes a member"),
    Verb("remove_from_list", names("list", _NAMES), "the lead is no longer a member"),
    Verb("add_tags", names("tag", _NAMES), "tags the lead"),
    Verb("remove_tags", names("tag", _NAMES), "takes tags away"),
    _amount("change_points", "adds to the lead's points"),
    _amount("set_points", "sets the lead's points"),
    Verb("set_fields", map_of(COMPUTED, "values by field", "field"), "sets traits of the lead"),
    Verb("subscribe", CHANNEL, "consent is given"),
    Verb("unsubscribe", CHANNEL, "consent is withdrawn"),
    Verb("start_campaign", name("campaign", "campaign id"), "lets the lead into another campaign"),
    Verb("leave_campaign", name("campaign", "campaign id, or `this`"), "takes the lead out of it"),
    Verb(
        "record_event",
        mapping(
            Key("name", name("event", "event name"), "its name", required=True),
            Key("properties", map_of(COMPUTED, "values by name", "property"), "its properties"),
        ),
        "an event of this lead, seen by every campaign in the same record",
    ),
    Verb("forget_lead", TRUE, "erases the lead; nothing behind it runs"),
)
STEP: Final = {verb.name: verb for verb in STEPS_TABLE}
