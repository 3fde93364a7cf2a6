"""Entry timers: what a lead carries for campaigns it will enter on a date.

A broadcast is armed when a lead joins its list or the campaign is published, and disarmed on
leaving; `date_field` follows the lead's trait (architecture, "Campaign changes").
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from schemas import facts as f
from schemas.state import EntryTimer
from streams.engine import bounds
from streams.engine.dated import DatedEntry
from streams.engine.entering import enter_by_date
from streams.engine.events import Occurrence
from streams.engine.plan import Plan

if TYPE_CHECKING:
    from streams.engine.turn import Turn


def arm(turn: Turn, plan: Plan, *, moved: set[str] | None = None) -> None:
    """Set the plan's entry timers of this lead as they must be now (`moved` None: all)."""
    zone = turn.zone_for(plan.definition.timezone)
    for dated in plan.dated:
        if moved is not None and not dated.depends_on(moved):
            continue
        _set(turn, plan, dated, dated.due(turn, zone, turn.now))
    if moved is None:
        kept = {dated.key for dated in plan.dated}
        for timer in list(turn.lead.entries):
            if timer.campaign == plan.id and timer.key not in kept:
                turn.tell(f.EntryArmed(turn.now, campaign=plan.id, key=timer.key, due=0))


def arm_all(turn: Turn, moved: set[str]) -> None:
    """After a change of the lead: the timers of all live campaigns that depend on it."""
    for plan in turn.registry.dated:
        arm(turn, plan, moved=moved)


def _set(turn: Turn, plan: Plan, dated: DatedEntry, due: int | None) -> None:
    armed = next(
        (t.due for t in turn.lead.entries if (t.campaign, t.key) == (plan.id, dated.key)), None
    )
    if due == armed:
        return
    if due is not None and armed is None and len(turn.lead.entries) >= bounds.TIMERS:
        turn.tell(f.LimitReached(turn.now, campaign=plan.id, limit="timers"))
        return
    turn.tell(f.EntryArmed(turn.now, campaign=plan.id, key=dated.key, due=due or 0))


def fire(turn: Turn, timer: EntryTimer) -> None:
    """The date has come: the rules of entry are tested now; a repeating one is armed anew."""
    plan = turn.registry.campaigns.get(timer.campaign)
    turn.tell(f.EntryArmed(turn.now, campaign=timer.campaign, key=timer.key, due=0))
    dated = next((d for d in plan.dated if d.key == timer.key), None) if plan else None
    if plan is None or dated is None:
        return
    turn.tell(f.TimerFired(turn.now, campaign=plan.id, version=plan.version, due=timer.due))
    if dated.repeats:
        zone = turn.zone_for(plan.definition.timezone)
        _set(turn, plan, dated, dated.due(turn, zone, turn.now + 1))
    if dated.verb == "date" and dated.list not in turn.lead.lists:
        return
    enter_by_date(turn, plan, dated.verb, Occurrence(None, turn.tick()))
