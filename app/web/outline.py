"""The steps of a campaign as the rows of a table, in the order written, blocks indented."""

from __future__ import annotations

from typing import Any

from msgspec import Struct

from app.web.funnel import Funnel, StepCounts
from schemas.campaigns import Definition, Duration, Instant, Step, Trigger
from streams.engine.tree import blocks

WHAT_CHARACTERS_MAX = 60


class Row(Struct, frozen=True):
    """One step. `block` is the name of the block that begins with it ("" otherwise)."""

    id: str
    verb: str
    what: str
    depth: int
    block: str
    counts: StepCounts


def rows(definition: Definition | None, funnel: Funnel) -> list[Row]:
    """The newest version's steps; steps that only facts of older versions name come last."""
    found: list[Row] = []
    if definition is not None:
        _walk(definition.steps, 0, "", funnel, found)
    known = {row.id for row in found}
    for id, counts in funnel.steps.items():
        if id not in known:
            found.append(Row(id, "", "in an earlier version", 0, "", counts))
    return found


def _walk(
    steps: tuple[Step, ...], depth: int, block: str, funnel: Funnel, found: list[Row]
) -> None:
    for place, step in enumerate(steps):
        counts = funnel.steps.get(step.id) or StepCounts()
        begins = block if place == 0 else ""
        found.append(Row(step.id, step.verb, _what(step), depth, begins, counts))
        for name, inner in blocks(step):
            _walk(inner, depth + 1, name, funnel, found)


def _what(step: Step) -> str:
    """What a step's verb is about, in a few words."""
    text = _words(step.value)
    return text if len(text) <= WHAT_CHARACTERS_MAX else text[: WHAT_CHARACTERS_MAX - 1] + "…"


def _words(value: Any) -> str:
    match value:
        case Duration():
            return _duration(value)
        case Instant():
            return value.local or str(value.ms)
        case Trigger():
            return " ".join([value.verb, ", ".join(value.names)])
        case tuple():
            return ", ".join(_words(each) for each in value if not _is_branch(each))
        case dict():
            return ", ".join(f"{key} {_words(each)}" for key, each in value.items() if each)
        case None | True:
            return ""
    return str(value)


def _is_branch(value: Any) -> bool:
    """Branches have rows of their own."""
    return not isinstance(value, Trigger | str | int | float)


def _duration(value: Duration) -> str:
    parts = [(value.months, "months"), (value.days, "days")]
    for size, unit in ((3_600_000, "hours"), (60_000, "minutes"), (1_000, "seconds")):
        if value.ms and value.ms % size == 0:
            parts.append((value.ms // size, unit))
            break
    words = [f"{n} {unit[:-1] if n == 1 else unit}" for n, unit in parts if n]
    return " ".join(words) or "0"
