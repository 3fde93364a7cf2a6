"""Lint of lists' rules: they see the lead alone, need no clock, and form no circle."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from typing import Final

from schemas.campaigns import ListDefinition
from streams.engine.expressions import ExpressionError, compile_expression, parse
from streams.engine.findings import Findings

CLOCK: Final = frozenset({"now", "lead.last_seen_at"})
_PATH: Final = "when"


def check_rule(definition: ListDefinition, rules: Mapping[str, str], findings: Findings) -> None:
    """The rule of one list; `rules` are those of the others."""
    if definition.when is None:
        return
    rule = compile_expression(definition.when)
    clock = sorted(CLOCK & rule.paths) + ["times()"] * bool(rule.counters)
    if clock:
        findings.add(
            "rule-needs-clock", _PATH,
            f"a rule is tested when the lead changes, not when time passes: {', '.join(clock)} "
            "cannot be used; a campaign with a wait can do it",
        )  # fmt: skip
    outside = sorted(path for path in rule.paths if path.split(".")[0] not in ("lead", "now"))
    if outside or rule.variants:
        findings.add(
            "bad-expression", _PATH,
            f"a rule sees the lead alone: {', '.join(outside) or 'journey'} cannot be used",
        )  # fmt: skip
    circle = _circle(definition.id, {**rules, definition.id: definition.when})
    if circle:
        findings.add(
            "rule-cycle", _PATH,
            f"the rules of {' → '.join(circle)} depend on each other in a circle",
        )  # fmt: skip


def lists_named(text: str, rules: Mapping[str, str]) -> frozenset[str]:
    """The lists on whose membership a rule depends; every rule list where it names none."""
    try:
        tree, _ = parse(text)
    except ExpressionError:
        return frozenset()
    used = named = 0
    found: set[str] = set()
    for node in ast.walk(tree):
        used += _is_lists(node)
        literal: ast.expr | None = None
        if isinstance(node, ast.Compare) and len(node.ops) == 1 and _is_lists(node.comparators[0]):
            literal = node.left if isinstance(node.ops[0], ast.In | ast.NotIn) else None
        elif isinstance(node, ast.Call) and len(node.args) == 2 and _is_lists(node.args[0]):
            literal = node.args[1]
        if isinstance(literal, ast.Constant) and isinstance(literal.value, str):
            found.add(literal.value)
            named += 1
    return frozenset(rules) if used > named else frozenset(found)


def _is_lists(node: ast.AST) -> bool:
    return (
        isinstance(node, ast.Attribute)
        and node.attr == "lists"
        and isinstance(node.value, ast.Name)
        and node.value.id == "lead"
    )


def _circle(start: str, rules: Mapping[str, str]) -> list[str]:
    """A way from the list through what its rule depends on back to it, [] if there is none."""
    pending = [[start]]
    seen: set[str] = set()
    while pending:
        way = pending.pop()
        for name in sorted(lists_named(rules[way[-1]], rules)):
            if name == start:
                return [*way, start]
            if name in rules and name not in seen:
                seen.add(name)
                pending.append([*way, name])
    return []
