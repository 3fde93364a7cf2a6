"""A campaign as text: what lets leads in and out, and its steps with the ids that facts name."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from schemas.campaigns import Definition, Step
from streams.engine.flow import branches
from streams.engine.wording import (
    branch_text,
    duration_text,
    header_lines,
    step_text,
    triggers_text,
)

ID_WIDTH = 24


def described(campaign: Definition) -> Iterator[str]:
    """Line by line."""
    yield f"{campaign.id}: {campaign.name or 'no name'}"
    yield f"  enters when {triggers_text(campaign.enter)}"
    again = campaign.reentry.replace("_", " ")
    if campaign.reentry_after is not None:
        again += f", not within {duration_text(campaign.reentry_after)}"
    yield f"  enters again: {again}" + (f", one per {campaign.per}" if campaign.per else "")
    yield from (f"  {line}" for line in header_lines(campaign))
    yield f"  time zone of leads without one: {campaign.timezone}"
    yield "  steps, by id:"
    yield from _block(campaign.steps, "    ")


def _block(steps: Sequence[Step], indent: str) -> Iterator[str]:
    for step in steps:
        yield f"{indent}{step.id:<{ID_WIDTH}} {step.verb} {step_text(step)}".rstrip()
        for label, block in branches(step):
            said = branch_text(step, label) or label
            yield f"{indent}  {said}:" + ("" if block else " on")
            yield from _block(block, indent + "    ")
