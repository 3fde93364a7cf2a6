"""Timers of a lead: they lie in its journeys, and only here they fire.

A timer fires at its due time for all that the journey computes, however late the machine was
(campaign-language, Time).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from schemas import facts as f
from schemas.state import Journey, Token
from streams.engine.decide import settle
from streams.engine.plan import STOP, walk

if TYPE_CHECKING:
    from streams.engine.turn import Turn

EXPIRY = "\x7f"  # sorts behind every step: a journey's expiry is its last timer


def fire_due(turn: Turn, *, inclusive: bool) -> None:
    """Fire, in order, every timer due before the record's time (`inclusive`: or at it).

    What a timer's steps changed is settled before the next timer fires.
    """
    limit = turn.now
    while not turn.exhausted:
        earliest = _earliest(turn, limit, inclusive)
        if earliest is None:
            break
        journey, token, due = earliest
        turn.now = due
        turn.at_hand = None
        if token is None:
            turn.say(f.TimerFired, journey, "", due=due)
            turn.leave(journey, "expired")
        else:
            node = turn.plan(journey).nodes[token.step]
            following = node.fired(turn, journey, token)
            if following is not STOP:
                walk(turn, journey, following)
        settle(turn)


def _earliest(turn: Turn, limit: int, inclusive: bool) -> tuple[Journey, Token | None, int] | None:
    """By due time, campaign priority, campaign id, journey, step; expiry last."""
    found: tuple[tuple[int, int, int, str, int, int, str], Journey, Token | None] | None = None
    for journey in turn.lead.journeys:
        if journey.status != "active":
            continue
        priority = -turn.plan(journey).definition.priority
        timers: list[tuple[int, Token | None]] = [(token.due, token) for token in journey.tokens]
        timers.append((journey.expires_at, None))
        for due, token in timers:
            if not due or due > limit or (due == limit and not inclusive):
                continue
            last = token is None
            key = (
                due, last, priority, journey.campaign, journey.offset, journey.n,
                token.step if token else EXPIRY,
            )  # fmt: skip
            if found is None or key < found[0]:
                found = (key, journey, token)
    return None if found is None else (found[1], found[2], found[0][0])
