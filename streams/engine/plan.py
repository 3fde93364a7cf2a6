"""A plan: one version of a campaign, compiled to node objects and closures.

A node is a step that knows what comes behind it. Walking is: a node is taken, it tells facts and
answers with the next node, or `STOP` where the journey waits or has ended.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from schemas import facts as f
from schemas.campaigns import Definition, Step
from schemas.state import Journey, Token
from streams.engine.changing import Changes
from streams.engine.dated import DatedEntry
from streams.engine.events import Occurrence
from streams.engine.expressions import CounterSpec, Expression
from streams.engine.rules import keep_lists
from streams.engine.triggers import CompiledTrigger

if TYPE_CHECKING:
    from streams.engine.turn import Turn


Mover = Literal["zone", "field", "import"]
"""What made a timer move; an import moves no journey."""


class Node:
    """One step of a plan; `next` is what comes behind it, None being the journey's end.

    `field` is the lead's trait that its timer depends on, "" if none; `written` that it stands in
    the campaign (the end of a branch does not).
    """

    field = ""
    written = True
    looks_back = False  # whether what happened before the journey came here counts (since: entry)

    def __init__(self, step: Step) -> None:
        self.step = step
        self.id = step.id
        self.verb = step.verb
        self.next: Node | None = None

    def take(self, turn: Turn, journey: Journey) -> Node | None:
        """Run the step; the answer is the next node, None (the end) or `STOP`."""
        raise NotImplementedError

    # What a node at which journeys wait also answers:

    def fired(self, turn: Turn, journey: Journey, token: Token) -> Node | None:
        """Its timer is due: go on with the answer (not called while `token.due` is 0)."""
        raise NotImplementedError

    def met(self, turn: Turn, journey: Journey, occurrence: Occurrence) -> Node | None:
        """Something happened: `STOP` when it is not waited for, else where to go on."""
        return STOP

    def would_meet(self, turn: Turn, journey: Journey, occurrence: Occurrence) -> bool:
        """Whether one who still waited here would have got what is waited for."""
        return False

    def deadline(self, turn: Turn, journey: Journey, arrived_at: int) -> int:
        """When the timer is due for one who came at `arrived_at`; 0 without a timer."""
        return 0

    def reschedule(self, turn: Turn, journey: Journey, token: Token, by: Mover) -> Node | None:
        """The lead's zone or its field changed: compute the timer anew. `STOP`: still waiting."""
        return STOP


class _Stop(Node):
    def __init__(self) -> None:
        super().__init__(Step("stop", "", ""))


STOP = _Stop()


class Plan:
    """One compiled version.

    `remembered` are the wait triggers whose firing a journey must remember before it comes to
    the wait (`since: entry`, messages of this run).
    `entry_paths` are the paths under `entry.` that its expressions name.
    """

    def __init__(self, definition: Definition, version: int, number: int) -> None:
        self.definition = definition
        self.id = definition.id
        self.version = version
        self.number = number
        self.nodes: dict[str, Node] = {}
        self.first: Node | None = None
        self.enter: tuple[CompiledTrigger, ...] = ()
        self.goals: tuple[CompiledTrigger, ...] = ()
        self.exits: tuple[CompiledTrigger, ...] = ()
        self.waits: tuple[CompiledTrigger, ...] = ()
        self.remembered: tuple[CompiledTrigger, ...] = ()
        self.only_if: Expression | None = None
        self.per: Expression | None = None
        self.dated: tuple[DatedEntry, ...] = ()
        self.counters: tuple[CounterSpec, ...] = ()
        self.entry_paths: frozenset[str] = frozenset()
        self.templates: frozenset[str] = frozenset()
        self.once: frozenset[str] = frozenset()

    @property
    def triggers(self) -> tuple[CompiledTrigger, ...]:
        """All of its triggers."""
        return (*self.enter, *self.goals, *self.exits, *self.waits)

    @property
    def order(self) -> tuple[int, str]:
        """Where the campaign comes when several are visited: priority, then id."""
        return (-self.definition.priority, self.id)


def walk(turn: Turn, journey: Journey, node: Node | None) -> None:
    """Run steps from `node` on until the journey waits or ends."""
    while node is not None:
        if not turn.count_step(journey):
            return
        taken = node.id
        if node.written:
            turn.say(f.StepTaken, journey, taken, verb=node.verb)
        node = node.take(turn, journey)
        if turn.rules_due:
            keep_lists(turn, Changes(turn, journey, taken))
        if node is STOP:
            return
        turn.previous[journey.id] = taken
    turn.say(f.Completed, journey, "")
