"""Timers of a lead: they lie in its journeys, and only here they fire.

A timer fires at its due time for all that the journey computes, however late the machine was
(campaign-language, Time).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from schemas import facts as f
from schemas.state import EntryTimer, Journey, Token, next_due
from streams.engine.decide import settle
from streams.engine.entry_timers import fire
from streams.engine.outward import OutwardNode
from streams.engine.plan import STOP, walk

if TYPE_CHECKING:
    from streams.engine.turn import Turn

ENTRY, STEP, END = range(3)
EXPIRY = "\x7f"  # sorts behind every step: a journey's expiry is its last timer


def fire_due(turn: Turn, *, inclusive: bool) -> None:
    """Fire, in order, every timer due before the record's time (`inclusive`: or at it).

    What a timer's steps changed is settled before the next timer fires.
    """
    limit = turn.now
    if next_due(turn.lead) > limit:
        return
    while not turn.exhausted:
        earliest = _earliest(turn, limit, inclusive)
        if earliest is None:
            break
        journey, token, due = earliest
        turn.now = due
        turn.at_hand = None
        if isinstance(journey, EntryTimer):
            fire(turn, journey)
        elif token is None and due == journey.expires_at:
            _expire(turn, journey, due)
        elif token is None:
            turn.say(f.TimerFired, journey, "", due=due)
            turn.leave(journey, "ended")
        else:
            node = turn.plan(journey).nodes[token.step]
            turn.previous[journey.id] = token.step
            following = node.fired(turn, journey, token)
            if following is not STOP:
                walk(turn, journey, following)
        settle(turn)


def _expire(turn: Turn, journey: Journey, due: int) -> None:
    """The journey has lived long enough; a message that is still held goes nowhere."""
    turn.say(f.TimerFired, journey, "", due=due)
    for token in list(journey.tokens):
        if token.mode == "held":
            node = turn.plan(journey).nodes[token.step]
            if isinstance(node, OutwardNode):
                node.suppress(turn, journey, "expired")
    turn.leave(journey, "expired")


Timer = tuple[Journey | EntryTimer, Token | None, int]
_Key = tuple[int, int, int, int, str, int, int, str]


def _earliest(turn: Turn, limit: int, inclusive: bool) -> Timer | None:
    """By due time; entries by date first; then campaign priority, (held messages) longest held,
    campaign id, journey, step; the end of a journey last."""
    found: tuple[_Key, Journey | EntryTimer, Token | None] | None = None
    for entry in turn.lead.entries:
        if entry.due > limit or (entry.due == limit and not inclusive):
            continue
        plan = turn.registry.campaigns.get(entry.campaign)
        order = -plan.definition.priority if plan else 0
        key = (entry.due, ENTRY, order, 0, entry.campaign, 0, 0, entry.key)
        if found is None or key < found[0]:
            found = (key, entry, None)
    for journey in turn.lead.journeys:
        if journey.status != "active":
            continue
        priority = -turn.plan(journey).definition.priority
        timers: list[tuple[int, Token | None]] = [(token.due, token) for token in journey.tokens]
        timers += [(journey.expires_at, None), (journey.ends_at, None)]
        for due, token in timers:
            if not due or due > limit or (due == limit and not inclusive):
                continue
            rank = END if token is None else STEP
            held_since = token.arrived_at if token is not None and token.mode == "held" else 0
            key = (
                due, rank, priority, held_since, journey.campaign, journey.offset, journey.n,
                token.step if token else EXPIRY,
            )  # fmt: skip
            if found is None or key < found[0]:
                found = (key, journey, token)
    return None if found is None else (found[1], found[2], found[0][0])
