"""The nodes that decide at once: `if`, `choose`, `split`, `jump_to`, `exit`.

Source: campaign-language, "Steps".
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from schemas import facts as f
from schemas.campaigns import Arm, Step
from schemas.ids import share
from schemas.state import Journey
from streams.engine.expressions import Expression, compile_expression
from streams.engine.plan import STOP, Node

if TYPE_CHECKING:
    from streams.engine.turn import Turn


class IfNode(Node):
    """`if`: a condition decided at once."""

    def __init__(self, step: Step) -> None:
        super().__init__(step)
        self.condition: Expression = compile_expression(step.value)
        self.then: Node | None = None
        self.otherwise: Node | None = None

    def take(self, turn: Turn, journey: Journey) -> Node | None:
        """`then` or `else`."""
        holds = turn.truth(self.condition, journey, turn.at_hand, journey.entry)
        which = "then" if holds else "else"
        turn.say(f.Branched, journey, self.id, which=which, why=self.condition.text)
        return self.then if holds else self.otherwise


class ChooseNode(Node):
    """`choose`: the first branch whose condition holds, else `otherwise`."""

    def __init__(self, step: Step) -> None:
        super().__init__(step)
        arms: tuple[Arm, ...] = step.value
        self.conditions = [compile_expression(arm.when or "false") for arm in arms]
        self.arms: list[Node | None] = []
        self.otherwise: Node | None = None

    def take(self, turn: Turn, journey: Journey) -> Node | None:
        """The first match."""
        for index, condition in enumerate(self.conditions):
            if turn.truth(condition, journey, turn.at_hand, journey.entry):
                which = f"choose[{index}]"
                turn.say(f.Branched, journey, self.id, which=which, why=condition.text)
                return self.arms[index]
        turn.say(f.Branched, journey, self.id, which="otherwise", why="nothing matched")
        return self.otherwise


class SplitNode(Node):
    """`split`: sticky shares by weight, decided once and kept in the journey."""

    def __init__(self, step: Step) -> None:
        super().__init__(step)
        self.names = [arm.name or f"split[{index}]" for index, arm in enumerate(step.value)]
        self.weights = [arm.weight for arm in step.value]
        if sum(self.weights) <= 0:
            raise ValueError(f"no branch of {step.id} has a weight")
        self.arms: list[Node | None] = []

    def take(self, turn: Turn, journey: Journey) -> Node | None:
        """The branch of this lead."""
        name = journey.splits.get(self.id)
        if name not in self.names:
            index = self._index(share(f"{journey.campaign}/{self.id}/{turn.lead_id}"))
            name = self.names[index]
            turn.say(f.SplitAssigned, journey, self.id, branch=name)
        turn.say(f.Branched, journey, self.id, which=name, why="split")
        return self.arms[self.names.index(name)]

    def _index(self, u: float) -> int:
        """The first branch whose cumulated share exceeds u."""
        total = sum(self.weights)
        cumulated = 0.0
        for index, weight in enumerate(self.weights):
            cumulated += weight
            if cumulated / total > u:
                return index
        return max(index for index, weight in enumerate(self.weights) if weight > 0)


class JumpNode(Node):
    """`jump_to`: on at another step; used up, it is passed."""

    def __init__(self, step: Step) -> None:
        super().__init__(step)
        self.at_most: int = step.options.get("at_most", 1)
        self.target: Node | None = None

    def take(self, turn: Turn, journey: Journey) -> Node | None:
        """The target, as often as `at_most` says in one run."""
        if journey.jumps.get(self.id, 0) >= self.at_most:
            return self.next
        turn.say(f.Jumped, journey, self.id)
        return self.target


class ExitNode(Node):
    """`exit`: ends the journey with a reason of its own."""

    def take(self, turn: Turn, journey: Journey) -> Node | None:
        """Nothing behind it runs."""
        turn.leave(journey, str(self.step.value), self.id)
        return STOP
