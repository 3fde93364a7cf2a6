"""Lint of the flow: unreachable steps, loops without a wait, jumps across parallel branches."""

from __future__ import annotations

from typing import Final

from schemas.campaigns import Definition, Duration, Step
from streams.engine.findings import Findings, child
from streams.engine.flow import Flow, cycles, flow_of, reachable
from streams.engine.notation import MINUTE_MS
from streams.engine.tree import blocks

LEAST_LOOP_MS: Final = MINUTE_MS


def check_flow(definition: Definition, findings: Findings) -> None:
    """Everything about which step can come behind which."""
    flow = flow_of(definition.steps)
    _check_reachable(definition.steps, reachable(flow), findings)
    _check_loops(flow, findings)
    _check_parallels(flow, findings)
    for step in flow.steps.values():
        if step.verb == "split":
            _check_split(step, findings)


def _check_reachable(steps: tuple[Step, ...], seen: set[str], findings: Findings) -> None:
    """The first of each row of unreachable steps; what is behind and in it is so by that."""
    lost = False
    for index, step in enumerate(steps):
        if step.path not in seen:
            before = steps[index - 1].verb if index else ""
            why = f"nothing runs behind `{before}`" if before else "nothing leads into this block"
            if not lost:
                findings.add("unreachable-step", step.path, f"no lead can come here: {why}")
            lost = True
            continue
        lost = False
        for name, block in blocks(step):
            deadline = step.verb != "wait_for" or name != "else" or "within" in step.options
            if deadline:
                _check_reachable(block, seen, findings)
            elif block:
                findings.add(
                    "unreachable-step", block[0].path,
                    "`else` runs at the deadline: without `within` there is none",
                )  # fmt: skip


def _check_loops(flow: Flow, findings: Findings) -> None:
    pauses = [path for path, step in flow.steps.items() if _pauses(step)]
    for part in cycles(flow, pauses):
        for path in part:
            step = flow.steps.get(path)
            jumps = [edge.target for edge in flow.edges.get(path, ()) if edge.jump]
            if step is not None and any(target in part for target in jumps):
                findings.add(
                    "loop-without-wait",
                    child(path, "jump_to"),
                    f"the way back from here to `{step.value}` holds no wait: put a `wait` of a "
                    "minute or more, or a `wait_for`, into it",
                )


def _pauses(step: Step) -> bool:
    if step.verb == "wait_for":
        return True
    if step.verb == "wait" and isinstance(step.value, Duration):
        return bool(step.value.months or step.value.days or step.value.ms >= LEAST_LOOP_MS)
    return step.verb == "wait" and step.value is None  # unreadable: told already


def _check_parallels(flow: Flow, findings: Findings) -> None:
    for path, edges in flow.edges.items():
        for edge in edges:
            if edge.jump and flow.parallels[path] != flow.parallels[edge.target]:
                findings.add(
                    "jump-into-parallel",
                    child(path, "jump_to"),
                    "a jump may not go into or out of a branch of `parallel`",
                )


def _check_split(step: Step, findings: Findings) -> None:
    arms = step.value or ()
    path = child(step.path, "split")
    if arms and all(arm.weight == 0 for arm in arms):
        findings.add("zero-weights", path, "all weights are zero: give one branch a weight")
    names: set[str] = set()
    for arm in arms:
        if arm.name and arm.name in names:
            findings.add(
                "duplicate-branch", child(arm.path, "name"),
                f"two branches of this split are called `{arm.name}`",
            )  # fmt: skip
        names.add(arm.name)
