"""Decide: what one thing that happened does, goals, exits, waits, entries, and what follows.

Source: campaign-language, "One record, step by step", 3 to 7.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from schemas import facts as f
from schemas.records import ByHand, Interaction, Outcome
from schemas.state import Journey
from streams.engine import meaning, time
from streams.engine.changing import ADDRESSES, Changes
from streams.engine.entering import enter_all, enter_anyway
from streams.engine.events import (
    SITE_TYPES,
    EventView,
    Occurrence,
    decoded,
    names_zone,
    page_of,
)
from streams.engine.evolve import journey_of
from streams.engine.outward import OutwardNode
from streams.engine.plan import STOP, walk
from streams.engine.rescheduling import reschedule
from streams.engine.rules import keep_lists

if TYPE_CHECKING:
    from streams.engine.turn import Turn


def changed_by(turn: Turn, body: Interaction) -> Occurrence:
    """Step 3: the record changes the lead; the answer is what happened, for 4 to 6."""
    event = EventView(body)
    occurrence = Occurrence(event, turn.tick())
    turn.at_hand = event
    _see_zone(turn, event, body)
    changes = Changes(turn, occurrence=occurrence)
    at = _own_time(turn, body)
    if body.type == "identify":
        changes.fields(decoded(body.traits))
    elif body.type == "track":
        occurrence.name = body.event
        meaning.describe(occurrence, event)
        if body.event in meaning.CONSENT_EVENTS:
            meaning.consent(changes, event)
    elif body.type in SITE_TYPES:
        page = page_of(body)
        if page is not None:
            occurrence.page, occurrence.url = page.path, page.url
            occurrence.referrer = page.referrer
    if turn.rules_due:
        keep_lists(turn, changes)
    if body.type == "track":
        counted_at = at if body.historical and at is not None else turn.now
        meaning.count(turn, event, counted_at)
    if not body.historical:
        meaning.visit(turn, body, occurrence)
        occurrence.created = not turn.existed
    occurrence.event_at = at
    return occurrence


def _own_time(turn: Turn, body: Interaction) -> int | None:
    return time.parse(body.timestamp, turn.zone_for("UTC")) if body.timestamp else None


def _see_zone(turn: Turn, event: EventView, body: Interaction) -> None:
    """The browser's zone; for a lead that is only coming into being it is no effect yet."""
    if not names_zone(body):
        return
    name = event.context.get("timezone")
    if not isinstance(name, str) or name == turn.lead.zone or not name:
        return
    if time.zone(name) is None:
        turn.counted.append("unknown_timezone")
    elif turn.existed:
        turn.tell(
            f.LeadChanged(turn.now, what="timezone", before=turn.lead.zone or None, after=name)
        )
        turn.moved.append("timezone")
    else:
        turn.lead.zone = name


def happen(turn: Turn, occurrence: Occurrence, *, by_hand: bool = False) -> None:
    """Steps 4 to 6 for one occurrence."""
    turn.at_hand = occurrence.event
    journeys = [
        journey for journey in turn.journeys() if turn.begun.get(journey.id, 0) < occurrence.seq
    ]
    for journey in journeys:
        _goal(turn, journey, occurrence)
    for journey in journeys:
        _exit(turn, journey, occurrence)
    reschedule(turn)
    for journey in journeys:
        if not turn.exhausted:
            _waits(turn, journey, occurrence)
    enter_all(turn, occurrence, by_hand=by_hand)


def settle(turn: Turn) -> None:
    """Step 7: what the steps changed, first in first out, and timers that it moved."""
    while turn.pending or turn.moved or turn.rules_due:
        keep_lists(turn, Changes(turn))
        if turn.exhausted:
            turn.pending.clear()
        if turn.pending:
            happen(turn, turn.pending.popleft())
        else:
            reschedule(turn)


def _goal(turn: Turn, journey: Journey, occurrence: Occurrence) -> None:
    plan = turn.plan(journey)
    goal = plan.definition.goal
    if goal is None or journey.converted or journey.status == "left":
        return
    if journey.goal_until and turn.now > journey.goal_until:
        if journey.status == "completed" and turn.effect:
            turn.say(f.Forgotten, journey, "")
        return
    if any(trigger.fires(turn, occurrence, journey) for trigger in plan.goals):
        turn.say(f.Converted, journey, "", event=occurrence.name or "")
        if goal.exit:
            turn.leave(journey, "goal")


