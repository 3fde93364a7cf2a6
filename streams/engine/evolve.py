"""`evolve(lead, fact)`: the only place where a lead changes. It cannot fail and decides nothing.

Facts without an entry in `MOVES` say something about a record and leave the lead as it was.
"""

from __future__ import annotations

from collections.abc import Callable
from hashlib import blake2b
from typing import Any

from schemas import facts as f
from schemas.state import EntryTimer, Journey, Lead, Past, Sent, Token
from streams.engine import bounds

MESSAGE_CHANNELS = frozenset({"email", "sms", "push"})
_SENDS_KEPT_MS = 35 * 24 * 3_600_000
PER_SEPARATOR = "\x1f"
_LONG_PER = 64


def past_key(campaign: str, per: str) -> str:
    """Where `lead.past` keeps what re-entry must know of a campaign's value.

    A long value stands there as its hash.
    """
    if not per:
        return campaign
    value = per if len(per) <= _LONG_PER else blake2b(per.encode(), digest_size=16).hexdigest()
    return f"{campaign}{PER_SEPARATOR}{value}"


def moves(fact: f.Fact) -> bool:
    """Whether this kind of fact changes a lead at all."""
    return type(fact) in MOVES


def evolve(lead: Lead, fact: f.Fact) -> None:
    """Apply one fact."""
    move = MOVES.get(type(fact))
    if move is not None:
        move(lead, fact)


def journey_of(lead: Lead, journey: str) -> Journey | None:
    """The journey of that id that the lead is in (or that waits for its goal)."""
    for candidate in lead.journeys:
        if candidate.id == journey:
            return candidate
    return None


def _past_keys(campaign: str, per: str) -> tuple[str, ...]:
    """The campaign as a whole, and the value; in this order, so that states are equal bytes."""
    return (campaign, past_key(campaign, per)) if per else (campaign,)


def _past(lead: Lead, key: str) -> Past:
    past = lead.past.get(key)
    if past is None:
        if len(lead.past) >= bounds.CAMPAIGNS_REMEMBERED:
            del lead.past[min(lead.past, key=lambda name: lead.past[name].entered_at)]
        past = lead.past[key] = Past()
    return past


def _entered(lead: Lead, fact: f.Entered) -> None:
    lead.journeys.append(
        Journey(
            fact.journey, fact.campaign, fact.version, fact.run, fact.per, fact.at, fact.offset,
            fact.n, fact.entry, expires_at=fact.expires_at, goal_until=fact.goal_until,
            ends_at=fact.ends_at, held_out=fact.held_out,
        )
    )  # fmt: skip
    lead.journeys.sort(key=lambda journey: (journey.offset, journey.n))
    for key in _past_keys(fact.campaign, fact.per):
        past = _past(lead, key)
        past.runs += 1
        past.entered_at = fact.at
        past.removed_by_hand = False


def _waiting(lead: Lead, fact: f.Waiting) -> None:
    journey = journey_of(lead, fact.journey)
    if journey is None:
        return
    _put_down(journey, Token(fact.step, fact.arrived_at, fact.due or 0, mode=fact.mode))


def _put_down(journey: Journey, token: Token) -> None:
    """A journey has at most one token per step; a newer one takes the place of the old."""
    for index, old in enumerate(journey.tokens):
        if old.step == token.step:
            token.generation = old.generation + 1
            journey.tokens[index] = token
            return
    journey.tokens.append(token)


def _held(lead: Lead, fact: f.MessageHeld) -> None:
    if journey := journey_of(lead, fact.journey):
        token = Token(fact.step, fact.since, fact.until, mode="held", after=fact.after)
        _put_down(journey, token)


def _departed(lead: Lead, fact: f.Departed) -> None:
    journey = journey_of(lead, fact.journey)
    if journey is None:
        return
    journey.tokens = [token for token in journey.tokens if token.step != fact.step]
    if fact.deadline:
        kept = [entry for entry in journey.timed_out if entry[0] != fact.step]
        journey.timed_out = [*kept, (fact.step, fact.deadline)][-bounds.DEADLINES_REMEMBERED :]


def _split(lead: Lead, fact: f.SplitAssigned) -> None:
    if journey := journey_of(lead, fact.journey):
        journey.splits[fact.step] = fact.branch


def _jumped(lead: Lead, fact: f.Jumped) -> None:
    if journey := journey_of(lead, fact.journey):
        journey.jumps[fact.step] = journey.jumps.get(fact.step, 0) + 1


def _forked(lead: Lead, fact: f.Forked) -> None:
    if journey := journey_of(lead, fact.journey):
        if fact.branches:
            journey.forks[fact.step] = list(range(fact.branches))
        else:
            journey.forks.pop(fact.step, None)


def _branch_ended(lead: Lead, fact: f.BranchEnded) -> None:
    if journey := journey_of(lead, fact.journey):
        left = journey.forks.get(fact.step, [])
        journey.forks[fact.step] = [branch for branch in left if branch != fact.branch]


