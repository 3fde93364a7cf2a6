"""Expressions: parsed once by `ast`, checked against an allow-list, turned into closures.

Source: campaign-language, "Expressions". No attribute of a Python object can be reached, and no
expression raises on a lead's data.
"""

from __future__ import annotations

import ast
import keyword
import re
import warnings
from collections.abc import Callable
from functools import lru_cache
from io import StringIO
from tokenize import COMMENT, NAME, OP, TokenError, generate_tokens
from typing import Any, Final

from schemas.campaigns import Duration
from streams.engine.expression_compiler import Compiler
from streams.engine.expression_literals import Problem
from streams.engine.expression_scope import CounterSpec, EventView, Scope

__all__ = [
    "CounterSpec",
    "EventView",
    "Expression",
    "ExpressionError",
    "Scope",
    "compile_expression",
    "compile_filter",
    "parse",
]

MAX_BYTES: Final = 4_096
MAX_NODES: Final = 200

# Stands before a keyword that is a field's name (`event.properties.from`) while `ast` parses.
_GUARD: Final = "\u02bb"
_KEYWORD_FIELD = re.compile(rf"\.\s*(?:{'|'.join(keyword.kwlist)})\b")


class ExpressionError(ValueError):
    """The text is no expression. `code` is a lint code, `column` counts from 1 in the text."""

    def __init__(self, code: str, message: str, column: int = 1) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.column = column


class Expression:
    """A compiled expression.

    `paths` are the names it uses (`lead.country`, `entry.properties.order_id`, `now`), `variants`
    the splits that `journey.variant` names, `counters` its `times(…)`. `value(scope)` never
    raises; what it returns may be part of the lead's state: copy what is kept.
    """

    __slots__ = ("counters", "paths", "text", "value", "variants")

    def __init__(
        self,
        text: str,
        value: Callable[[Scope], Any],
        paths: frozenset[str],
        variants: frozenset[str],
        counters: tuple[CounterSpec, ...],
    ) -> None:
        self.text = text
        self.value = value
        self.paths = paths
        self.variants = variants
        self.counters = counters

    def __repr__(self) -> str:
        return f"Expression({self.text!r})"

    def truth(self, scope: Scope) -> bool:
        """The value as a condition: null, false, 0 and what is empty do not hold."""
        return bool(self.value(scope))


@lru_cache(maxsize=4096)
def compile_expression(text: str) -> Expression:
    """Compile; raises `ExpressionError` (`bad-expression` or `null-comparison`)."""
    return _compile(text, inside_filter=False)


def compile_filter(text: str) -> Expression:
    """Compile the third argument of `times`: an expression over `event.*` alone."""
    return _compile(text, inside_filter=True)


def _compile(text: str, *, inside_filter: bool) -> Expression:
    tree, source = parse(text)
    compiler = Compiler(_counter, None if inside_filter else _check_filter)
    try:
        value = compiler.compile(tree)
    except Problem as problem:
        column = _column(source, problem.node)
        raise ExpressionError(problem.code, str(problem).replace(_GUARD, ""), column) from None
    return Expression(
        text,
        value,
        frozenset(compiler.paths),
        frozenset(compiler.variants),
        tuple(dict.fromkeys(compiler.counters)),
    )


def _check_filter(text: str) -> None:
    try:
        compile_filter(text)
    except ExpressionError as error:
        raise ValueError(f"in the filter: {error.message}") from None


def _counter(event: str, period: Duration, filter_: str | None) -> CounterSpec:
    span = "".join(
        f"{number}{unit}"
        for number, unit in ((period.months, "mo"), (period.days, "d"), (period.ms, "ms"))
        if number
    )
    key = f"{event}\x1f{span}" if filter_ is None else f"{event}\x1f{span}\x1f{filter_}"
    return CounterSpec(event, period, filter_, key)


def parse(text: str) -> tuple[ast.expr, str]:
    """The checked-for-size tree, and the text it was made from (in one line)."""
    size = len(text.encode(errors="replace"))
    if size > MAX_BYTES:
        raise ExpressionError("bad-expression", f"{size} bytes long: at most {MAX_BYTES}")
    source = " ".join(text.split("\n")).strip()
    if not source:
        raise ExpressionError("bad-expression", "the expression is empty")
    try:
        tree = _parsed(source)
    except SyntaxError as error:
        if not _KEYWORD_FIELD.search(source):
            raise _syntax_error(error) from None
        source = _guarded(source)
        try:
            tree = _parsed(source)
        except SyntaxError as second:
            raise _syntax_error(second) from None
    if "#" in source and _has_comment(source):
        raise ExpressionError("bad-expression", "an expression cannot hold a comment (`#`)")
    nodes = _count(tree)
    if nodes > MAX_NODES:
        raise ExpressionError(
            "bad-expression", f"{nodes} names, values and operators: at most {MAX_NODES}"
        )
    return tree, source


def _parsed(source: str) -> ast.expr:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # `"\d"`: what Python thinks of it is not the question
        try:
            return ast.parse(source, mode="eval").body
        except (RecursionError, MemoryError):
            raise SyntaxError("too deeply nested") from None
        except ValueError as error:
            raise SyntaxError(str(error)) from None


def _syntax_error(error: SyntaxError) -> ExpressionError:
    message = (error.msg or "invalid syntax").split("\n")[0]
    hint = ""
    text = (error.text or "").lower()
    if re.search(r"(?<![=!<>])=(?!=)", text):
        hint = " (comparing is `==`)"
    elif "&&" in text or "||" in text or re.search(r"!(?!=)", text):
        hint = " (write `and`, `or`, `not`)"
    return ExpressionError("bad-expression", f"not an expression: {message}{hint}",
                           max(error.offset or 1, 1))  # fmt: skip


def _has_comment(source: str) -> bool:
    """Whether the text, which parses, ends in a comment."""
    return any(token.type == COMMENT for token in generate_tokens(StringIO(source).readline))


def _guarded(source: str) -> str:
    """The text with a guard before every keyword that follows a dot."""
    marks: list[int] = []
    after_dot = False
    try:
        for token in generate_tokens(StringIO(source).readline):
            if after_dot and token.type == NAME and keyword.iskeyword(token.string):
                marks.append(token.start[1])
            after_dot = token.type == OP and token.string == "."
    except (TokenError, SyntaxError):
        return source
    for mark in reversed(marks):
        source = source[:mark] + _GUARD + source[mark:]
    return source


def _count(tree: ast.expr) -> int:
    """Names (dotted ones once), literals, operators and calls."""
    dotted = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    return sum(isinstance(node, ast.expr) and id(node) not in dotted for node in ast.walk(tree))


def _column(source: str, node: ast.expr | None) -> int:
    """The node's column in characters, from 1; `ast` counts bytes."""
    if node is None:
        return 1
    before = source.encode(errors="replace")[: node.col_offset].decode(errors="replace")
    return len(before.replace(_GUARD, "")) + 1
