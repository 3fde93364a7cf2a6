"""The tables as data: the columns that the projector fills, in order.

A test keeps them equal to the migrations. A row is a tuple in this order; times are UTC ms.
"""

from __future__ import annotations

DATABASE = "dripline"
POSITION = ("log", "partition", "offset")

INTERACTIONS = "interactions"
FACTS = "journey_facts"
COMMANDS = "commands"
OUTCOMES = "outcomes"
LEADS = "leads"
JOURNEYS = "journeys"
CAMPAIGNS = "campaigns"
POSITIONS = "positions"

COLUMNS: dict[str, tuple[str, ...]] = {
    POSITIONS: ("topic_id", "topic", "partition", "next_offset"),
    INTERACTIONS: (
        *POSITION, "time", "id", "lead", "type", "event", "user_id", "anonymous_id",
        "properties", "traits", "context", "event_time", "historical",
    ),
    FACTS: (
        *POSITION, "number", "time", "at", "record", "lead", "fact", "campaign", "version", "run",
        "journey", "step", "detail",
    ),
    COMMANDS: (
        "log", "partition", "id", "issued", "due", "journey", "campaign", "version", "run", "step",
        "lead", "verb", "channel", "address", "template", "template_digest", "settings", "data",
    ),
    OUTCOMES: (
        *POSITION, "time", "id", "lead", "command", "journey", "campaign", "step", "channel",
        "result", "detail", "address",
    ),
    LEADS: (
        "log", "partition", "lead", "watermark", "clock", "created", "last_seen", "traits",
        "points", "tags", "lists", "blocked", "zone", "running", "quarantined", "deleted",
    ),
    JOURNEYS: (
        "log", "partition", "journey", "watermark", "lead", "campaign", "version", "run", "per",
        "entered", "status", "steps", "due", "converted", "held_out", "splits", "sent",
    ),
    CAMPAIGNS: ("log", "number", "time", "kind", "id", "do", "digest", "by", "document"),
}  # fmt: skip
