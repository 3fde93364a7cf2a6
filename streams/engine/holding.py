"""When a message may go out: quiet hours, quiet days, frequency, the window of the wait before.

Source: campaign-language, "Held messages" and "Frequency". A held message goes at the earliest
instant that satisfies all.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from msgspec import Struct

from schemas.campaigns import Duration, Frequency, When
from schemas.state import Journey
from streams.engine import time
from streams.engine.waiting import WaitNode, WaitUntilNode

if TYPE_CHECKING:
    from streams.engine.turn import Turn

WITHIN = Duration(days=30)
_ROUNDS = 400


class Hold(Struct, frozen=True):
    """Until when, and the first reason; `until` None: no such instant within 30 days."""

    until: int | None
    reason: str = ""


def hold(turn: Turn, journey: Journey, channel: str, after: str) -> Hold | None:
    """Why and until when a message of this channel must wait now; None: it may go.

    `after` is the id of the wait step just before in the run, "" if there was none.
    """
    limits = turn.plan(journey).definition.limits
    frequency = limits.frequency.get(channel)
    delay = frequency if frequency is not None and frequency.then == "delay" else None
    if limits.quiet_hours is None and not limits.quiet_days and delay is None:
        return None
    zone = turn.zone_of(journey)
    sends = turn.lead.sends.get(channel, [])
    window = _window(turn, journey, after)
    free = _free(turn.now, delay, sends, zone)
    reason = "frequency" if free > turn.now else ""
    at, latest = free, time.add(free, WITHIN, zone)
    for _ in range(_ROUNDS):
        before = at
        if limits.quiet_hours is not None:
            at = time.end_of_window(at, limits.quiet_hours, zone)
            reason = reason or ("quiet_hours" if at > before else "")
        at = time.end_of_days(at, limits.quiet_days, zone)
        reason = reason or ("quiet_days" if at > before else "")
        if at > turn.now:
            at = time.schedule(at, window, zone)
        at = _free(at, delay, sends, zone)
        if at == before:
            return Hold(at, reason) if at > turn.now else None
        if at > latest:
            break
    return Hold(None, reason)


def _window(turn: Turn, journey: Journey, after: str) -> When:
    node = turn.plan(journey).nodes.get(after)
    if isinstance(node, WaitNode | WaitUntilNode):
        return When(between=node.when.between, days=node.when.days)
    return When()


def too_many(turn: Turn, journey: Journey, channel: str) -> bool:
    """Whether one more message would be over the campaign's cap, where the cap skips."""
    frequency = turn.plan(journey).definition.limits.frequency.get(channel)
    if frequency is None or frequency.then != "skip":
        return False
    sends = turn.lead.sends.get(channel, [])
    return _free(turn.now, frequency, sends, turn.zone_of(journey)) > turn.now


def _free(at: int, frequency: Frequency | None, sends: list[int], zone: ZoneInfo) -> int:
    """The first instant from `at` on at which the window holds fewer than the cap.

    A send is in the rolling window until the period behind it is over.
    """
    if frequency is None or len(sends) < frequency.at_most:
        return at
    return max(at, time.add(sorted(sends)[-frequency.at_most], frequency.per, zone))
