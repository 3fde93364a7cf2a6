"""One turn: the handling of one record. What is known meanwhile, and the one way to tell a fact.

A turn is also the `Scope` that expressions see. It is thrown away after the record; all that
stays is in the lead.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from msgspec import Struct

from schemas import facts as f
from schemas.commands import Command
from schemas.state import Journey, Lead, Session
from streams.engine import bounds, counters, time
from streams.engine.events import Event, Occurrence
from streams.engine.evolve import evolve, moves
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


class Turn:
    """The handling of one record of one lead. `now` is what the engine computes with."""

    __slots__ = (
        "_before_effect", "armed", "at_hand", "begun", "blocks", "campaign_zone", "commands",
        "counted", "effect", "entry", "event", "exhausted", "existed", "facts", "journey",
        "keep_refusals", "lead", "lead_id", "moved", "now", "offset", "partition", "pending",
        "previous",
        "registry", "rules_due", "seq", "steps", "steps_in_all", "time_ms",
    )  # fmt: skip

    def __init__(
        self,
        lead: Lead | None,
        lead_id: str,
        registry: Registry,
        *,
        place: tuple[int, int, int],
        before_effect: Callable[[Lead | None], None],
        fresh: Lead,
    ) -> None:
        self.partition, self.offset, self.time_ms = place
        self.existed = lead is not None
        self.lead = lead if lead is not None else fresh
        self.lead_id = lead_id
        self.registry = registry
        self.now = max(self.lead.clock, self.time_ms)
        self.facts: list[f.Fact] = []
        self.commands: list[Command] = []
        self.blocks: list[Block] = []
        self.counted: list[str] = []
        self.pending: deque[Occurrence] = deque()
        self.effect = False
        self.exhausted = False
        self.rules_due = False
        self.keep_refusals = False
        self._before_effect = before_effect
        self.at_hand: Event | None = None  # the event of the record; None when a timer runs
        # the scope of expressions
        self.event: Event | None = None
        self.entry: Event | None = None
        self.journey: Journey | None = None
        self.campaign_zone = "UTC"
        # order within the record: what happened when, what was armed and entered when
        self.seq = 0
        self.previous: dict[str, str] = {}  # journey -> the step it took last in this record
        self.armed: dict[tuple[str, str], int] = {}
        self.begun: dict[str, int] = {}
        self.moved: list[str] = []  # traits that changed, and "timezone": timers to compute anew
        self.steps: dict[str, int] = {}
        self.steps_in_all = 0

    # Facts

    def tell(self, fact: f.Fact) -> None:
        """Conclude a fact and apply it at once, so that the next conclusion sees it."""
        if moves(fact):
            if not self.effect:
                self.effect = True
                self._before_effect(self.lead if self.existed else None)
                self.rules_due = not self.existed and bool(self.registry.rules)
            evolve(self.lead, fact)
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
        if self.steps_in_all > bounds.STEPS_PER_RECORD:
            self.leave(journey, "runaway")
            if not self.exhausted:
                self.exhausted = True
                self.tell(f.LimitReached(self.now, limit="steps_per_record"))
            return False
        return True

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


def fresh_session(session: Session) -> Session:
    """A copy to change: facts carry the session after the record."""
    return Session(
        session.started_at, session.last_at, session.path, session.url, dict(session.spent),
        list(session.proved),
    )  # fmt: skip
