"""Which step can come behind which: the one flow that lint and the graph are made of."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from msgspec import Struct, field

from schemas.campaigns import Step
from streams.engine.findings import child
from streams.engine.tree import blocks, every_step

END: Final = ""


class Edge(Struct, frozen=True):
    """From a step to what comes behind it, by their paths; `END` is the journey's completion.

    `label` tells when (`then`, `else`, a branch), "" for always.
    """

    source: str
    target: str
    label: str = ""
    jump: bool = False


class Flow(Struct):
    """`first` is where journeys begin, `edges` by their source, `parallels` the branch of
    `parallel` in which a step stands ("" outside). `joins` is, for a `parallel`, what comes behind
    it: its branches' ends lead to `<path>#join`."""

    first: str
    steps: dict[str, Step]
    edges: dict[str, list[Edge]] = field(default_factory=dict)
    parallels: dict[str, str] = field(default_factory=dict)
    by_id: dict[str, Step] = field(default_factory=dict)
    joins: dict[str, tuple[Step, int]] = field(default_factory=dict)


def ends(step: Step) -> bool:
    """Whether nothing behind the step runs."""
    return step.verb in ("exit", "forget_lead") or (
        step.verb == "leave_campaign" and step.value == "this"
    )


def branches(step: Step) -> list[tuple[str, tuple[Step, ...]]]:
    """The ways on from a step, as (label, block); [] where there is one, straight on.

    An empty block leads straight on too. `parallel` takes all of them.
    """
    if step.verb == "if":
        return [("then", step.then or ()), ("else", step.else_ or ())]
    if step.verb == "wait_for":
        return _of_wait(step)
    if step.verb in ("choose", "split"):
        found = [
            (arm.name or f"{step.verb}[{index}]", arm.steps)
            for index, arm in enumerate(step.value or ())
        ]
        return found if step.verb == "split" else [*found, ("otherwise", step.otherwise or ())]
    if step.verb == "parallel":
        return [(f"parallel[{index}]", block) for index, block in enumerate(step.value or ())]
    if step.on_success is not None or step.on_failure is not None:
        return [
            ("delivered", step.on_success or ()),
            ("failed", step.on_failure or ()),
            ("suppressed", ()),
        ]
    return []


def _of_wait(step: Step) -> list[tuple[str, tuple[Step, ...]]]:
    triggers = step.value or ()
    found = [
        (f"wait_for[{index}]", trigger.then)
        for index, trigger in enumerate(triggers)
        if trigger.then is not None
    ]
    if len(found) < len(triggers) or not triggers:
        found.append(("then", step.then or ()))
    if "within" in step.options:
        found.append(("else", step.else_ or ()))
    return found


def flow_of(steps: tuple[Step, ...]) -> Flow:
    """The flow of a campaign's steps; jumps to steps that do not exist have no edge."""
    every = list(every_step(steps))
    flow = Flow(END, {step.path: step for step in every})
    for step in every:
        flow.by_id.setdefault(step.id, step)
    _Linker(flow).block(steps, END, "")
    flow.first = steps[0].path if steps else END
    return flow


class _Linker:
    def __init__(self, flow: Flow) -> None:
        self._flow = flow

    def block(self, steps: tuple[Step, ...], after: str, branch: str) -> str:
        """Link a block behind which `after` comes; the answer is where the block begins."""
        following = after
        for step in reversed(steps):
            self._flow.parallels[step.path] = branch
            self._flow.edges[step.path] = self._step(step, following, branch)
            following = step.path
        return following

    def _step(self, step: Step, after: str, branch: str) -> list[Edge]:
        if ends(step):
            return []
        if step.verb == "jump_to":
            return self._jump(step, after)
        if step.verb == "parallel":
            return self._parallel(step, after, branch)
        edges = [
            Edge(step.path, self.block(block, after, branch), label)
            for label, block in branches(step)
        ]
        for _, block in blocks(step):
            if block and block[0].path not in self._flow.edges:
                self.block(block, after, branch)  # linked within, though nothing leads there
        return edges or [Edge(step.path, after)]

    def _parallel(self, step: Step, after: str, branch: str) -> list[Edge]:
        join = f"{step.path}#join"
        self._flow.edges[join] = [Edge(join, after)]
        parts = branches(step)
        needed = 1 if step.options.get("join") == "any" else len(parts)
        self._flow.joins[join] = (step, needed)
        edges = [
            Edge(step.path, self.block(block, join, child(step.path, label)), label)
            for label, block in parts
        ]
        return edges or [Edge(step.path, join)]

    def _jump(self, step: Step, after: str) -> list[Edge]:
        target = self._flow.by_id.get(step.value) if isinstance(step.value, str) else None
        passed = Edge(step.path, after, "used up")
        if target is None:
            return [passed]
        return [Edge(step.path, target.path, "jump", jump=True), passed]


def reachable(flow: Flow) -> set[str]:
    """The paths that a journey can come to, `END` and joins included."""
    seen: set[str] = set()
    arrived: dict[str, set[str]] = {}
    pending = [("", flow.first)]
    while pending:
        source, path = pending.pop()
        if path in flow.joins:
            # A join is passed when enough branches have come to it.
            branches = arrived.setdefault(path, set())
            branches.add(flow.parallels.get(source, source))
            if len(branches) < flow.joins[path][1]:
                continue
        if path in seen:
            continue
        seen.add(path)
        pending.extend((path, edge.target) for edge in flow.edges.get(path, ()))
    return seen


def cycles(flow: Flow, without: Iterable[str]) -> list[set[str]]:
    """The strongly connected parts that hold a circle, of the flow without these paths."""
    left_out = set(without)
    order = _finish_order(flow, left_out)
    back: dict[str, list[str]] = {}
    for path in order:
        for edge in flow.edges.get(path, ()):
            back.setdefault(edge.target, []).append(path)
    found: list[set[str]] = []
    done: set[str] = set(left_out)
    for root in reversed(order):
        if root in done:
            continue
        part: set[str] = set()
        pending = [root]
        while pending:
            path = pending.pop()
            if path in done:
                continue
            done.add(path)
            part.add(path)
            pending.extend(back.get(path, ()))
        loops = any(edge.target == root for edge in flow.edges.get(root, ()))
        if len(part) > 1 or loops:
            found.append(part)
    return found


def _finish_order(flow: Flow, left_out: set[str]) -> list[str]:
    """All paths in the order in which a depth-first walk leaves them."""
    order: list[str] = []
    seen = set(left_out)
    for root in flow.edges:
        if root in seen:
            continue
        seen.add(root)
        stack = [(root, iter(flow.edges[root]))]
        while stack:
            path, edges = stack[-1]
            for edge in edges:
                if edge.target not in seen and edge.target in flow.edges:
                    seen.add(edge.target)
                    stack.append((edge.target, iter(flow.edges[edge.target])))
                    break
            else:
                order.append(path)
                stack.pop()
    return order
