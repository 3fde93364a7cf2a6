"""One turn: the handling of one record. What is known meanwhile, and the one way to tell a fact.

A turn is also the `Scope` that expressions see. It is thrown away after the record; all that
stays is in the lead.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from msgspec import Struct, field

from schemas import facts as f
from schemas.commands import Command
from schemas.state import QUARTER_MS, Journey, Lead, Session
from streams.engine import bounds, counters, time
from streams.engine.events import Event, Occurrence
from streams.engine.evolve import MOVES
from streams.engine.expressions import CounterSpec, Expression

if TYPE_CHECKING:
    from streams.engine.plan import Plan
    from streams.engine.registry import Registry


RULE_MOVERS = (f.LeadChanged, f.Entered, f.Completed, f.Left)
"""The facts after which a list's rule may hold that did not, or the reverse."""


class Block(Struct, frozen=True):
    """An address that must not be written to from now on; `reason` None lifts it."""

    channel: str
    address: str
    reason: str | None
    at_ms: int


class Turn(Struct, eq=False):
    """The handling of one record of one lead. `now` is what the engine computes with.

    `existed` tells whether there was a lead before. `at_hand` is the event of the record, None
    when a timer runs; `event`, `entry`, `journey` and `campaign_zone` are the scope of the
    expression at hand. `seq` orders what happens within the record: `armed` and `begun` say when a
    wait was armed and a journey begun. `previous` is the step that a journey took last in this
    record. `moved` names traits that changed, and `timezone`: timers to compute anew.
    """

    lead: Lead
    lead_id: str
    registry: Registry
    partition: int
    offset: int
    time_ms: int
    now: int
    existed: bool
    before_effect: Callable[[Lead | None], None]
    keep_refusals: bool = False
    facts: list[f.Fact] = []
    commands: list[Command] = []
    blocks: list[Block] = []
    counted: list[str] = []
    pending: deque[Occurrence] = field(default_factory=deque)
    effect: bool = False
    exhausted: bool = False
    rules_due: bool = False
    at_hand: Event | None = None
    event: Event | None = None
    entry: Event | None = None
    journey: Journey | None = None
    campaign_zone: str = "UTC"
    seq: int = 0
    previous: dict[str, str] = {}
    armed: dict[tuple[str, str], int] = {}
    begun: dict[str, int] = {}
    moved: list[str] = []
    steps: dict[str, int] = {}
    steps_in_all: int = 0
    facts_measured: int = 0
    facts_bytes: int = 0

    # Facts

    def tell(self, fact: f.Fact) -> None:
        """Conclude a fact and apply it at once, so that the next conclusion sees it."""
        move = MOVES.get(type(fact))
        if move is not None:
            if not self.effect:
                self.effect = True
                self.before_effect(self.lead if self.existed else None)
                self.rules_due = not self.existed and bool(self.registry.rules)
            move(self.lead, fact)  # as `evolve` does
            if self.registry.rules and isinstance(fact, RULE_MOVERS):
                self.rules_due = True
        if fact.shipped:
            self.facts.append(fact)

    def say(self, kind: type[f.Fact], journey: Journey, step: str, **fields: Any) -> None:
        """Tell a fact about a journey at one of its steps ("" for the journey as a whole)."""
        self.tell(
            kind(
                self.now, journey.id, journey.campaign, journey.version, journey.run, step, **fields
            )
        )

    def leave(self, journey: Journey, reason: str, step: str = "") -> None:
        """The journey ends before its end; its timers and waits go with it."""
        if journey.status == "active":
            self.say(f.Left, journey, step, reason=reason)

    def arm(self, journey: Journey, step: str) -> None:
        """From now on what happens can satisfy this wait; what happened before cannot."""
        self.armed[journey.id, step] = self.tick()

    def tick(self) -> int:
        """The next number in the order of what happens within this record."""
        self.seq += 1
        return self.seq

    def happens(self, journey: Journey | None = None) -> Occurrence:
        """A further occurrence, queued; the caller fills in what it is."""
        occurrence = Occurrence(self.at_hand, self.tick(), journey.id if journey else "")
        self.pending.append(occurrence)
        return occurrence

    def count_step(self, journey: Journey) -> bool:
        """Whether the journey may run another step in this record; if not it has left."""
        taken = self.steps[journey.id] = self.steps.get(journey.id, 0) + 1
        self.steps_in_all += 1
        if taken > bounds.STEPS_PER_JOURNEY:
            self.leave(journey, "runaway")
            self._drop_queued(journey)
            return False
        if self.exhausted:
            self.leave(journey, "runaway")
            return False
        if self.steps_in_all > bounds.STEPS_PER_RECORD:
            return self._exhaust(journey, "steps_per_record")
        if self.steps_in_all % bounds.FACTS_MEASURED == 0 and self._facts_fill_a_record():
            return self._exhaust(journey, "facts_bytes")
        return True

    def _exhaust(self, journey: Journey, limit: str) -> bool:
        """Nothing more runs in this record."""
        self.exhausted = True
        self.leave(journey, "runaway")
        self.tell(f.LimitReached(self.now, limit=limit))
        return False

    def _facts_fill_a_record(self) -> bool:
        rows = [f.row(fact) for fact in self.facts[self.facts_measured :]]
        self.facts_measured = len(self.facts)
        self.facts_bytes += len(f.ENCODE(rows))
        return self.facts_bytes > bounds.FACTS_BYTES

    def _drop_queued(self, journey: Journey) -> None:
        kept = [occurrence for occurrence in self.pending if occurrence.journey != journey.id]
        if len(kept) < len(self.pending):
            self.pending = deque(kept)
            self.say(f.LimitReached, journey, "", limit="steps_per_journey")

    # What nodes ask

    def plan(self, journey: Journey) -> Plan:
        """The version that this journey is on."""
        return self.registry.plan(journey.campaign, journey.version)

    def journeys(self) -> list[Journey]:
        """The lead's journeys in the order in which campaigns are visited."""
        found = self.lead.journeys
        if len(found) < 2:
            return list(found)
        return sorted(
            found, key=lambda j: (-self.plan(j).definition.priority, j.campaign, j.offset, j.n)
        )

    def zone_for(self, campaign_zone: str) -> ZoneInfo:
        """The lead's zone, else the browser's, else the campaign's, else UTC."""
        own = self.lead.traits.get("timezone")
        for name in (own, self.lead.zone, campaign_zone):
            if isinstance(name, str) and name:
                found = time.zone(name)
                if found is not None:
                    return found
                self.count_once("unknown_timezone")
        return time.UTC_ZONE

    def zone_of(self, journey: Journey) -> ZoneInfo:
        """The zone that a journey's times are in."""
        return self.zone_for(self.plan(journey).definition.timezone)

    def truth(
        self,
        expression: Expression,
        journey: Journey | None,
        event: Event | None,
        entry: Event | None,
    ) -> bool:
        """Whether a condition holds; never raises on a lead's data."""
        self._see(journey, event, entry)
        return expression.truth(self)

    def value(self, expression: Expression, journey: Journey) -> Any:
        """An expression's value for a journey, with the event at hand."""
        self._see(journey, self.at_hand, journey.entry)
        return expression.value(self)

    def value_at_entry(self, expression: Expression, event: Event | None) -> Any:
        """An expression's value for a lead that is about to enter with this event."""
        self._see(None, event, event)
        return expression.value(self)

    def _see(self, journey: Journey | None, event: Event | None, entry: Event | None) -> None:
        self.journey = journey
        if journey is not None:
            self.campaign_zone = self.plan(journey).definition.timezone
        self.event = event
        self.entry = entry

    # The rest of the scope of expressions

    @property
    def zone(self) -> ZoneInfo:
        """The zone in force for the expression at hand."""
        return self.zone_for(self.campaign_zone)

    def times(self, counter: CounterSpec) -> int:
        """How often the counter's event happened in its period up to now."""
        return counters.total(self.lead.counters.get(counter.key), counter, self.now)

    def in_campaign(self, campaign: str) -> bool:
        """Whether the lead is in this campaign now."""
        return any(
            journey.campaign == campaign and journey.status == "active"
            for journey in self.lead.journeys
        )

    def completed_campaign(self, campaign: str) -> bool:
        """Whether the lead ever came to this campaign's end."""
        past = self.lead.past.get(campaign)
        return past is not None and past.completed

    def mismatch(self) -> None:
        """An order comparison of unlike types."""
        self.counted.append("type_mismatch")

    def count_once(self, what: str) -> None:
        """Count something that is said once a record."""
        if what not in self.counted:
            self.counted.append(what)


def fresh_lead(time_ms: int, change: int) -> Lead:
    """A lead that a record may bring into being, with all changes so far taken in."""
    return Lead(created_at=time_ms, quarter=time_ms // QUARTER_MS, change=change + 1)


def fresh_session(session: Session) -> Session:
    """A copy to change: facts carry the session after the record."""
    return Session(
        session.started_at, session.last_at, session.path, session.url, dict(session.spent),
        list(session.proved),
    )  # fmt: skip
