"""Which values a Liquid source names, found without rendering it (clarifications Q6)."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Final

from liquid import Environment
from liquid.exceptions import LiquidError

from streams.engine.expression_names import EVENT_PARTS, LEAD_FIELDS, did_you_mean

MAX_BYTES: Final = 512 * 1024
UNSUBSCRIBE_URL: Final = "unsubscribe_url"
ROOTS: Final = ("lead", "entry", "event", "journey", UNSUBSCRIBE_URL)
# What journeys and leads have for texts, besides traits.
JOURNEY_FIELDS: Final = ("id", "campaign", "run", "entered_at", "variant")
OWN_FIELDS: Final = frozenset({"id", *LEAD_FIELDS})
_PSEUDO: Final = ("size", "first", "last")  # what Liquid computes of a list or text
_OTHER_FILES: Final = ("include", "render")


class BadTemplate(ValueError):
    """The source cannot be used; `line` and `column` count from 1 in it, 0 when unknown."""

    def __init__(self, message: str, line: int = 0, column: int = 0) -> None:
        super().__init__(message)
        self.line = line
        self.column = column


class _Environment(Environment):
    block_nesting_limit = 30


_ENVIRONMENT = _Environment()


@lru_cache(maxsize=1024)
def paths(source: str) -> frozenset[str]:
    """The paths that a source names (`lead.first_name`); raises `BadTemplate`, a ValueError.

    A path ends where the source goes on by a number, by another value or by what Liquid computes:
    of `event.properties.items[0].sku` it is `event.properties.items`. `unsubscribe_url`, which
    the sink supplies, is among them.
    """
    if len(source.encode(errors="replace")) > MAX_BYTES:
        raise BadTemplate(f"the template is over {MAX_BYTES // 1024} kB")
    try:
        found = _ENVIRONMENT.from_string(source).analyze(include_partials=False)
    except LiquidError as error:
        raise _bad(error) from None
    except (RecursionError, ValueError, IndexError, AttributeError, TypeError, KeyError) as error:
        raise BadTemplate(f"this cannot be read as Liquid: {error}") from None
    for tag in _OTHER_FILES:
        if tag in found.tags:
            raise BadTemplate(f"a template stands alone: `{tag}` is not available")
    for name in found.filters:
        if name not in _ENVIRONMENT.filters:
            hint = did_you_mean(name, list(_ENVIRONMENT.filters))
            raise BadTemplate(f"there is no filter `{name}`{hint}")
    named = (variable.segments for variables in found.globals.values() for variable in variables)
    return frozenset(_path(segments) for segments in named)


@lru_cache(maxsize=4096)
def split_paths(wanted: frozenset[str]) -> tuple[tuple[str, ...], ...]:
    """The paths in their order, each split into its names."""
    return tuple(tuple(path.split(".")) for path in sorted(wanted))


def _path(segments: Sequence[Any]) -> str:
    names: list[str] = []
    for segment in segments:
        if not isinstance(segment, str):
            break
        names.append(segment)
    root = names[0] if names else ""
    if root == UNSUBSCRIBE_URL:
        return root
    if root not in ROOTS:
        hint = did_you_mean(root, ROOTS) or ": there are lead, entry, event, journey and " + (
            f"`{UNSUBSCRIBE_URL}`"
        )
        raise BadTemplate(f"`{'.'.join(names)}` is no name{hint}")
    least = 2
    if root in ("entry", "event"):
        least = 2 if names[1:2] == ["name"] else 3
    for index, name in enumerate(names):
        if index >= least and name in _PSEUDO:
            names = names[:index]
            break
    _check(root, names)
    return ".".join(names)


def _check(root: str, names: list[str]) -> None:
    written = ".".join(names)
    if len(names) == 1:
        raise BadTemplate(f"`{root}` alone is no value: name what you want of it")
    if root in ("entry", "event"):
        if names[1] not in EVENT_PARTS:
            raise BadTemplate(f"`{written}` is no value: write `{root}.properties.{names[1]}`")
        if names[1] != "name" and len(names) == 2:
            raise BadTemplate(f"`{written}` alone is no value: name a path in it")
        computed = names[1] == "name"
    elif root == "journey":
        if names[1] not in JOURNEY_FIELDS:
            there = ", ".join(f"journey.{name}" for name in JOURNEY_FIELDS)
            raise BadTemplate(f"`{written}` is no value: there are {there}")
        if names[1] == "variant":
            if len(names) < 3:
                raise BadTemplate(f"`{written}` alone is no value: name the split's id in it")
            return
        computed = True
    else:
        computed = names[1] in OWN_FIELDS
    if computed and len(names) > 2:
        raise BadTemplate(f"`{'.'.join(names[:2])}` has no fields of its own")


def _bad(error: LiquidError) -> BadTemplate:
    message = str(error.message or "this cannot be read as Liquid").split("\n")[0]
    try:
        context = error.context()
    except ValueError:
        context = None
    if context is None:
        return BadTemplate(message)
    return BadTemplate(f"{message} (line {context[0]})", context[0], context[1] + 1)
