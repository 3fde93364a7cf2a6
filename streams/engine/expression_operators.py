"""What the operators of expressions do with any data: nothing here raises.

Each `make_*` takes compiled operands and returns a closure over a `Scope`. Null, mismatches and
overflow as in campaign-language, "Expressions"; beyond it: booleans are not numbers, a number
result outside 64 bits becomes a float, one that is not finite is null, joined text of over
64 kB is null.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from math import isfinite
from typing import Any, Final

from streams.engine.expression_scope import Scope

Closure = Callable[[Scope], Any]

MAX_TEXT: Final = 65_536
_INT64: Final = 1 << 63


def is_number(value: Any) -> bool:
    """An int or float; a boolean is none."""
    return type(value) is int or type(value) is float


def settled(number: Any) -> Any:
    """A number as expressions give it: an int of 64 bits, a finite float, or null."""
    if type(number) is int:
        if -_INT64 <= number < _INT64:
            return number
        try:
            number = float(number)
        except OverflowError:
            return None
    return number if isfinite(number) else None


def equal(a: Any, b: Any) -> bool:
    """`==`: null equals nothing, true is not 1; containers are compared without recursion."""
    if a is None or b is None:
        return False
    pending: list[tuple[Any, Any]] = [(a, b)]
    while pending:
        a, b = pending.pop()
        if a is b:
            continue
        kind = type(a)
        if kind is list or kind is dict:
            if type(b) is not kind or len(a) != len(b):
                return False
            if isinstance(a, list):
                pending.extend(zip(a, b, strict=True))
            elif isinstance(a, dict):
                if any(key not in b for key in a):
                    return False
                pending.extend((value, b[key]) for key, value in a.items())
        elif kind is bool or type(b) is bool or a != b:
            return False
    return True


def member(scope: Scope, item: Any, container: Any) -> bool:
    """`in`: of a list, of a text, of an object's keys; null is in nothing, and nothing in null."""
    if item is None or container is None:
        return False
    kind = type(container)
    if kind is list:
        if type(item) is str:
            return item in container
        return any(equal(item, other) for other in container)
    if (kind is str or kind is dict) and type(item) is str:
        return item in container
    scope.mismatch()
    return False


def _ordered(scope: Scope, compare: Callable[[Any, Any], Any], a: Any, b: Any) -> bool:
    if (type(a) is str and type(b) is str) or (is_number(a) and is_number(b)):
        return bool(compare(a, b))
    if a is not None and b is not None:
        scope.mismatch()
    return False


Comparison = Callable[[Scope, Any, Any], bool]

COMPARISONS: Final[dict[str, Comparison]] = {
    "Eq": lambda _scope, a, b: equal(a, b),
    "NotEq": lambda _scope, a, b: not equal(a, b),
    "Lt": lambda scope, a, b: _ordered(scope, operator.lt, a, b),
    "LtE": lambda scope, a, b: _ordered(scope, operator.le, a, b),
    "Gt": lambda scope, a, b: _ordered(scope, operator.gt, a, b),
    "GtE": lambda scope, a, b: _ordered(scope, operator.ge, a, b),
    "In": member,
    "NotIn": lambda scope, a, b: not member(scope, a, b),
}
_ORDER: Final = {"Lt": operator.lt, "LtE": operator.le, "Gt": operator.gt, "GtE": operator.ge}


def make_comparison(name: str, left: Closure, right: Closure) -> Closure:
    """One comparison of two operands; `name` is that of the `ast` operator."""
    compare = COMPARISONS[name]
    return lambda scope: compare(scope, left(scope), right(scope))


def make_constant_comparison(name: str, left: Closure, constant: Any) -> Closure | None:
    """A faster `left <op> constant`, or None where there is none."""
    kind = type(constant)
    if name in ("Eq", "NotEq") and kind is str:
        if name == "Eq":
            return lambda scope: left(scope) == constant
        return lambda scope: left(scope) != constant
    if name in _ORDER and (kind is int or kind is float):
        order = _ORDER[name]

        def ordered(scope: Scope) -> Any:
            value = left(scope)
            if type(value) is int or type(value) is float:
                return order(value, constant)
            return _ordered(scope, order, value, constant)

        return ordered
    if name in ("In", "NotIn") and kind is list and all(type(item) is str for item in constant):
        allowed = frozenset(constant)
        if name == "In":
            return lambda scope: type(value := left(scope)) is str and value in allowed
        return lambda scope: type(value := left(scope)) is not str or value not in allowed
    return None


def make_membership(name: str, text: str, right: Closure) -> Closure:
    """A faster `"text" in right` (`In`) or `not in` (`NotIn`)."""
    inside = name == "In"

    def membership(scope: Scope) -> bool:
        container = right(scope)
        if type(container) is list:
            return (text in container) is inside
        return member(scope, text, container) is inside

    return membership


def make_chain(names: Sequence[str], operands: Sequence[Closure]) -> Closure:
    """`a < b <= c`: every operand is evaluated once at most."""
    first, *rest = operands
    links = [(COMPARISONS[name], operand) for name, operand in zip(names, rest, strict=True)]

    def chain(scope: Scope) -> bool:
        left = first(scope)
        for compare, operand in links:
            right = operand(scope)
            if not compare(scope, left, right):
                return False
            left = right
        return True

    return chain


def make_and(operands: Sequence[Closure]) -> Closure:
    """As Python's `and`, but null is false."""
    if len(operands) == 2:
        left, right = operands

        def both(scope: Scope) -> Any:
            value = left(scope)
            if value:
                value = right(scope)
            return False if value is None else value

        return both

    def all_of(scope: Scope) -> Any:
        value: Any = None
        for operand in operands:
            value = operand(scope)
            if not value:
                break
        return False if value is None else value

    return all_of


def make_or(operands: Sequence[Closure]) -> Closure:
    """As Python's `or`, but null is false."""

    def any_of(scope: Scope) -> Any:
        value: Any = None
        for operand in operands:
            value = operand(scope)
            if value:
                break
        return False if value is None else value

    return any_of


def make_not(operand: Closure) -> Closure:
    """`not`; of null it is true."""
    return lambda scope: not operand(scope)


def _add(a: Any, b: Any) -> Any:
    return a + b


def _divide(a: Any, b: Any) -> Any:
    return a / b if b else None


_ARITHMETIC: Final[dict[str, Callable[[Any, Any], Any]]] = {
    "Add": _add,
    "Sub": operator.sub,
    "Mult": operator.mul,
    "Div": _divide,
}


def make_arithmetic(name: str, left: Closure, right: Closure) -> Closure:
    """`+ - * /` of numbers, and `+` of texts; null with anything else, and by zero."""
    compute = _ARITHMETIC[name]

    def arithmetic(scope: Scope) -> Any:
        a, b = left(scope), right(scope)
        if is_number(a) and is_number(b):
            try:
                result = compute(a, b)
            except OverflowError:
                return None
            return None if result is None else settled(result)
        if a is None or b is None:
            return None
        if name == "Add" and type(a) is str and type(b) is str and len(a) + len(b) <= MAX_TEXT:
            return a + b
        scope.mismatch()
        return None

    return arithmetic


def make_sign(name: str, operand: Closure) -> Closure:
    """Unary `-` (`USub`) and `+` (`UAdd`)."""
    negative = name == "USub"

    def signed(scope: Scope) -> Any:
        value = operand(scope)
        if is_number(value):
            return settled(-value if negative else value)
        if value is not None:
            scope.mismatch()
        return None

    return signed
