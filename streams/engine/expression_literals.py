"""Literals of expressions: texts, numbers, `true`, `false`, `null`, and lists of them."""

from __future__ import annotations

import ast
from typing import Any, Final

NAMED_LITERALS: Final = {"true": True, "false": False, "null": None}
NOT_LITERAL: Final = object()


class Problem(ValueError):
    """What is wrong, where, under which lint code."""

    def __init__(self, node: ast.expr | None, message: str, code: str = "bad-expression") -> None:
        super().__init__(message)
        self.node = node
        self.code = code


def literal(node: ast.expr) -> Any:
    """The value of a literal (texts, numbers, true, false, null, lists of them), `NOT_LITERAL`
    for all else; raises `Problem` for a literal of Python that is none here."""
    if isinstance(node, ast.Constant):
        return _constant_value(node)
    if isinstance(node, ast.Name):
        return NAMED_LITERALS.get(node.id, NOT_LITERAL)
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub | ast.UAdd):
        number = literal(node.operand)
        if type(number) is int or type(number) is float:
            return -number if isinstance(node.op, ast.USub) else number
    if isinstance(node, ast.List):
        items = [literal(item) for item in node.elts]
        if not any(item is NOT_LITERAL for item in items):
            return items
    return NOT_LITERAL


def _constant_value(node: ast.Constant) -> Any:
    value = node.value
    kind = type(value)
    if kind is str:
        try:
            value.encode()  # type: ignore[union-attr]
        except UnicodeEncodeError:
            raise Problem(node, "the text holds half a character (a lone surrogate)") from None
        return value
    if kind is int and not -(1 << 63) <= value < 1 << 63:  # type: ignore[operator]
        raise Problem(node, "the number is beyond 64 bits")
    if kind is float and value in (float("inf"), float("-inf")):
        raise Problem(node, "the number is too large")
    if kind in (int, float, bool) or value is None:
        return value
    raise Problem(node, "a literal is a text, a number, true, false or null")


def has_null(node: ast.expr) -> bool:
    if isinstance(node, ast.Constant):
        return node.value is None
    if isinstance(node, ast.Name):
        return node.id == "null"
    return isinstance(node, ast.List) and any(has_null(item) for item in node.elts)
