"""The names and functions of expressions, as people are told of them.

What they do is in `streams.engine.expression_names` and `expression_functions`; a test keeps the
two equal.
"""

from __future__ import annotations

from typing import Final

NAMES: Final[dict[str, str]] = {
    "lead.<field>": "a trait of the lead, `lead.address.city` a part of one",
    "lead.points": "its points",
    "lead.tags": "its tags, a list",
    "lead.lists": "the lists it is a member of",
    "lead.timezone": "the time zone in force for it",
    "lead.created_at": "when it was first seen (ms)",
    "lead.last_seen_at": "when it was last seen, in steps of 15 minutes (ms)",
    "event.name": "the event at hand; null when a timer runs the steps",
    "event.properties.<path>": "what that event says",
    "event.context.<path>": "where it came from",
    "entry.name": "the event that let the lead in; it always works",
    "entry.properties.<path>": "what that event said",
    "entry.context.<path>": "where it came from",
    "journey.entered_at": "when the journey began (ms)",
    "journey.run": "which journey of the lead in this campaign, from 1",
    'journey.variant("split-id")': "the branch that a split took, null before",
    "now": "the time that the engine computes with (ms)",
}
FUNCTIONS: Final[dict[str, str]] = {
    "lower(x)": "the text in lower case",
    "matches(x, glob)": "the whole text matches the glob",
    "contains(x, y)": "the text or list x holds y",
    "starts_with(x, y)": "the text x begins with y",
    "ends_with(x, y)": "the text x ends with y",
    "regex(x, pattern)": "the pattern (RE2, a text in quotes) is found anywhere in x",
    "empty(x)": "null, or a text, list or object with nothing in it",
    "length(x)": "characters or items; of null 0",
    "days(n)": "n × 24 hours in ms",
    "hours(n)": "n hours in ms",
    "date(x)": "an ISO date as ms, local to the lead without an offset; ms stay as they are",
    "weekday(t)": '`"mon"` … `"sun"` in the lead\'s zone',
    "times(name, period)": "how often that event came in the period; both are texts in quotes",
    "times(name, period, filter)": "the same, of events for which the filter over `event.…` holds",
    "in_campaign(id)": "the lead is in that campaign",
    "completed_campaign(id)": "the lead has once completed that campaign",
}
