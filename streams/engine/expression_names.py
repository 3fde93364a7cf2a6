"""The names of expressions: `lead.…`, `event.…`, `entry.…`, `journey.…`, `now`, as closures.

A name is a path through plain data (dicts), never an attribute of a Python object; a path that
leads nowhere is null.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from difflib import get_close_matches
from typing import Any, Final

from schemas.state import QUARTER_MS
from streams.engine.expression_operators import Closure
from streams.engine.expression_scope import Scope

ROOTS: Final = ("lead", "event", "entry", "journey", "now")
# Comparing names costs the square of their length: beyond this nobody mistyped one.
MAX_GUESSED: Final = 64
MAX_KNOWN: Final = 200
EVENT_PARTS: Final = ("name", "properties", "context")


class NameProblem(ValueError):
    """The dotted name is none of the language; the message says what to write."""


def _last_seen(scope: Scope) -> Any:
    return scope.lead.quarter * QUARTER_MS or None


def _created(scope: Scope) -> Any:
    return scope.lead.created_at or None


# What `lead.<name>` means where it is no trait.
LEAD_FIELDS: Final[dict[str, Closure]] = {
    "points": lambda scope: scope.lead.points,
    "tags": lambda scope: scope.lead.tags,
    "lists": lambda scope: scope.lead.lists,
    "timezone": lambda scope: scope.zone.key,
    "created_at": _created,
    "last_seen_at": _last_seen,
}
JOURNEY_FIELDS: Final[dict[str, Closure]] = {
    "entered_at": lambda scope: scope.journey.entered_at if scope.journey else None,
    "run": lambda scope: scope.journey.run if scope.journey else None,
}


def did_you_mean(name: str, known: Sequence[str]) -> str:
    """`; did you mean …?`, or nothing; of many known names only the first are looked at."""
    if len(name) > MAX_GUESSED:
        return ""
    close = get_close_matches(name, known[:MAX_KNOWN], 1, 0.6)
    return f"; did you mean `{close[0]}`?" if close else ""


def compile_name(segments: Sequence[str]) -> Closure:
    """The closure of a dotted name; raises `NameProblem`."""
    root, *path = segments
    if any(part.startswith("__") for part in segments):
        raise NameProblem(f"`{'.'.join(segments)}` is no name of the language")
    if root == "now" and not path:
        return lambda scope: scope.now
    if root == "lead":
        return _lead_name(path)
    if root in ("event", "entry"):
        return _event_name(root, path)
    if root == "journey":
        return _journey_name(path)
    if not path:
        hint = did_you_mean(root, ROOTS) or f': write "{root}" if you mean the text'
        raise NameProblem(f"`{root}` is no name of the language{hint}")
    raise NameProblem(
        f"`{'.'.join(segments)}` is no name: names begin with lead, event, entry or journey"
        + did_you_mean(root, ROOTS)
    )


def _lead_name(path: Sequence[str]) -> Closure:
    if not path:
        raise NameProblem("`lead` alone is no value: name a field, as `lead.email`")
    if path[0] in LEAD_FIELDS:
        if len(path) > 1:
            raise NameProblem(f"`lead.{path[0]}` has no fields of its own")
        return LEAD_FIELDS[path[0]]
    if len(path) == 1:
        (field,) = path
        return lambda scope: scope.lead.traits.get(field)
    return _walk(lambda scope: scope.lead.traits, path)


def _event_name(root: str, path: Sequence[str]) -> Closure:
    if not path or path[0] not in EVENT_PARTS:
        written = ".".join([root, *path])
        instead = f"{root}.properties.{path[0]}" if path else f"{root}.properties.<name>"
        raise NameProblem(f"`{written}` is no value: write `{instead}`")
    part, *rest = path
    if part == "name":
        if rest:
            raise NameProblem(f"`{root}.name` has no fields of its own")
        if root == "event":
            return lambda scope: scope.event.name if scope.event is not None else None
        return lambda scope: scope.entry.name if scope.entry is not None else None
    if not rest:
        raise NameProblem(f"`{root}.{part}` alone is no value: name a path in it")
    return _walk(_EVENT_DATA[root, part], rest)


_EVENT_DATA: Final[dict[tuple[str, str], Callable[[Scope], Any]]] = {
    ("event", "properties"): lambda s: s.event.properties if s.event is not None else None,
    ("event", "context"): lambda s: s.event.context if s.event is not None else None,
    ("entry", "properties"): lambda s: s.entry.properties if s.entry is not None else None,
    ("entry", "context"): lambda s: s.entry.context if s.entry is not None else None,
}


def _journey_name(path: Sequence[str]) -> Closure:
    if len(path) == 1 and path[0] in JOURNEY_FIELDS:
        return JOURNEY_FIELDS[path[0]]
    written = ".".join(["journey", *path])
    hint = did_you_mean(path[0], [*JOURNEY_FIELDS, "variant"]) if path else ""
    raise NameProblem(
        f"`{written}` is no value: there are journey.entered_at, journey.run and "
        f'journey.variant("split-id"){hint}'
    )


def _walk(start: Callable[[Scope], Any], path: Sequence[str]) -> Closure:
    if len(path) == 1:
        (only,) = path

        def one(scope: Scope) -> Any:
            data = start(scope)
            return data.get(only) if type(data) is dict else None

        return one
    keys = tuple(path)

    def walk(scope: Scope) -> Any:
        value = start(scope)
        for key in keys:
            if type(value) is not dict:
                return None
            value = value.get(key)
        return value

    return walk


def compile_variant(split: str) -> Closure:
    """`journey.variant("split-id")`: the branch that the split took, null before."""
    return lambda scope: scope.journey.splits.get(split) if scope.journey else None
