"""From a syntax tree to closures: what is not on the list here is not in the language."""

from __future__ import annotations

import ast
from collections.abc import Callable
from typing import Any, Final

from schemas.campaigns import Duration
from streams.engine.expression_functions import FUNCTIONS, make_call, make_glob, make_regex
from streams.engine.expression_literals import (
    NAMED_LITERALS,
    NOT_LITERAL,
    Problem,
    has_null,
    literal,
)
from streams.engine.expression_names import (
    NameProblem,
    compile_name,
    compile_variant,
    did_you_mean,
)
from streams.engine.expression_operators import (
    Closure,
    make_and,
    make_arithmetic,
    make_chain,
    make_comparison,
    make_constant_comparison,
    make_membership,
    make_not,
    make_or,
    make_sign,
)
from streams.engine.expression_scope import CounterSpec
from streams.engine.notation import NotationError, parse_duration

MAX_EVENT_NAME: Final = 256
_OPERATORS: Final = {
    "Pow": "**",
    "Mod": "%",
    "FloorDiv": "//",
    "BitAnd": "&",
    "BitOr": "|",
    "BitXor": "^",
    "LShift": "<<",
    "RShift": ">>",
    "MatMult": "@",
}
# Syntax of Python that people try; all else is told by the general message.
_REFUSED: Final[dict[type[ast.expr], str]] = {
    ast.Tuple: "write a list in brackets: `[…]`",
    ast.Set: "write a list in brackets: `[…]`",
    ast.Dict: "there are no objects in expressions",
    ast.IfExp: "there is no `… if … else …`: use the step `if`",
    ast.Subscript: "there is no `[…]` behind a name: write the path with dots",
    ast.Lambda: "there are no functions of one's own",
    ast.NamedExpr: "there is no assignment: comparing is `==`",
    ast.JoinedStr: "there are no f-texts: join with `+`",
}


