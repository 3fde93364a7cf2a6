"""What became of the leads of one campaign, counted from its facts.

Counts begin where the facts do: `journey-facts` keeps 30 days. They are for looking at; the
conservation law (entered = active + completed + left) holds for them by construction only as long
as every journey began within those facts.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

from msgspec import Struct, field

from schemas.facts import FactRow

# Journeys whose place is remembered; beyond, `waiting` is a lower bound (and the page says so).
PLACES_MAX = 300_000
_HERE = frozenset(("waiting", "message_held"))
_GONE_ON = frozenset(("timer_fired", "branched", "action_issued", "action_suppressed"))
_ENDED = frozenset(("completed", "left"))


class StepCounts(Struct):
    """One step, all versions together; `waiting` is of the moment, the rest since the start."""

    came: int = 0
    waiting: int = 0
    branched: Counter[str] = field(default_factory=Counter)
    sent: int = 0
    suppressed: Counter[str] = field(default_factory=Counter)
    outcomes: Counter[str] = field(default_factory=Counter)

    def plain(self) -> dict[str, Any]:
        """As JSON shows it."""
        return {
            "came": self.came,
            "waiting": self.waiting,
            "branched": dict(self.branched),
            "sent": self.sent,
            "suppressed": dict(self.suppressed),
            "outcomes": dict(self.outcomes),
        }


class Funnel(Struct):
    """One campaign, all versions together. `left` is by reason, `refused` too."""

    entered: int = 0
    completed: int = 0
    converted: int = 0
    left: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    steps: dict[str, StepCounts] = field(default_factory=dict)

    @property
    def active(self) -> int:
        """Journeys that are neither completed nor left."""
        return max(0, self.entered - self.completed - self.left.total())

    @property
    def waiting(self) -> int:
        """Journeys that wait at some step."""
        return sum(step.waiting for step in self.steps.values())

    def step(self, id: str) -> StepCounts:
        """The counts of a step, made when it is met for the first time."""
        counts = self.steps.get(id)
        if counts is None:
            counts = self.steps[id] = StepCounts()
        return counts


class Funnels:
    """All campaigns. `by_campaign` is by id; `places_dropped` tells that waiting is too low."""

    def __init__(self) -> None:
        self.by_campaign: dict[str, Funnel] = {}
        self.places_dropped = False
        self._places: dict[str, tuple[str, ...]] = {}

    def funnel(self, campaign: str) -> Funnel:
        """The counts of a campaign, made when it is met for the first time."""
        funnel = self.by_campaign.get(campaign)
        if funnel is None:
            funnel = self.by_campaign[campaign] = Funnel()
        return funnel

    def count(self, row: FactRow) -> None:
        """Take in one fact; each must come once."""
        if not row.campaign:
            return
        funnel = self.funnel(row.campaign)
        kind, detail = row.fact, row.detail
        if kind == "entered":
            funnel.entered += 1
        elif kind == "entry_refused":
            funnel.refused[str(detail.get("reason"))] += 1
        elif kind == "completed":
            funnel.completed += 1
        elif kind == "left":
            funnel.left[str(detail.get("reason"))] += 1
        elif kind == "converted":
            funnel.converted += 1
        elif row.step:
            _count_step(funnel.step(row.step), kind, detail)
        if row.journey:
            self._move(funnel, row)

    def _move(self, funnel: Funnel, row: FactRow) -> None:
        """Where the journey waits now: facts tell when it came to a wait and went on."""
        places = self._places.get(row.journey, ())
        if row.fact in _HERE:
            if row.step not in places and self._put(row.journey, (*places, row.step)):
                funnel.step(row.step).waiting += 1
        elif not places:
            return
        elif row.fact in _ENDED or row.fact == "migrated":
            self._leave(funnel, row.journey, places, places)
        elif row.fact in _GONE_ON and row.step in places:
            self._leave(funnel, row.journey, places, (row.step,))
        elif row.fact == "step_taken" and len(places) == 1:
            # Only a wait that goes on without a word of its own is left in this way.
            self._leave(funnel, row.journey, places, places)

    def _put(self, journey: str, places: tuple[str, ...]) -> bool:
        if len(self._places) >= PLACES_MAX and journey not in self._places:
            self.places_dropped = True
            return False
        self._places[journey] = places
        return True

    def _leave(
        self, funnel: Funnel, journey: str, places: tuple[str, ...], gone: tuple[str, ...]
    ) -> None:
        for step in gone:
            funnel.step(step).waiting -= 1
        rest = tuple(step for step in places if step not in gone)
        if rest:
            self._places[journey] = rest
        else:
            del self._places[journey]


def _count_step(counts: StepCounts, kind: str, detail: dict[str, Any]) -> None:
    if kind == "step_taken":
        counts.came += 1
    elif kind in ("branched", "split_assigned"):
        counts.branched[str(detail.get("which") or detail.get("branch"))] += 1
    elif kind == "action_issued":
        counts.sent += 1
    elif kind == "action_suppressed":
        counts.suppressed[str(detail.get("reason"))] += 1
    elif kind == "outcome":
        counts.outcomes[str(detail.get("result"))] += 1
