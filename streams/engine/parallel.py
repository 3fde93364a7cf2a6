"""`parallel`: all branches run, and the journey goes on when all have ended, or the first has.

Source: campaign-language, "Steps". A branch that has ended is remembered in the journey; a journey
has one token per branch that waits.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from schemas import facts as f
from schemas.campaigns import Step
from schemas.state import Journey
from streams.engine.plan import STOP, Node, walk

if TYPE_CHECKING:
    from streams.engine.turn import Turn


class ParallelNode(Node):
    """The fork. `branches` are the first nodes; `inside` the ids of all steps within."""

    def __init__(self, step: Step) -> None:
        super().__init__(step)
        self.any = step.options.get("join") == "any"
        self.branches: list[Node] = []
        self.inside: frozenset[str] = frozenset()

    def take(self, turn: Turn, journey: Journey) -> Node | None:
        """Run each branch until it waits, ends, or ends the fork or the journey."""
        turn.say(f.Forked, journey, self.id, branches=len(self.branches))
        for branch in self.branches:
            if journey.status != "active" or self.id not in journey.forks:
                break
            walk(turn, journey, branch)
        return STOP


class JoinNode(Node):
    """The end of one branch; what comes behind the fork is the fork's own `next`."""

    written = False

    def __init__(self, fork: ParallelNode, index: int) -> None:
        super().__init__(Step("join", f"{fork.id}.join[{index}]", fork.step.path))
        self.fork = fork
        self.index = index

    def take(self, turn: Turn, journey: Journey) -> Node | None:
        """The last branch (or with `any` the first) goes on behind the fork."""
        fork = self.fork
        left = [branch for branch in journey.forks.get(fork.id, []) if branch != self.index]
        turn.say(f.BranchEnded, journey, fork.id, branch=self.index)
        if left and not fork.any:
            return STOP
        for token in list(journey.tokens):
            if token.step in fork.inside:
                turn.say(f.Departed, journey, token.step)
        turn.say(f.Forked, journey, fork.id, branches=0)
        return fork.next