class Compiler:
    """Compiles one tree and gathers the names, splits and counters that it uses.

    `check_filter` raises ValueError for a bad filter of `times`; None means that this *is* such a
    filter, in which only `event.*` may be named.
    """

    def __init__(
        self,
        counter: Callable[[str, Duration, str | None], CounterSpec],
        check_filter: Callable[[str], None] | None,
    ) -> None:
        self._counter = counter
        self._check_filter = check_filter
        self.paths: set[str] = set()
        self.variants: set[str] = set()
        self.counters: list[CounterSpec] = []

    def compile(self, node: ast.expr) -> Closure:
        """The closure of a node; raises `Problem`."""
        method = _METHODS.get(type(node))
        if method is None:
            hint = _REFUSED.get(type(node), "this is not part of the language")
            raise Problem(node, hint)
        closure: Closure = method(self, node)
        return closure

    def _constant(self, node: ast.Constant) -> Closure:
        value = literal(node)
        return lambda _scope: value

    def _list(self, node: ast.List) -> Closure:
        value = literal(node)
        if value is not NOT_LITERAL:
            return lambda _scope: value
        items = [self.compile(item) for item in node.elts]
        return lambda scope: [item(scope) for item in items]

    def _name(self, node: ast.Name) -> Closure:
        if node.id in NAMED_LITERALS:
            value = NAMED_LITERALS[node.id]
            return lambda _scope: value
        return self._path(node, [node.id])

    def _attribute(self, node: ast.Attribute) -> Closure:
        segments: list[str] = []
        inner: ast.expr = node
        while isinstance(inner, ast.Attribute):
            segments.append(inner.attr.lstrip("\u02bb"))
            inner = inner.value
        if not isinstance(inner, ast.Name):
            raise Problem(node, "a dot may only stand in a name, as in `lead.email`")
        segments.append(inner.id)
        return self._path(node, segments[::-1])

    def _path(self, node: ast.expr, segments: list[str]) -> Closure:
        if segments[0] in FUNCTIONS and len(segments) == 1:
            raise Problem(node, f"`{segments[0]}` is a function: write `{segments[0]}(…)`")
        try:
            closure = compile_name(segments)
        except NameProblem as problem:
            raise Problem(node, str(problem)) from None
        if self._check_filter is None and segments[0] != "event":
            raise Problem(node, "the filter of times() may only name `event.…`")
        self.paths.add(".".join(segments))
        return closure

    def _bool_op(self, node: ast.BoolOp) -> Closure:
        operands = [self.compile(value) for value in node.values]
        return make_and(operands) if isinstance(node.op, ast.And) else make_or(operands)

    def _unary_op(self, node: ast.UnaryOp) -> Closure:
        value = literal(node)
        if value is not NOT_LITERAL:
            return lambda _scope: value
        if isinstance(node.op, ast.Not):
            return make_not(self.compile(node.operand))
        if isinstance(node.op, ast.Invert):
            raise Problem(node, "`~` is not part of the language: write `not`")
        return make_sign(type(node.op).__name__, self.compile(node.operand))

    def _bin_op(self, node: ast.BinOp) -> Closure:
        name = type(node.op).__name__
        if name in _OPERATORS:
            raise Problem(node, f"`{_OPERATORS[name]}` is not part of the language: + - * /")
        return make_arithmetic(name, self.compile(node.left), self.compile(node.right))

    def _compare(self, node: ast.Compare) -> Closure:
        nodes = [node.left, *node.comparators]
        names = [type(op).__name__ for op in node.ops]
        if any(name in ("Is", "IsNot") for name in names):
            raise Problem(node, "there is no `is`: write `==`, or `empty(…)` for null")
        for operand in nodes:
            if has_null(operand):
                raise Problem(
                    operand,
                    "nothing equals null, so this comparison says the same for every lead: "
                    "use empty(…) or not empty(…)",
                    "null-comparison",
                )
        operands = [self.compile(operand) for operand in nodes]
        if len(names) > 1:
            return make_chain(names, operands)
        left, right = nodes
        constant = literal(right)
        if constant is not NOT_LITERAL:
            fast = make_constant_comparison(names[0], operands[0], constant)
            if fast is not None:
                return fast
        text = literal(left)
        if type(text) is str and names[0] in ("In", "NotIn"):
            return make_membership(names[0], text, operands[1])
        return make_comparison(names[0], *operands)

    def _call(self, node: ast.Call) -> Closure:
        if node.keywords or any(isinstance(arg, ast.Starred) for arg in node.args):
            raise Problem(node, "arguments are written plainly, one after the other")
        if isinstance(node.func, ast.Attribute):
            return self._method_call(node, node.func)
        if not isinstance(node.func, ast.Name):
            raise Problem(node, "only the functions of the language can be called")
        name = node.func.id
        if name == "times":
            return self._times(node)
        if name == "regex":
            return self._regex(node)
        if name not in FUNCTIONS:
            hint = did_you_mean(name, [*FUNCTIONS, "times", "regex"])
            raise Problem(node, f"there is no function `{name}`{hint}")
        function, count = FUNCTIONS[name]
        _check_count(node, name, count, count)
        if self._check_filter is None and name.endswith("_campaign"):
            raise Problem(node, "the filter of times() may only look at `event.…`")
        arguments = [self.compile(argument) for argument in node.args]
        if name == "matches" and type(glob := literal(node.args[1])) is str:
            return make_glob(arguments[0], glob)
        return make_call(function, arguments)

    def _method_call(self, node: ast.Call, function: ast.Attribute) -> Closure:
        journey = isinstance(function.value, ast.Name) and function.value.id == "journey"
        if not journey or function.attr != "variant":
            name = function.attr
            known = name in FUNCTIONS or name in ("times", "regex")
            hint = f": write `{name}(…)`" if known else ""
            raise Problem(node, f"`.{name}(…)` is not part of the language{hint}")
        _check_count(node, "journey.variant", 1, 1)
        split = literal(node.args[0])
        if type(split) is not str:
            raise Problem(node.args[0], "journey.variant takes the id of a split in quotes")
        if self._check_filter is None:
            raise Problem(node, "the filter of times() may only name `event.…`")
        self.variants.add(split)
        return compile_variant(split)

    def _regex(self, node: ast.Call) -> Closure:
        _check_count(node, "regex", 2, 2)
        operand = self.compile(node.args[0])
        pattern = literal(node.args[1])
        if type(pattern) is not str:
            raise Problem(node.args[1], "the pattern of regex() must be a text in quotes")
        try:
            return make_regex(operand, pattern)
        except ValueError as error:
            raise Problem(node.args[1], str(error)) from None

    def _times(self, node: ast.Call) -> Closure:
        _check_count(node, "times", 2, 3)
        if self._check_filter is None:
            raise Problem(node, "the filter of times() cannot count itself")
        texts = [literal(argument) for argument in node.args]
        for argument, text in zip(node.args, texts, strict=True):
            if type(text) is not str:
                raise Problem(argument, 'times() takes texts in quotes: times("Name", "7 days")')
        event, period, filter_ = (*texts, None)[:3]
        if not 0 < len(event) <= MAX_EVENT_NAME:
            raise Problem(node.args[0], "times() needs the name of an event")
        try:
            duration = parse_duration(period)
            if filter_ is not None:
                self._check_filter(filter_)
        except NotationError as error:
            raise Problem(node.args[1], str(error)) from None
        except ValueError as error:
            raise Problem(node.args[2], str(error)) from None
        if duration.zero:
            raise Problem(node.args[1], "times() needs a period of more than nothing")
        counter = self._counter(event, duration, filter_)
        self.counters.append(counter)
        return lambda scope: scope.times(counter)


_METHODS: Final[dict[type[ast.expr], Callable[[Compiler, Any], Closure]]] = {
    ast.Constant: Compiler._constant,
    ast.List: Compiler._list,
    ast.Name: Compiler._name,
    ast.Attribute: Compiler._attribute,
    ast.BoolOp: Compiler._bool_op,
    ast.UnaryOp: Compiler._unary_op,
    ast.BinOp: Compiler._bin_op,
    ast.Compare: Compiler._compare,
    ast.Call: Compiler._call,
}


def _check_count(node: ast.Call, name: str, least: int, most: int) -> None:
    count = len(node.args)
    if not least <= count <= most:
        takes = str(least) if least == most else f"{least} or {most}"
        raise Problem(node, f"{name}() takes {takes} argument{'s' * (most > 1)}, not {count}")
