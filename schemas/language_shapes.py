"""How the campaign language's table says what a key takes: shapes, keys, verbs. Data only."""

from __future__ import annotations

from typing import Any, Final

from msgspec import Struct

ANYTHING: Final = 256


class Shape(Struct, frozen=True):
    """What a value looks like.

    `kind` chooses how it is read (`streams.engine.reading_values`), told to editors
    (`schemas.json_schemas`) and named in the reference: `label`. `of` tells what a name refers to
    (`template`, `list`, `step`, `connector`, `campaign`, `field`, `channel`, …). The rest bounds
    it: `least` and `most` are inclusive, of numbers or lengths.
    """

    kind: str
    label: str
    of: str = ""
    choices: tuple[str, ...] = ()
    pattern: str = ""
    least: float | None = None
    most: float | None = None
    keys: tuple[Key, ...] = ()
    item: Shape | None = None
    example: str = ""


class Key(Struct, frozen=True):
    """One key of a mapping; `default` is what holds without it, as written, "" for nothing."""

    name: str
    shape: Shape
    meaning: str
    default: Any = None
    required: bool = False


class Verb(Struct, frozen=True):
    """A trigger's or step's verb, what it takes, and which other keys may stand beside it.

    `only` tells where a trigger may stand (`enter`), "" being everywhere. `outward` steps issue a
    command.
    """

    name: str
    shape: Shape
    meaning: str
    options: tuple[Key, ...] = ()
    only: str = ""
    outward: bool = False


class Code(Struct, frozen=True):
    """A lint code, its severity and what it finds."""

    name: str
    severity: str
    meaning: str


def name(of: str, label: str, most: int = ANYTHING) -> Shape:
    """A text that names something."""
    return Shape("name", label, of=of, least=1, most=most)


def names(of: str, label: str) -> Shape:
    """One name or a list of them."""
    return Shape("names", label, of=of, least=1, most=ANYTHING)


def choice(*choices: str) -> Shape:
    """One of a few words."""
    return Shape("choice", " \\| ".join(f"`{word}`" for word in choices), choices=choices)


def integer(least: int, most: int) -> Shape:
    """A whole number."""
    return Shape("integer", f"{least} to {most}", least=least, most=most)


def mapping(*keys: Key) -> Shape:
    """A mapping with these keys and no others."""
    written = ", ".join(f"`{key.name}`" for key in keys)
    return Shape("mapping", f"mapping: {written}", keys=keys)


def map_of(item: Shape, label: str, of: str = "") -> Shape:
    """A mapping from names to shapes of one kind."""
    return Shape("map", label, of=of, item=item)


def duration(*, positive: bool = False, most_days: int | None = None) -> Shape:
    """A duration; `positive` refuses 0."""
    return Shape(
        "duration", "duration", least=1 if positive else 0, most=most_days, example="3 days"
    )


TEXT: Final = Shape("text", "text", most=10_000)
EXPRESSION: Final = Shape("expression", "expression", example="lead.points >= 50")
LIQUID: Final = Shape("liquid", "text, may hold Liquid", example="Hello {{ lead.first_name }}")
LIQUID_DATA: Final = Shape("liquid_data", "any value, its texts may hold Liquid")
OFFSET: Final = Shape("offset", "duration, may be negative", example="-3 days")
INSTANT: Final = Shape("instant", "date", example="2026-12-24T09:00")
DEADLINE: Final = Shape("deadline", "duration or date", example="7 days")
TIME: Final = Shape("time", "time of day", example="09:00")
WINDOW: Final = Shape("window", "window", example="08:00-10:00")
DAYS: Final = Shape("days", "days", example="[mon, weekends]")
BOOLEAN: Final = Shape("boolean", "`true` \\| `false`")
TRUE: Final = Shape("true", "`true`")
PERCENT: Final = Shape("percent", "percentage", example="10%")
RATE: Final = Shape("rate", "rate", example="600 per minute")
ZONE: Final = Shape("zone", "IANA time zone", example="Europe/Berlin")
GLOBS: Final = Shape("globs", "glob or a list of them", example="/pricing*")
VALUE: Final = Shape("value", "any value")
COMPUTED: Final = Shape("computed", "any value, or `{expr: <expression>}`")
COMPUTED_NUMBER: Final = Shape("computed_number", "number, or `{expr: <expression>}`")
NUMBER: Final = Shape("number", "number")
TRIGGERS: Final = Shape("triggers", "a trigger or a list of them")
WAIT_TRIGGERS: Final = Shape("wait_triggers", "a trigger or a list of them")
STEPS: Final = Shape("steps", "list of steps")
BRANCHES: Final = Shape("branches", "list of lists of steps")
CHANNEL: Final = choice("email", "sms", "push")
CHANNELS: Final = Shape(
    "channels", "`email` \\| `sms` \\| `push` \\| `any`", choices=("email", "sms", "push", "any")
)
EVERY: Final = Shape("every", "rhythm", example="week on mon at 09:00")
DOCUMENT_ID: Final = Shape(
    "id",
    "id: a-z, 0-9 and `-`, 1 to 64 of them",
    pattern="[a-z0-9-]{1,64}",
    example="trial-nurture",
)
STEP_ID: Final = Shape(
    "id", "id: letters, digits, `_`, `-`, `.`, 1 to 64 of them", pattern=r"[\w.-]{1,64}",
    example="welcome",
)  # fmt: skip
