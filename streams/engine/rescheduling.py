"""Timers computed anew after the lead's zone, or a date it carries, has changed.

Exact waits stay, since their due time comes out the same (campaign-language, Time).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from streams.engine.plan import STOP, walk

if TYPE_CHECKING:
    from streams.engine.turn import Turn


def reschedule(turn: Turn) -> None:
    """After a change of zone or traits: compute anew what depends on them."""
    if not turn.moved:
        return
    moved, turn.moved = set(turn.moved), []
    for journey in turn.journeys():
        for token in list(journey.tokens):
            if journey.status != "active" or token not in journey.tokens:
                continue
            node = turn.plan(journey).nodes[token.step]
            if "timezone" in moved or node.field in moved:
                following = node.reschedule(turn, journey, token)
                if following is not STOP:
                    walk(turn, journey, following)
