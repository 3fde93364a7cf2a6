"""Timers computed anew after the lead's zone, or a date it carries, has changed.

Exact waits stay, since their due time comes out the same (campaign-language, Time).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from streams.engine.entry_timers import arm_all
from streams.engine.plan import STOP, Mover, walk

if TYPE_CHECKING:
    from streams.engine.turn import Turn


def reschedule(turn: Turn, *, historical: bool = False) -> None:
    """After a change of zone or traits: compute anew what depends on them.

    By a `historical` record no journey goes on or leaves; only its timers move.
    """
    if not turn.moved:
        return
    moved, turn.moved = set(turn.moved), []
    arm_all(turn, moved)
    for journey in turn.journeys():
        for token in list(journey.tokens):
            if journey.status != "active" or token not in journey.tokens:
                continue
            node = turn.plan(journey).nodes[token.step]
            by: Mover = "zone"
            if node.field and node.field in moved:
                by = "import" if historical else "field"
            elif "timezone" not in moved:
                continue
            following = node.reschedule(turn, journey, token, by)
            if following is not STOP:
                walk(turn, journey, following)
