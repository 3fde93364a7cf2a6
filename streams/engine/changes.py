"""What a change of a list or campaign means for a lead that is there already.

Such a change is never work of one record: before a lead's next record is handled, the changes it
has not taken in are applied at their times, in order with its timers (architecture, "Campaign
changes"). A walker wakes the leads; the prefix of a state tells who is done.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from schemas import facts as f
from streams.engine.changing import Changes
from streams.engine.decide import settle
from streams.engine.entering import enter_by_date
from streams.engine.entry_timers import arm
from streams.engine.events import Occurrence
from streams.engine.plan import Plan
from streams.engine.registry import Registry
from streams.engine.rules import keep_lists
from streams.engine.timers import fire_due

if TYPE_CHECKING:
    from streams.engine.turn import Turn


class History(Protocol):
    """The changes as they took effect in this partition."""

    def time(self, number: int) -> int:
        """When the change took effect here, ms."""

    def registry(self, number: int) -> Registry:
        """The registry that was in force from then on."""


def catch_up(turn: Turn, history: History) -> None:
    """Take in what this lead has not yet; nothing to do for most records."""
    newest = turn.registry
    pending = [number for number in newest.touching if number >= turn.lead.change]
    if not pending:
        return
    for number in pending:
        turn.now = max(turn.lead.clock, history.time(number))
        fire_due(turn, inclusive=False)
        turn.now = max(turn.lead.clock, history.time(number))
        turn.at_hand = None
        turn.registry = history.registry(number)
        _take_in(turn, number)
        settle(turn)
        turn.registry = newest
    turn.tell(f.ChangesTaken(turn.now, change=newest.number + 1))


def _take_in(turn: Turn, number: int) -> None:
    kind, _, id_ = turn.registry.touching[number].partition("/")
    if kind == "list":
        turn.rules_due = True
        keep_lists(turn, Changes(turn))
        return
    plan = turn.registry.campaigns.get(id_)
    if plan is None:
        return
    arm(turn, plan)
    _existing(turn, plan)


def _existing(turn: Turn, plan: Plan) -> None:
    """`joins_list` with `existing: true` takes in those who are members at the publish."""
    for trigger in plan.enter:
        if trigger.existing and not trigger.names.isdisjoint(turn.lead.lists):
            occurrence = Occurrence(None, turn.tick())
            occurrence.joined = tuple(n for n in turn.lead.lists if n in trigger.names)
            if trigger.fires(turn, occurrence, None):
                enter_by_date(turn, plan, trigger.verb, occurrence)
                return
