"""Reads single values that are no mappings, by the shapes of the language's table.

Each reader takes (tell, shape, value, path) and answers with the converted value; what is wrong
goes to `tell(path, message, code)`, which answers `INVALID`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final, Protocol

from schemas.language_shapes import Shape
from streams.engine.expression_names import did_you_mean
from streams.engine.expressions import ExpressionError, compile_expression
from streams.engine.findings import child
from streams.engine.liquid_paths import BadTemplate, paths
from streams.engine.notation import (
    DAY_MS,
    NotationError,
    parse_days,
    parse_duration,
    parse_instant,
    parse_percent,
    parse_rate,
    parse_time,
    parse_window,
    shown,
)
from streams.engine.time import known_zone

INVALID: Final = object()
MAX_DATA_DEPTH: Final = 32
_EVERY = re.compile(
    r"(day|week|month|year)"
    r"( on ((mon|tue|wed|thu|fri|sat|sun)|[0-9]{1,2}))?( at [0-9]{2}:[0-9]{2})?"
)


class Tell(Protocol):
    """Tells of a finding and answers `INVALID`."""

    def __call__(self, path: str, message: str, code: str = "wrong-type") -> Any: ...


Reader = Callable[[Tell, Shape, Any, str], Any]


def text(tell: Tell, shape: Shape, value: Any, path: str) -> Any:
    """A text within the shape's bounds, not blank where it names something."""
    if not isinstance(value, str):
        hint = f': write "{value}" in quotes' if type(value) in (int, float) else ""
        return tell(path, f"{shown(value)} is not a text{hint}")
    if shape.least and not value.strip():
        return tell(path, f"the name of the {shape.of} is empty")
    if shape.most is not None and len(value) > shape.most:
        return tell(path, f"{len(value)} characters, at most {shape.most:.0f}")
    problem = not_plain(value, 0)
    return tell(path, problem) if problem else value


def identifier(tell: Tell, shape: Shape, value: Any, path: str) -> Any:
    """An id of the shape's pattern."""
    if isinstance(value, str) and re.fullmatch(shape.pattern, value):
        return value
    if type(value) is int:
        return text(tell, shape, value, path)
    return tell(path, f"{shown(value)} is no id: use {shape.label.removeprefix('id: ')}")


def names(tell: Tell, shape: Shape, value: Any, path: str) -> Any:
    """One name or glob, or a list of them, as a tuple."""
    if not isinstance(value, list):
        only = text(tell, shape, value, path)
        return INVALID if only is INVALID else (only,)
    if not value:
        return tell(path, f"the list is empty: write {shape.label}")
    found = [text(tell, shape, item, f"{path}[{i}]") for i, item in enumerate(value)]
    return INVALID if INVALID in found else tuple(found)


def channels(tell: Tell, shape: Shape, value: Any, path: str) -> Any:
    """One channel or several, or `any`."""
    if not isinstance(value, list) or not value:
        only = choice(tell, shape, value, path)
        return INVALID if only is INVALID else (only,)
    found = [choice(tell, shape, item, f"{path}[{i}]") for i, item in enumerate(value)]
    return INVALID if INVALID in found else tuple(found)


def choice(tell: Tell, shape: Shape, value: Any, path: str) -> Any:
    """One of the shape's words."""
    if isinstance(value, str) and value in shape.choices:
        return value
    hint = did_you_mean(value, shape.choices) if isinstance(value, str) else ""
    return tell(path, f"{shown(value)} is none of {', '.join(shape.choices)}{hint}")


def integer(tell: Tell, shape: Shape, value: Any, path: str) -> Any:
    """A whole number within bounds."""
    if type(value) is int and _within(shape, value):
        return value
    return tell(path, f"{shown(value)} is not a whole number from {shape.label}")


def number(tell: Tell, shape: Shape, value: Any, path: str) -> Any:
    """A finite number within bounds."""
    if type(value) not in (int, float):
        return tell(path, f"{shown(value)} is not a number")
    if not _within(shape, value) or not_plain(value, 0):
        return tell(path, f"{shown(value)} is out of range")
    return value


def _within(shape: Shape, value: float) -> bool:
    low = shape.least is None or value >= shape.least
    return low and (shape.most is None or value <= shape.most)


def boolean(tell: Tell, _: Shape, value: Any, path: str) -> Any:
    """`true` or `false`."""
    return value if isinstance(value, bool) else tell(path, f"{shown(value)} is not true or false")


def true(tell: Tell, _: Shape, value: Any, path: str) -> Any:
    """`true`, for verbs that need no value."""
    return True if value is True else tell(path, f"{shown(value)}: write `true`")


def zone(tell: Tell, shape: Shape, value: Any, path: str) -> Any:
    """A time zone of the IANA database."""
    found = text(tell, shape, value, path)
    if found is INVALID or known_zone(found):
        return found
    message = f"{shown(found)} is no IANA time zone: write one as Europe/Berlin"
    return tell(path, message, "unknown-timezone")


def expression(tell: Tell, _: Shape, value: Any, path: str) -> Any:
    """An expression, as text; `true` and `false` may stand for themselves."""
    if isinstance(value, bool):
        value = "true" if value else "false"
    if not isinstance(value, str):
        return tell(path, f"{shown(value)} is not an expression: write a text", "bad-expression")
    try:
        compile_expression(value)
    except ExpressionError as error:
        place = f" (at character {error.column})" if error.column > 1 else ""
        return tell(path, f"{error.message}{place}", error.code)
    return value


def liquid(tell: Tell, shape: Shape, value: Any, path: str) -> Any:
    """A text that may hold Liquid."""
    found = text(tell, shape, value, path)
    if found is INVALID:
        return INVALID
    try:
        paths(found)
    except BadTemplate as error:
        return tell(path, str(error), "bad-template")
    return found


