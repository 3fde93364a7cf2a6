"""The reference page of the campaign language, written from its table."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from schemas import language as lang
from schemas.language_expressions import FUNCTIONS, NAMES
from schemas.language_shapes import Key, Shape, Verb

PAGE: Final = "docs/reference/campaign-language.md"
_INTRODUCTION: Final = """\
<!-- Generated from schemas/language*.py by `make docs`: change it there. -->
# The campaign language

A campaign is one YAML file, a list another. This page has every key, trigger, step, function and
lint code; `schemas/json/campaign.schema.json` and `list.schema.json` tell editors the same. For a
key marked † `dripline campaign lint` says `not-yet`: it is part of the language, and this version
does not run it, or not every value of it.

YAML 1.2: only `true` and `false` are booleans, dates are texts; aliases, anchors, tags, duplicate
keys and files over 1 MiB are refused. A text that begins with a quote or another sign of YAML
must be quoted as a whole, as `if: '"vip" in lead.tags'`.
"""
_VALUES: Final = (
    ("duration", "`3 days`, `90 minutes`, `P1DT2H`, `0`: one number and unit (seconds, minutes, "
     "hours, days, weeks, months, years), or ISO 8601; no fractions"),
    ("date", "`2026-12-24`, `2026-12-24T09:00` (local to the lead), with `Z` or an offset that "
     "very instant"),
    ("time of day", '`"09:00"`'),
    ("window", '`"08:00-10:00"`: start inclusive, end exclusive; `"22:00-06:00"` spans midnight'),
    ("days", "`mon` … `sun`, `weekdays`, `weekends`, or a list of them"),
    ("percentage", "`10%`"),
    ("rate", "`600 per minute` (second, minute, hour, day)"),
    ("glob", "only `*` is special, it crosses `/`; case matters"),
    ("expression", "see below"),
    ("Liquid", "`{{ lead.first_name }}`: lead, entry, event, journey, `unsubscribe_url`"),
)  # fmt: skip


def page() -> str:
    """The whole page."""
    return "\n".join(_lines()) + "\n"


def _lines() -> Iterator[str]:
    yield _INTRODUCTION
    yield "## Values\n"
    yield from _table(("value", "how it is written"), _VALUES)
    yield "\n## A campaign\n"
    yield from _keys(lang.CAMPAIGN, "campaign")
    yield "\n## Triggers\n"
    yield (
        "Used in `enter`, `wait_for`, `goal.on`, `exit` and `restart_on`; a list of triggers means "
        f"any of them. Each may add `where`: {lang.WHERE.meaning}. In a list of `wait_for` each "
        "may carry its own `then`.\n"
    )
    yield from _verbs(lang.TRIGGERS_TABLE, "trigger")
    yield "\n## Steps\n"
    yield (
        "A step is a mapping with exactly one verb. Beside it may stand "
        + " and ".join(f"`{key.name}` ({key.meaning})" for key in lang.COMMON)
        + ".\n"
    )
    yield from _verbs(lang.STEPS_TABLE, "step")
    yield "\n## A list\n"
    yield from _keys(lang.LIST, "list")
    yield "\n## Expressions\n"
    yield (
        "`and or not`, `== != < <= > >=` (chained too), `in`, `not in`, `+ - * /`, texts, numbers, "
        "`true`, `false`, `null`, lists, and these names and functions; at most 4 kB and 200 "
        "names, values and operators. Null and types as the language says: no expression fails on "
        "a lead's data.\n"
    )
    yield from _table(("name", "meaning"), ((f"`{n}`", m) for n, m in NAMES.items()))
    yield ""
    yield from _table(("function", "meaning"), ((f"`{n}`", m) for n, m in FUNCTIONS.items()))
    yield "\n## Findings\n"
    yield "An error refuses to publish, a warning does not. No code ever changes its name.\n"
    yield from _table(
        ("code", "", "what it finds"),
        ((f"`{code.name}`", code.severity, code.meaning) for code in lang.CODES.values()),
    )


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> Iterator[str]:
    yield f"| {' | '.join(head)} |"
    yield f"|{'---|' * len(head)}"
    for row in rows:
        yield f"| {' | '.join(row)} |"


def _keys(keys: Iterable[Key], place: str) -> Iterator[str]:
    rows = [
        (
            f"`{key.name}`{_dagger(f'{place}.{key.name}')}",
            _label(key.shape),
            _default(key),
            key.meaning,
        )
        for key in keys
    ]
    yield from _table(("key", "takes", "default", "meaning"), rows)


def _verbs(verbs: Iterable[Verb], place: str) -> Iterator[str]:
    rows = []
    for verb in verbs:
        only = f" (only in `{verb.only}`)" if verb.only else ""
        dagger = _dagger(f"{place}.{verb.name}")
        rows.append((f"`{verb.name}`{dagger}", _label(verb.shape), f"{verb.meaning}{only}"))
        for option in verb.options:
            names = (f"{place}.{verb.name}.{option.name}", f"{place}.*.{option.name}")
            default = _default(option)
            said = f"; default {default}" if default and not option.required else ""
            required = "; needed" if option.required else ""
            rows.append(
                (
                    f"– `{option.name}`{_dagger(*names)}",
                    _label(option.shape),
                    f"{option.meaning}{said}{required}",
                )
            )
    yield from _table(("verb, – option", "takes", "meaning"), rows)


def _label(shape: Shape) -> str:
    if shape.kind != "mapping":
        return shape.label
    parts = (f"`{key.name}`{_needed(key)}: {_label(key.shape)}" for key in shape.keys)
    return "; ".join(parts)


def _needed(key: Key) -> str:
    return " (needed)" if key.required else ""


def _default(key: Key) -> str:
    if key.required:
        return "needed"
    if key.default is None:
        return ""
    if isinstance(key.default, bool):
        return "`true`" if key.default else "`false`"
    return f"`{key.default}`" if " " not in str(key.default) else str(key.default)


def _dagger(*names: str) -> str:
    """† for what `NOT_YET` has, in whole or for some values."""
    for name in names:
        for entry in lang.NOT_YET:
            place = entry.split("!=")[0].split("=")[0]
            if place == name or (name.startswith("campaign.") and place.startswith(f"{name}.")):
                return " †"
    return ""