def _issued(lead: Lead, fact: f.ActionIssued) -> None:
    journey = journey_of(lead, fact.journey)
    if journey is None:
        return
    journey.occurrences[fact.step] = journey.occurrences.get(fact.step, 0) + 1
    sent = Sent(fact.step, fact.template or "", fact.command, fact.at)
    journey.sent = [*journey.sent, sent][-bounds.MESSAGES_REMEMBERED :]
    if fact.once and fact.template and fact.template not in lead.once:
        lead.once = [*lead.once, fact.template][-bounds.TEMPLATES_REMEMBERED :]
    if fact.channel in MESSAGE_CHANNELS and not fact.transactional:
        recent = [at for at in lead.sends.get(fact.channel, ()) if at > fact.at - _SENDS_KEPT_MS]
        lead.sends[fact.channel] = [*recent, fact.at][-bounds.SENDS :]


def _outcome(lead: Lead, fact: f.OutcomeSeen) -> None:
    if journey := journey_of(lead, fact.journey):
        for sent in journey.sent:
            if sent.command == fact.command:
                sent.outcome = fact.result


def _trigger_seen(lead: Lead, fact: f.TriggerSeen) -> None:
    if journey := journey_of(lead, fact.journey):
        journey.seen[fact.trigger] = fact.at


def _converted(lead: Lead, fact: f.Converted) -> None:
    if journey := journey_of(lead, fact.journey):
        journey.converted = True
        if journey.status == "completed":
            lead.journeys.remove(journey)


def _remember_exit(lead: Lead, fact: f.Fact, journey: Journey, *, completed: bool) -> None:
    for key in _past_keys(journey.campaign, journey.per):
        past = _past(lead, key)
        past.exited_at = fact.at
        past.completed = past.completed or completed


def _completed(lead: Lead, fact: f.Completed) -> None:
    journey = journey_of(lead, fact.journey)
    if journey is None:
        return
    _remember_exit(lead, fact, journey, completed=True)
    journey.status = "completed"
    journey.tokens = []
    journey.expires_at = journey.ends_at = 0
    if journey.converted or journey.goal_until < fact.at or not journey.goal_until:
        lead.journeys.remove(journey)


def _left(lead: Lead, fact: f.Left) -> None:
    journey = journey_of(lead, fact.journey)
    if journey is None:
        return
    _remember_exit(lead, fact, journey, completed=False)
    if fact.reason == "removed":
        for key in _past_keys(journey.campaign, journey.per):
            _past(lead, key).removed_by_hand = True
    journey.status = "left"
    lead.journeys.remove(journey)


def _forgotten(lead: Lead, fact: f.Forgotten) -> None:
    if journey := journey_of(lead, fact.journey):
        lead.journeys.remove(journey)


def _lead_changed(lead: Lead, fact: f.LeadChanged) -> None:
    what, _, name = fact.what.partition(".")
    if what == "traits":
        if fact.after is None:
            lead.traits.pop(name, None)
        else:
            lead.traits[name] = fact.after
    elif what == "points":
        lead.points = fact.after
    elif what in ("tags", "lists"):
        # A new list: a trait, an entry or a command's data may point at the old one.
        names = [other for other in getattr(lead, what) if other != name]
        setattr(lead, what, [*names, name] if fact.after else names)
    elif what == "timezone":
        lead.zone = fact.after or ""
    elif what == "consent":
        if fact.after is None:
            lead.blocked.pop(name, None)
        else:
            lead.blocked[name] = fact.after


def _seen(lead: Lead, fact: f.Seen) -> None:
    lead.quarter = fact.quarter


def _entry_armed(lead: Lead, fact: f.EntryArmed) -> None:
    place = (fact.campaign, fact.key)
    lead.entries = [timer for timer in lead.entries if (timer.campaign, timer.key) != place]
    if fact.due:
        lead.entries.append(EntryTimer(fact.campaign, fact.key, fact.due))


def _changes_taken(lead: Lead, fact: f.ChangesTaken) -> None:
    lead.change = fact.change


def _session(lead: Lead, fact: f.SessionMoved) -> None:
    lead.session = fact.session


def _counter(lead: Lead, fact: f.CounterMoved) -> None:
    if fact.buckets:
        lead.counters[fact.counter] = fact.buckets
    else:
        lead.counters.pop(fact.counter, None)


def _id(lead: Lead, fact: f.IdRemembered) -> None:
    lead.ids = (lead.ids + fact.hash)[-8 * bounds.IDS :]


MOVES: dict[type[f.Fact], Callable[[Lead, Any], None]] = {
    f.Entered: _entered,
    f.Waiting: _waiting,
    f.MessageHeld: _held,
    f.Departed: _departed,
    f.SplitAssigned: _split,
    f.Jumped: _jumped,
    f.Forked: _forked,
    f.BranchEnded: _branch_ended,
    f.ActionIssued: _issued,
    f.OutcomeSeen: _outcome,
    f.TriggerSeen: _trigger_seen,
    f.Converted: _converted,
    f.Completed: _completed,
    f.Left: _left,
    f.Forgotten: _forgotten,
    f.LeadChanged: _lead_changed,
    f.Seen: _seen,
    f.EntryArmed: _entry_armed,
    f.ChangesTaken: _changes_taken,
    f.SessionMoved: _session,
    f.CounterMoved: _counter,
    f.IdRemembered: _id,
}
