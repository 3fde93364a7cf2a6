"""Entry into campaigns: the rules of entry in their order, and the beginning of a journey.

Source: campaign-language, "Re-entry" and the list of refusals. The first rule that fails is the
reason.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import orjson

from schemas import facts as f
from schemas.ids import journey_id, share
from schemas.state import Entry, Journey, Lead, Past, encode
from streams.engine import bounds, time
from streams.engine.events import Event, Occurrence
from streams.engine.evolve import journey_of, past_key
from streams.engine.liquid_paths import split_paths
from streams.engine.plan import Plan, walk

if TYPE_CHECKING:
    from streams.engine.turn import Turn

_MANY_JOURNEYS = 8
_MANY_PASTS = 100
COUNTED_ONLY = frozenset({"reentry", "only_if"})


def enter_all(turn: Turn, occurrence: Occurrence, *, by_hand: bool = False) -> None:
    """Step 6: every live campaign with a trigger that this occurrence fires."""
    if occurrence.called is not None and not turn.exhausted:
        plan = turn.registry.campaigns.get(occurrence.called)
        if plan is not None:
            callable_ = any(trigger.verb == "called" for trigger in plan.enter)
            _enter(turn, plan, "called" if callable_ else "", occurrence, by_hand=by_hand)
    for plan in turn.registry.entries_for(occurrence):
        if plan.id == occurrence.called or turn.exhausted:
            continue
        turn.campaign_zone = plan.definition.timezone
        verb = next(
            (trigger.verb for trigger in plan.enter if trigger.fires(turn, occurrence, None)), None
        )
        if verb is not None:
            _enter(turn, plan, verb, occurrence, by_hand=False)


def enter_by_date(turn: Turn, plan: Plan, verb: str, occurrence: Occurrence) -> None:
    """The trigger of one campaign has fired otherwise than by what happened."""
    _enter(turn, plan, verb, occurrence, by_hand=False)


def enter_anyway(turn: Turn, plan: Plan, occurrence: Occurrence) -> None:
    """Begin a journey without asking any rule."""
    per = _per(turn, plan, occurrence.event)
    _begin(turn, plan, "called", per or "", _entry(turn, plan, occurrence.event), occurrence)


def _enter(turn: Turn, plan: Plan, verb: str, occurrence: Occurrence, *, by_hand: bool) -> None:
    entry = _entry(turn, plan, occurrence.event)
    per = _per(turn, plan, occurrence.event)
    reason = _refusal(turn, plan, verb, per, entry, occurrence, by_hand=by_hand)
    if reason is not None:
        _refuse(turn, plan, verb or "called", reason)
        return
    per = per or ""
    if plan.definition.reentry == "restart":
        for journey in turn.journeys():
            if (journey.campaign, journey.per, journey.status) == (plan.id, per, "active"):
                turn.leave(journey, "restarted")
    for journey in _of_group(turn, plan):
        turn.leave(journey, "superseded")
    limit = _bound_met(turn.lead)
    if limit is not None:
        turn.tell(f.LimitReached(turn.now, campaign=plan.id, limit=limit))
        return
    _begin(turn, plan, verb, per, entry, occurrence)


def _bound_met(lead: Lead) -> str | None:
    """The bound that forbids a further journey; the size is looked at only where it may matter."""
    if sum(journey.status == "active" for journey in lead.journeys) >= bounds.OPEN_JOURNEYS:
        return "open_journeys"
    many = len(lead.journeys) >= _MANY_JOURNEYS or len(lead.past) >= _MANY_PASTS
    if many and len(encode(lead, 0)) > bounds.STATE_BYTES:
        return "state_bytes"
    return None


def _refuse(turn: Turn, plan: Plan, verb: str, reason: str) -> None:
    if reason in COUNTED_ONLY:
        turn.counted.append(reason)
        if not turn.keep_refusals:
            return
    turn.tell(
        f.EntryRefused(
            turn.now, campaign=plan.id, version=plan.version, trigger=verb, reason=reason
        )
    )


def _refusal(
    turn: Turn, plan: Plan, verb: str, per: str | None, entry: Entry, occurrence: Occurrence,
    *, by_hand: bool,
) -> str | None:  # fmt: skip
    """The first rule that fails, in the order of the language, or None."""
    if not verb:
        return "not_callable"
    if not _active(turn, plan):
        return "not_active"
    turn.campaign_zone = plan.definition.timezone
    event = occurrence.event
    if plan.only_if is not None and not turn.truth(plan.only_if, None, event, event):
        return "only_if"
    if per is None:
        return "missing_per"
    size = len(per) + len(orjson.dumps([entry.properties, entry.context]))
    if size > bounds.ENTRY_BYTES:
        return "too_large"
    past = turn.lead.past.get(past_key(plan.id, per))
    if past is not None and past.removed_by_hand and not by_hand:
        return "removed_by_hand"
    return _reentry(turn, plan, per, past, by_hand=by_hand) or _occupied(turn, plan)


def _active(turn: Turn, plan: Plan) -> bool:
    """Whether now lies in the campaign's [from, until); dates are in the campaign's zone."""
    active = plan.definition.active
    if active is None:
        return True
    zone = time.zone(plan.definition.timezone) or time.UTC_ZONE
    begin = time.resolve(active.from_, zone) if active.from_ else None
    end = time.resolve(active.until, zone) if active.until else None
    return (begin is None or begin <= turn.now) and (end is None or turn.now < end)


def _ends_at(plan: Plan) -> int:
    """When journeys end with the campaign's `active`; 0 when they do not."""
    active = plan.definition.active
    if active is None or active.then != "exit" or active.until is None:
        return 0
    zone = time.zone(plan.definition.timezone) or time.UTC_ZONE
    return time.resolve(active.until, zone) or 0


