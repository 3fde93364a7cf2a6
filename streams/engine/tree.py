"""Walks over a definition: its steps, blocks, triggers and expressions, with their paths."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from schemas.campaigns import Arm, Definition, Step, Trigger
from streams.engine.findings import child

_BLOCKS = (
    ("then", "then"),
    ("else", "else_"),
    ("otherwise", "otherwise"),
    ("on_success", "on_success"),
    ("on_failure", "on_failure"),
)


def blocks(step: Step) -> Iterator[tuple[str, tuple[Step, ...]]]:
    """The blocks of steps within a step, in the order of the language, with their names.

    Branches of `choose`, `split` and `parallel` and a trigger's own `then` come first; their
    names are `choose[0]`, a split's branch name, `parallel[0]`, `wait_for[0].then`.
    """
    if isinstance(step.value, tuple):
        for index, part in enumerate(step.value):
            if isinstance(part, Arm):
                yield part.name or f"{step.verb}[{index}]", part.steps
            elif isinstance(part, Trigger) and part.then is not None:
                yield f"wait_for[{index}].then", part.then
            elif isinstance(part, tuple):
                yield f"parallel[{index}]", part
    for name, field in _BLOCKS:
        block = getattr(step, field)
        if block is not None:
            yield name, block


def every_step(steps: Iterable[Step]) -> Iterator[Step]:
    """All steps, those of blocks included, in the order written."""
    for step in steps:
        yield step
        for _, block in blocks(step):
            yield from every_step(block)


def triggers_of(step: Step) -> tuple[Trigger, ...]:
    """What a step waits for or restarts on."""
    own = step.value if step.verb == "wait_for" and step.value else ()
    return (*own, *step.options.get("restart_on", ()))


def every_trigger(definition: Definition) -> Iterator[tuple[str, Trigger]]:
    """All triggers with the place where they stand: `enter`, `goal`, `exit`, `step`."""
    for trigger in definition.enter:
        yield "enter", trigger
    for trigger in definition.goal.on if definition.goal else ():
        yield "goal", trigger
    for trigger in definition.exit:
        yield "exit", trigger
    for step in every_step(definition.steps):
        for trigger in triggers_of(step):
            yield "step", trigger


def every_expression(definition: Definition) -> Iterator[tuple[str, str]]:
    """(path, text) of all expressions."""
    for name in ("only_if", "per"):
        text = getattr(definition, name)
        if text is not None:
            yield name, text
    for _, trigger in every_trigger(definition):
        if trigger.where is not None:
            yield child(trigger.path, "where"), trigger.where
    for step in every_step(definition.steps):
        if step.verb == "if" and step.value is not None:
            yield child(step.path, "if"), step.value
        if step.verb == "choose":
            for arm in step.value or ():
                if arm.when is not None:
                    yield child(arm.path, "when"), arm.when
        yield from _computed(step.value, child(step.path, step.verb))
        yield from _computed(step.options.get("fields"), child(step.path, "fields"))


def _computed(value: Any, path: str) -> Iterator[tuple[str, str]]:
    """The `{expr: …}` in a step's value."""
    if not isinstance(value, dict):
        return
    if set(value) == {"expr"} and isinstance(value["expr"], str):
        yield child(path, "expr"), value["expr"]
        return
    for name, inner in value.items():
        if name == "properties":
            yield from _computed(inner, child(path, name))
        elif isinstance(inner, dict) and set(inner) == {"expr"} and isinstance(inner["expr"], str):
            yield child(child(path, name), "expr"), inner["expr"]
