"""From a checked definition to a plan: nodes linked, triggers and expressions compiled."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping

from schemas.campaigns import Arm, Definition, Step, Trigger
from streams.engine import branching, inward, outward, waiting
from streams.engine.dated import DATED, DatedEntry
from streams.engine.expressions import Expression, compile_expression
from streams.engine.parallel import JoinNode, ParallelNode
from streams.engine.plan import Node, Plan
from streams.engine.triggers import CompiledTrigger, Key

SIMPLE: dict[str, Callable[[Step], Node]] = {
    "wait": waiting.WaitNode,
    "wait_until": waiting.WaitUntilNode,
    "exit": branching.ExitNode,
    "change_points": inward.PointsNode,
    "set_points": inward.PointsNode,
    "add_to_list": inward.ListNode,
    "remove_from_list": inward.ListNode,
    "add_tags": inward.TagNode,
    "remove_tags": inward.TagNode,
    "set_fields": inward.FieldsNode,
    "subscribe": inward.ConsentNode,
    "unsubscribe": inward.ConsentNode,
    "start_campaign": inward.StartCampaignNode,
    "leave_campaign": inward.LeaveCampaignNode,
    "record_event": inward.RecordEventNode,
}
OUTWARD = frozenset({"send_email", "call_webhook"})


def compile_plan(definition: Definition, version: int, number: int) -> Plan:
    """The plan of a definition; `number` is the change that published it.

    Raises ValueError where a step, an expression or a text cannot be used.
    """
    return _Compiler(definition, version, number).plan()


def blocks(step: Step) -> Iterator[tuple[Step, ...]]:
    """Every block of steps within a step."""
    for block in (step.then, step.else_, step.otherwise, step.on_success, step.on_failure):
        if block:
            yield block
    if isinstance(step.value, tuple):
        for part in step.value:
            if isinstance(part, Arm):
                yield part.steps
            elif isinstance(part, Trigger) and part.then:
                yield part.then
            elif isinstance(part, tuple):
                yield part


def every_step(steps: Iterable[Step]) -> Iterator[Step]:
    """All steps, blocks included, in the order written."""
    for step in steps:
        yield step
        for block in blocks(step):
            yield from every_step(block)


class _Compiler:
    def __init__(self, definition: Definition, version: int, number: int) -> None:
        self._definition = definition
        self._plan = Plan(definition, version, number)
        self._steps: dict[str, Step] = {}
        for step in every_step(definition.steps):
            if self._steps.setdefault(step.id, step) is not step:
                raise ValueError(f"two steps have the id {step.id}")
        self._waits: list[CompiledTrigger] = []
        self._remembered: list[CompiledTrigger] = []
        self._jumps: list[branching.JumpNode] = []
        self._expressions: list[Expression] = []

    def plan(self) -> Plan:
        plan, definition = self._plan, self._definition
        plan.enter = tuple(self._trigger(trigger, {}) for trigger in definition.enter)
        plan.dated = tuple(DatedEntry(t) for t in definition.enter if t.verb in DATED)
        plan.exits = tuple(self._trigger(trigger) for trigger in definition.exit)
        if definition.goal is not None:
            plan.goals = tuple(self._trigger(trigger) for trigger in definition.goal.on)
        plan.only_if = self._expression(definition.only_if)
        plan.per = self._expression(definition.per)
        plan.first = self._block(definition.steps, None)
        for jump in self._jumps:
            jump.target = plan.nodes.get(str(jump.step.value))
            if jump.target is None:
                raise ValueError(f"{jump.id} jumps to {jump.step.value}, which is no step")
        plan.waits = tuple(self._waits)
        plan.remembered = tuple(self._remembered)
        self._collect()
        return plan

    def _collect(self) -> None:
        plan = self._plan
        nodes = plan.nodes.values()
        sends = [node for node in nodes if isinstance(node, outward.OutwardNode)]
        paths = {path for node in sends for path in node.paths}
        paths |= {path for expression in self._expressions for path in expression.paths}
        plan.entry_paths = frozenset(path for path in paths if path.startswith("entry."))
        plan.once = frozenset(node.template for node in sends if node.once and node.template)
        plan.templates = frozenset(node.template for node in sends if node.template)
        counters = {
            counter.key: counter
            for expression in self._expressions
            for counter in expression.counters
        }
        plan.counters = tuple(counters.values())

    def _expression(self, text: str | None) -> Expression | None:
        if text is None:
            return None
        return self._note(compile_expression(text))

    def _note(self, expression: Expression) -> Expression:
        self._expressions.append(expression)
        return expression

    def _trigger(
        self, trigger: Trigger, steps: Mapping[str, Step] | None = None
    ) -> CompiledTrigger:
        """`steps` are those whose messages it may name: for `enter`, none are sent yet."""
        compiled = CompiledTrigger(trigger, self._steps if steps is None else steps)
        if compiled.where is not None:
            self._note(compiled.where)
        return compiled

    def _block(self, steps: tuple[Step, ...], after: Node | None) -> Node | None:
        """The first node of a block behind which `after` comes."""
        following = after
        for step in reversed(steps):
            node = self._node(step, following)
            node.next = following
            self._plan.nodes[node.id] = node
            following = node
        return following

    def _node(self, step: Step, after: Node | None) -> Node:
        if step.verb in SIMPLE:
            return self._simple(step)
        if step.verb in OUTWARD:
            return self._outward(step, after)
        if step.verb == "jump_to":
            jump = branching.JumpNode(step)
            self._jumps.append(jump)
            return jump
        if step.verb == "if":
            return self._if(step, after)
        if step.verb == "choose":
            return self._choose(step, after)
        if step.verb == "split":
            split = branching.SplitNode(step)
            split.arms = [self._block(arm.steps, after) for arm in step.value]
            return split
        if step.verb == "parallel":
            return self._parallel(step)
        return self._wait_for(step, after)

    def _parallel(self, step: Step) -> Node:
        node = ParallelNode(step)
        for index, branch in enumerate(step.value):
            join = JoinNode(node, index)
            self._plan.nodes[join.id] = join
            node.branches.append(self._block(branch, join) or join)
        node.inside = frozenset(inner.id for branch in step.value for inner in every_step(branch))
        return node

    def _simple(self, step: Step) -> Node:
        node = SIMPLE[step.verb](step)
        if isinstance(node, waiting.Pause):
            self._restarts(node)
        for value in _values(node):
            if value.expression is not None:
                self._note(value.expression)
        return node

    def _restarts(self, node: waiting.Pause) -> None:
        node.restarts = tuple(self._trigger(t) for t in node.step.options.get("restart_on", ()))
        self._waits += node.restarts

    def _outward(self, step: Step, after: Node | None) -> Node:
        node = outward.OutwardNode(step, self._definition)
        node.succeeded = self._block(step.on_success or (), after)
        node.failed = self._block(step.on_failure or (), after)
        return node

    def _if(self, step: Step, after: Node | None) -> Node:
        node = branching.IfNode(step)
        self._note(node.condition)
        node.then = self._block(step.then or (), after)
        node.otherwise = self._block(step.else_ or (), after)
        return node

    def _choose(self, step: Step, after: Node | None) -> Node:
        node = branching.ChooseNode(step)
        for condition in node.conditions:
            self._note(condition)
        node.arms = [self._block(arm.steps, after) for arm in step.value]
        node.otherwise = self._block(step.otherwise or (), after)
        return node

    def _wait_for(self, step: Step, after: Node | None) -> Node:
        triggers = tuple(self._trigger(trigger) for trigger in step.value)
        node = waiting.WaitForNode(step, triggers)
        common = self._block(step.then or (), after)
        node.branches = [
            common if trigger.then is None else self._block(trigger.then, after)
            for trigger in step.value
        ]
        node.otherwise = self._block(step.else_ or (), after)
        self._restarts(node)
        self._waits += triggers
        self._remembered += [t for t in triggers if t.looks_back or t.own_steps]
        return node


def _values(node: Node) -> list[inward.Value]:
    if isinstance(node, inward.PointsNode):
        return [node.value]
    if isinstance(node, inward.FieldsNode | inward.RecordEventNode):
        return list(node.values.values())
    return []


def index_keys(plan: Plan) -> Iterator[Key]:
    """Where the trigger index finds the campaign's entries."""
    for trigger in plan.enter:
        yield from (("called", plan.id),) if trigger.verb == "called" else trigger.keys
