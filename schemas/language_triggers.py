"""The triggers of the campaign language (campaign-language, "Triggers")."""

from __future__ import annotations

from typing import Final

from schemas.language_shapes import (
    BOOLEAN,
    CHANNELS,
    EVERY,
    EXPRESSION,
    GLOBS,
    INSTANT,
    NUMBER,
    OFFSET,
    STEPS,
    TIME,
    TRUE,
    VALUE,
    Key,
    Verb,
    duration,
    name,
    names,
)  # fmt: skip

WHERE: Final = Key(
    "where", EXPRESSION, "must hold too; `entry.…` is the event that let the lead in"
)
OWN_BRANCH: Final = Key(
    "then", STEPS, "in a list of `wait_for`: replaces the common `then` for this trigger"
)
_MESSAGE: Final = names(
    "message", "step id of this journey (this run's message), template name, or `any`"
)
_URL: Final = Key("url", GLOBS, "only links that match")

TRIGGERS: Final[tuple[Verb, ...]] = (
    Verb("event", names("event", "event name, or a list"), "a tracked event of that name arrives"),
    Verb(
        "visits_page",
        GLOBS,
        "a page whose path matches (with `://` in the pattern: whose full URL); `*` crosses `/`",
        (Key("referrer", GLOBS, "only visits whose referrer matches"),),
    ),
    Verb(
        "spends_time",
        duration(positive=True),
        "the lead's session has lasted that long, told by the first record that proves it; "
        "once per session",
        (Key("on", GLOBS, "only time on pages that match"),),
    ),
    Verb("opens_email", _MESSAGE, "a mail is opened"),
    Verb("clicks_email", _MESSAGE, "a link in a mail is clicked", (_URL,)),
    Verb("replies_to_email", _MESSAGE, "a mail is answered"),
    Verb(
        "submits_form",
        names("form", "form id, or a list"),
        "`Form Submitted` with that `properties.form_id`",
    ),
    Verb("downloads", GLOBS, "`File Downloaded` whose `properties.name` matches"),
    Verb(
        "joins_list",
        names("list", "list, or several"),
        "the lead becomes a member, whoever changed it",
        (Key("existing", BOOLEAN, "in `enter`: also those who are members at publishing", False),),
    ),
    Verb(
        "leaves_list",
        names("list", "list, or several"),
        "the lead is no longer a member, whoever changed it",
    ),
    Verb("reaches_points", NUMBER, "points were below and now are at or above"),
    Verb(
        "changes_field",
        names("field", "field, or several"),
        "a trait becomes another value; null counts as a value",
        (
            Key("to", VALUE, "only when the new value is this"),
            Key("from", VALUE, "only when the old value was this"),
        ),
    ),
    Verb("unsubscribes", CHANNELS, "consent is withdrawn (a complaint counts too)"),
    Verb("bounces", CHANNELS, "the address cannot be reached"),
    Verb("is_created", TRUE, "the lead is seen for the first time"),
    Verb(
        "date",
        INSTANT,
        "on that date, in the lead's zone, every member of `list` enters",
        (
            Key("list", name("list", "list"), "who enters", required=True),
            Key("every", EVERY, "repeats"),
        ),
        only="enter",
    ),
    Verb(
        "date_field",
        name("field", "field of the lead"),
        "relative to a date that the lead carries; moves with it",
        (
            Key("offset", OFFSET, "so long before or after the date"),
            Key("at", TIME, "at that time of day"),
            Key("yearly", BOOLEAN, "every year", False),
        ),
        only="enter",
    ),
    Verb(
        "called",
        TRUE,
        "by hand, through the API, the CLI, or another campaign's `start_campaign`",
        only="enter",
    ),
)
TRIGGER: Final = {verb.name: verb for verb in TRIGGERS}