def liquid_data(tell: Tell, shape: Shape, value: Any, path: str) -> Any:
    """Plain data whose texts may hold Liquid."""
    if plain(tell, shape, value, path) is INVALID:
        return INVALID
    pending = [(value, path)]
    good = True
    while pending:
        item, where = pending.pop()
        if isinstance(item, str):
            good &= liquid(tell, shape, item, where) is not INVALID
        elif isinstance(item, dict):
            pending.extend((inner, child(where, key)) for key, inner in item.items())
        elif isinstance(item, list):
            pending.extend((inner, f"{where}[{i}]") for i, inner in enumerate(item))
    return value if good else INVALID


def plain(tell: Tell, _: Shape, value: Any, path: str) -> Any:
    """Plain data: what JSON can say, not too deep."""
    pending = [(value, 0)]
    while pending:
        item, depth = pending.pop()
        if problem := not_plain(item, depth):
            return tell(path, problem)
        if isinstance(item, dict):
            pending.extend((inner, depth + 1) for inner in item.values())
        elif isinstance(item, list):
            pending.extend((inner, depth + 1) for inner in item)
    return value


def not_plain(item: Any, depth: int) -> str:
    """Why this value itself is no plain data, "" if it is."""
    if depth > MAX_DATA_DEPTH:
        return f"nested more than {MAX_DATA_DEPTH} deep"
    if item is None or isinstance(item, bool | list):
        return ""
    if isinstance(item, int):
        return "" if -(1 << 63) <= item < 1 << 63 else "the number is beyond 64 bits"
    if isinstance(item, float):
        return "" if abs(item) < float("inf") else f"{shown(item)} is no number here"
    if isinstance(item, str):
        return "the text holds half a character (a lone surrogate)" if _halved(item) else ""
    if isinstance(item, dict):
        for key in item:
            if not isinstance(key, str):
                return f"{shown(key)} is not a name: quote it"
            if _halved(key):
                return "a name holds half a character (a lone surrogate)"
        return ""
    return f"{shown(item)} is not plain data"


def _halved(item: str) -> bool:
    return any("\ud800" <= character <= "\udfff" for character in item)


def computed(tell: Tell, shape: Shape, value: Any, path: str) -> Any:
    """Plain data, or `{expr: …}`."""
    if isinstance(value, dict) and set(value) == {"expr"}:
        found = expression(tell, shape, value["expr"], child(path, "expr"))
        return INVALID if found is INVALID else {"expr": found}
    return plain(tell, shape, value, path)


def computed_number(tell: Tell, shape: Shape, value: Any, path: str) -> Any:
    """A number, or `{expr: …}`."""
    if isinstance(value, dict) and set(value) == {"expr"}:
        return computed(tell, shape, value, path)
    return number(tell, shape, value, path)


def duration(tell: Tell, shape: Shape, value: Any, path: str) -> Any:
    """A duration within the shape's bounds (`least` 1: not 0; `most` in days)."""
    try:
        found = parse_duration(value, signed=shape.kind == "offset")
    except NotationError as error:
        return tell(path, str(error), "bad-duration")
    if shape.least and found.zero:
        return tell(path, "must be more than nothing", "bad-duration")
    days = found.months * 31 + found.days + found.ms / DAY_MS
    if shape.most is not None and days > shape.most:
        return tell(path, f"{shown(value)} is longer than {shape.most:.0f} days", "bad-duration")
    return found


def deadline(tell: Tell, shape: Shape, value: Any, path: str) -> Any:
    """A duration or a date."""
    if isinstance(value, str) and re.match(r"\s*[0-9]{4}-", value):
        return _parsed(parse_instant)(tell, shape, value, path)
    return duration(tell, shape, value, path)


def window(tell: Tell, _: Shape, value: Any, path: str) -> Any:
    """A window of the day."""
    try:
        return parse_window(value)
    except NotationError as error:
        return tell(path, str(error), "half-window" if error.half else "wrong-type")


def every(tell: Tell, _: Shape, value: Any, path: str) -> Any:
    """A rhythm of broadcasts."""
    if isinstance(value, str) and _EVERY.fullmatch(value):
        return value
    return tell(path, f"{shown(value)} is no rhythm: write `week on mon at 09:00`")


def removed_steps(tell: Tell, _: Shape, value: Any, path: str) -> Any:
    """`exit`, or new step ids by old ones."""
    if value == "exit" or (
        isinstance(value, dict)
        and all(isinstance(part, str) for item in value.items() for part in item)
    ):
        return value
    return tell(path, f"{shown(value)}: write `exit`, or the new step id by the old one")


def _parsed(parse: Callable[[Any], Any]) -> Reader:
    def parsed(tell: Tell, _: Shape, value: Any, path: str) -> Any:
        try:
            return parse(value)
        except NotationError as error:
            return tell(path, str(error))

    return parsed


SCALARS: Final[dict[str, Reader]] = {
    "text": text,
    "name": text,
    "id": identifier,
    "names": names,
    "globs": names,
    "channels": channels,
    "choice": choice,
    "integer": integer,
    "number": number,
    "boolean": boolean,
    "true": true,
    "zone": zone,
    "expression": expression,
    "liquid": liquid,
    "liquid_data": liquid_data,
    "value": plain,
    "computed": computed,
    "computed_number": computed_number,
    "duration": duration,
    "offset": duration,
    "deadline": deadline,
    "instant": _parsed(parse_instant),
    "time": _parsed(parse_time),
    "percent": _parsed(parse_percent),
    "rate": _parsed(parse_rate),
    "days": _parsed(parse_days),
    "window": window,
    "every": every,
    "removed_steps": removed_steps,
}