def _exit(turn: Turn, journey: Journey, occurrence: Occurrence) -> None:
    if journey.status != "active":
        return
    if any(trigger.fires(turn, occurrence, journey) for trigger in turn.plan(journey).exits):
        turn.leave(journey, "exit_trigger")


def _waits(turn: Turn, journey: Journey, occurrence: Occurrence) -> None:
    if journey.status != "active":
        return
    plan = turn.plan(journey)
    _late(turn, journey, occurrence)
    _remember(turn, journey, occurrence)
    for token in list(journey.tokens):
        if journey.status != "active" or token not in journey.tokens:
            continue
        node = plan.nodes[token.step]
        armed = turn.armed.get((journey.id, token.step), 0)
        if armed >= occurrence.seq and not node.looks_back:
            continue
        following = node.met(turn, journey, occurrence)
        if following is not STOP:
            walk(turn, journey, following)


def _remember(turn: Turn, journey: Journey, occurrence: Occurrence) -> None:
    """What a wait that is not yet reached may ask for: the first match since the entry, the
    newest on each message of this run."""
    for trigger in turn.plan(journey).remembered:
        key = trigger.memory_key(occurrence, journey)
        if key is None or (key == trigger.key and key in journey.seen):
            continue
        if trigger.fires(turn, occurrence, journey):
            turn.say(f.TriggerSeen, journey, "", trigger=key)


def _late(turn: Turn, journey: Journey, occurrence: Occurrence) -> None:
    """An event that came after a deadline and says that it happened before."""
    if not journey.timed_out or occurrence.event_at is None:
        return
    plan = turn.plan(journey)
    for step, deadline in journey.timed_out:
        node = plan.nodes.get(step)
        if node is None or occurrence.event_at > deadline:
            continue
        if node.would_meet(turn, journey, occurrence):
            turn.say(
                f.LateEvent, journey, step, event=occurrence.name or "",
                event_at=occurrence.event_at, deadline=deadline,
            )  # fmt: skip


def made_by_hand(turn: Turn, body: ByHand) -> None:
    """A person's word: enter or remove, join or leave a list, consent."""
    occurrence = Occurrence(None, turn.tick())
    changes = Changes(turn, occurrence=occurrence)
    if body.do == "enter":
        occurrence.called = body.target
        plan = turn.registry.campaigns.get(body.target)
        if not body.rules and plan is not None:
            enter_anyway(turn, plan, occurrence)
        else:
            happen(turn, occurrence, by_hand=True)
    elif body.do == "remove":
        for journey in turn.journeys():
            if journey.campaign == body.target:
                turn.leave(journey, "removed")
    else:
        {
            "join": changes.join,
            "leave": changes.leave_list,
            "subscribe": changes.subscribe,
            "unsubscribe": changes.unsubscribe,
        }[body.do](body.target)
        happen(turn, occurrence)
    settle(turn)


def take_outcome(turn: Turn, body: Outcome) -> None:
    """What a sink told of a command; a repeated outcome says nothing."""
    journey = journey_of(turn.lead, body.journey_id)
    known = [sent for sent in journey.sent if sent.command == body.command_id] if journey else []
    if known and known[0].outcome == body.result:
        turn.counted.append("repeated")
        return
    version, run = (journey.version, journey.run) if journey else (0, 0)
    fact = f.OutcomeSeen(
        turn.now, body.journey_id, body.campaign, version, run, body.step,
        command=body.command_id, channel=body.channel, result=body.result,
    )  # fmt: skip
    if known:
        turn.tell(fact)
    else:
        turn.facts.append(fact)  # the journey is over: nothing of the lead changes
    if body.result == "bounced" and body.channel in ADDRESSES:
        occurrence = Occurrence(None, turn.tick())
        Changes(turn, occurrence=occurrence).bounce(body.channel, body.address)
        happen(turn, occurrence)
    if journey is not None and journey.status == "active" and known:
        _answer(turn, journey, body)
    settle(turn)


def _answer(turn: Turn, journey: Journey, body: Outcome) -> None:
    """A step that waits for the outcome of its newest command goes on with it."""
    newest = [sent.command for sent in journey.sent if sent.step == body.step][-1:]
    if newest != [body.command_id]:
        return
    for token in journey.tokens:
        if token.step == body.step and token.mode == "outcome":
            node = turn.plan(journey).nodes[token.step]
            if isinstance(node, OutwardNode):
                following = node.told(turn, journey, body.result)
                walk(turn, journey, following)
            return
