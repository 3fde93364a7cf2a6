"""The functions of expressions, on any data: nothing here raises (campaign-language, Expressions).

A function takes the scope and its evaluated arguments. Null in is null out (or false, where the
answer is yes or no), and so is a wrong type, which also counts as a mismatch. `regex`, `matches`
and `times` need a literal and are compiled with the expression.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import re2

from streams.engine.expression_operators import Closure, equal, is_number, settled
from streams.engine.expression_scope import Scope
from streams.engine.globs import compile_glob
from streams.engine.notation import DAY_MS, HOUR_MS, WEEKDAYS
from streams.engine.time import local, parse

MAX_PATTERN: Final = 1_000
_RE2_MEMORY_BYTES: Final = 1 << 20


def _mismatch(scope: Scope, *values: Any) -> None:
    if all(value is not None for value in values):
        scope.mismatch()


def lower(scope: Scope, x: Any) -> Any:
    """The text in lower case."""
    if type(x) is str:
        return x.lower()
    return _mismatch(scope, x)


def contains(scope: Scope, x: Any, y: Any) -> bool:
    """Whether the text or list x holds y."""
    if type(x) is list:
        return any(equal(item, y) for item in x)
    if type(x) is str and type(y) is str:
        return y in x
    _mismatch(scope, x, y)
    return False


def starts_with(scope: Scope, x: Any, y: Any) -> bool:
    """Whether the text x begins with y."""
    if type(x) is str and type(y) is str:
        return x.startswith(y)
    _mismatch(scope, x, y)
    return False


def ends_with(scope: Scope, x: Any, y: Any) -> bool:
    """Whether the text x ends with y."""
    if type(x) is str and type(y) is str:
        return x.endswith(y)
    _mismatch(scope, x, y)
    return False


def matches(scope: Scope, x: Any, glob: Any) -> bool:
    """Whether the whole text x matches the glob."""
    if type(x) is str and type(glob) is str:
        return compile_glob(glob)(x)
    _mismatch(scope, x, glob)
    return False


def empty(_scope: Scope, x: Any) -> bool:
    """Null, or a text, list or object with nothing in it."""
    return x is None or (type(x) in (str, list, dict) and not x)


def length(scope: Scope, x: Any) -> Any:
    """Characters of a text, items of a list or object; of null 0."""
    if x is None:
        return 0
    if type(x) in (str, list, dict):
        return len(x)
    return _mismatch(scope, x)


def _scaled(scope: Scope, n: Any, unit_ms: int) -> Any:
    if not is_number(n):
        return _mismatch(scope, n)
    try:
        return settled(round(n * unit_ms))
    except (OverflowError, ValueError):
        return None


def days(scope: Scope, n: Any) -> Any:
    """n × 24 hours in ms."""
    return _scaled(scope, n, DAY_MS)


def hours(scope: Scope, n: Any) -> Any:
    """n hours in ms."""
    return _scaled(scope, n, HOUR_MS)


def date(scope: Scope, x: Any) -> Any:
    """An ISO date as UTC ms, local to the lead without an offset; a number is ms already."""
    if type(x) is str:
        return parse(x, scope.zone)
    if is_number(x):
        try:
            return settled(int(x))
        except (OverflowError, ValueError):
            return None
    return _mismatch(scope, x)


def weekday(scope: Scope, t: Any) -> Any:
    """`"mon"` … `"sun"` of an instant (or ISO date) in the lead's zone."""
    ms = date(scope, t)
    return None if ms is None else WEEKDAYS[local(ms, scope.zone).weekday()]


def in_campaign(scope: Scope, campaign: Any) -> bool:
    """Whether the lead is in the campaign now."""
    return type(campaign) is str and scope.in_campaign(campaign)


def completed_campaign(scope: Scope, campaign: Any) -> bool:
    """Whether the lead has once completed the campaign."""
    return type(campaign) is str and scope.completed_campaign(campaign)


# Name to (function, number of arguments); `regex` and `times` are compiled by `expressions`.
FUNCTIONS: Final[dict[str, tuple[Callable[..., Any], int]]] = {
    "lower": (lower, 1),
    "matches": (matches, 2),
    "contains": (contains, 2),
    "starts_with": (starts_with, 2),
    "ends_with": (ends_with, 2),
    "empty": (empty, 1),
    "length": (length, 1),
    "days": (days, 1),
    "hours": (hours, 1),
    "date": (date, 1),
    "weekday": (weekday, 1),
    "in_campaign": (in_campaign, 1),
    "completed_campaign": (completed_campaign, 1),
}


def make_call(function: Callable[..., Any], arguments: list[Closure]) -> Closure:
    """A closure that calls the function with one or two evaluated arguments."""
    if len(arguments) == 1:
        (only,) = arguments
        return lambda scope: function(scope, only(scope))
    first, second = arguments
    return lambda scope: function(scope, first(scope), second(scope))


def make_glob(operand: Closure, pattern: str) -> Closure:
    """`matches(x, "literal")`."""
    matcher = compile_glob(pattern)

    def matched(scope: Scope) -> bool:
        value = operand(scope)
        if type(value) is str:
            return matcher(value)
        _mismatch(scope, value)
        return False

    return matched


def make_regex(operand: Closure, pattern: str) -> Closure:
    """`regex(x, "literal")`: whether the pattern is found anywhere in x.

    Raises ValueError, with a message for the author, on a pattern that RE2 does not take.
    """
    if len(pattern) > MAX_PATTERN:
        raise ValueError(f"the pattern has {len(pattern)} characters, at most {MAX_PATTERN}")
    options = re2.Options()
    options.log_errors = False
    options.max_mem = _RE2_MEMORY_BYTES
    try:
        search = re2.compile(pattern, options).search
    except re2.error as error:
        reason = error.args[0] if error.args else "not accepted"
        text = reason.decode(errors="replace") if isinstance(reason, bytes) else str(reason)
        raise ValueError(f"RE2 refuses the pattern: {text}") from None

    def found(scope: Scope) -> bool:
        value = operand(scope)
        if type(value) is str:
            # As bytes: with text the wrapper counts characters, which costs four times as much.
            return search(value.encode(errors="replace")) is not None
        _mismatch(scope, value)
        return False

    return found
