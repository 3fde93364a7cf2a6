"""Lint of what expressions say: splits they name, events they count, values they are bound to."""

from __future__ import annotations

from typing import Final

from schemas.campaigns import Definition
from streams.engine.expression_names import did_you_mean
from streams.engine.expressions import compile_expression
from streams.engine.findings import Findings
from streams.engine.tree import every_expression, every_step, every_trigger

# Names under which clients send page views and the tracker its heartbeat, in lower case.
PAGE_EVENTS: Final = frozenset({
    "page", "screen", "heartbeat", "page viewed", "page view", "page visited", "pageview",
    "screen viewed", "viewed page", "$pageview",
})  # fmt: skip
# Triggers on an event that may carry the value of `per`.
CARRIERS: Final = frozenset({"event", "visits_page", "submits_form", "downloads"})


def check_expressions(definition: Definition, findings: Findings) -> None:
    """Everything that needs to know what an expression names."""
    splits = [step.id for step in every_step(definition.steps) if step.verb == "split"]
    for path, text in every_expression(definition):
        expression = compile_expression(text)
        for name in sorted(expression.variants):
            if name not in splits:
                hint = did_you_mean(name, splits)
                findings.add("unknown-step", path, f"no split has the id `{name}`{hint}")
        for counter in expression.counters:
            if counter.event.lower() in PAGE_EVENTS and counter.filter is None:
                findings.add(
                    "counts-every-page", path,
                    f'times("{counter.event}") changes the lead at every page it views, which '
                    "writes as much as it reads: count a rarer event, or filter",
                )  # fmt: skip
    if definition.per is not None:
        _check_bound(definition, findings)


def _check_bound(definition: Definition, findings: Findings) -> None:
    if definition.per is None:
        return
    for place, trigger in every_trigger(definition):
        if place == "enter" or trigger.verb not in CARRIERS:
            continue
        named = compile_expression(trigger.where).paths if trigger.where is not None else ()
        if not any(path.startswith("entry.") for path in named):
            findings.add(
                "unbound-per", trigger.path,
                "this fires for every journey of the lead, whatever its value of `per`: bind it, "
                f"as `where: {definition.per} == {_of_entry(definition.per)}`",
            )  # fmt: skip


def _of_entry(per: str) -> str:
    return per.replace("event.", "entry.")