def _occupied(turn: Turn, plan: Plan) -> str | None:
    """The group's and the lead's bounds: an entry of equal or lower priority is refused."""
    definition = plan.definition
    if any(
        turn.plan(journey).definition.priority >= definition.priority
        for journey in _of_group(turn, plan)
    ):
        return "group_occupied"
    past = turn.lead.past.get(plan.id)
    most = definition.entries_per_lead
    if most is not None and past is not None and past.runs >= most:
        return "entries_at_most"
    return None


def _of_group(turn: Turn, plan: Plan) -> list[Journey]:
    """The lead's journeys in other campaigns of the same exclusive group."""
    group = plan.definition.exclusive_group
    if group is None:
        return []
    return [
        journey
        for journey in turn.journeys()
        if journey.status == "active"
        and journey.campaign != plan.id
        and turn.plan(journey).definition.exclusive_group == group
    ]


def _reentry(turn: Turn, plan: Plan, per: str, past: Past | None, *, by_hand: bool) -> str | None:
    """Per value of `per`: whether a further run may begin now."""
    active = [
        journey
        for journey in turn.lead.journeys
        if journey.campaign == plan.id and journey.status == "active"
    ]
    inside = any(journey.per == per for journey in active)
    kind = plan.definition.reentry
    if inside and (kind in ("never", "after_exit") or (kind == "always" and per)):
        return "reentry"
    by_hand = by_hand and not inside
    if kind == "never" and past is not None and past.runs and not by_hand:
        return "reentry"
    after = plan.definition.reentry_after
    if after is not None and past is not None and past.entered_at and not by_hand:
        zone = turn.zone_for(plan.definition.timezone)
        if turn.now < time.add(past.entered_at, after, zone):
            return "reentry_after"
    if kind == "always" and len(active) >= bounds.RUNS_AT_ONCE:
        return "too_many_runs"
    return None


def _per(turn: Turn, plan: Plan, event: Event | None) -> str | None:
    """The value of `per` as JSON, None when the event has none; "" where no `per` is written."""
    if plan.per is None:
        return ""
    turn.campaign_zone = plan.definition.timezone
    value = turn.value_at_entry(plan.per, event)
    if value is None:
        return None
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS).decode()


def _entry(turn: Turn, plan: Plan, event: Event | None) -> Entry:
    """Of the event that lets the lead in: its name and the paths that the version names."""
    if event is None:
        return Entry("", {}, {})
    wanted = plan.entry_paths
    for name in plan.templates:
        template = turn.registry.templates.get(name)
        if template is not None:
            wanted |= template.paths
    kept: dict[str, dict[str, Any]] = {"properties": {}, "context": {}}
    for path in split_paths(wanted):
        if path[0] == "entry" and path[1] in kept:
            source = event.properties if path[1] == "properties" else event.context
            _copy(source, kept[path[1]], path[2:])
    return Entry(event.name, kept["properties"], kept["context"])


def _copy(source: Any, target: dict[str, Any], names: Sequence[str]) -> None:
    """Copy one path; a whole object where the path ends early or goes into a list."""
    if not names:
        target.update(source)
        return
    name = names[0]
    if not isinstance(source, dict) or name not in source:
        return
    below = source[name]
    if len(names) == 1 or not isinstance(below, dict):
        target[name] = below
        return
    kept = target.setdefault(name, {})
    if isinstance(kept, dict) and kept is not below:
        _copy(below, kept, names[1:])


def _held_out(turn: Turn, plan: Plan) -> bool:
    """Sticky: u = blake2b-64(`campaign/holdout/lead`) / 2**64 < share."""
    share_ = plan.definition.holdout
    return bool(share_) and share(f"{plan.id}/holdout/{turn.lead_id}") < share_


def _begin(
    turn: Turn, plan: Plan, verb: str, per: str, entry: Entry, occurrence: Occurrence
) -> None:
    definition = plan.definition
    past = turn.lead.past.get(plan.id)
    n = len(turn.begun)
    journey = journey_id(plan.id, per, turn.lead_id, turn.partition, turn.offset, n)
    zone = turn.zone_for(definition.timezone)
    expires, goal_until = definition.expires_after, 0
    if definition.goal is not None and definition.goal.within is not None:
        goal_until = time.add(turn.now, definition.goal.within, zone)
    turn.tell(
        f.Entered(
            turn.now, journey, plan.id, plan.version, (past.runs if past else 0) + 1,
            trigger=verb, per=per, entry=entry, offset=turn.offset, n=n,
            expires_at=time.add(turn.now, expires, zone) if expires else 0,
            goal_until=goal_until, ends_at=_ends_at(plan),
            held_out=_held_out(turn, plan),
        )
    )  # fmt: skip
    turn.begun[journey] = turn.tick()
    begun = journey_of(turn.lead, journey)
    if begun is not None:
        walk(turn, begun, plan.first)
