"""The nodes at which journeys wait: `wait`, `wait_until`, `wait_for`.

Source: campaign-language, "Steps" and "Time".
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from schemas import facts as f
from schemas.campaigns import Duration, Instant, Step, When
from schemas.state import Journey, Token
from streams.engine import time
from streams.engine.events import Occurrence
from streams.engine.plan import STOP, Mover, Node
from streams.engine.triggers import CompiledTrigger

if TYPE_CHECKING:
    from streams.engine.turn import Turn


class Pause(Node):
    """What the three have in common: a token that is put down and taken up again.

    `restarts` are the triggers of `restart_on`: each begins the wait anew.
    """

    restarts: tuple[CompiledTrigger, ...] = ()

    def wait(self, turn: Turn, journey: Journey, due: int, for_: list[str] | None = None) -> Node:
        """Put the journey down here until `due` (0: no deadline)."""
        turn.say(f.Waiting, journey, self.id, due=due or None, for_=for_ or [], arrived_at=turn.now)
        turn.arm(journey, self.id)
        return STOP

    def move(self, turn: Turn, journey: Journey, token: Token, due: int) -> None:
        """Set the timer anew without moving the journey."""
        if due != token.due:
            turn.say(
                f.Waiting, journey, self.id, due=due or None, for_=self.awaited(),
                arrived_at=token.arrived_at,
            )  # fmt: skip

    def awaited(self) -> list[str]:
        """What the wait is for, as shown."""
        return []

    def met(self, turn: Turn, journey: Journey, occurrence: Occurrence) -> Node | None:
        """A trigger of `restart_on` begins the wait anew: the journey arrives once more, now."""
        if any(trigger.fires(turn, occurrence, journey) for trigger in self.restarts):
            self.wait(turn, journey, self.deadline(turn, journey, turn.now), self.awaited())
        return STOP

    def fired(self, turn: Turn, journey: Journey, token: Token) -> Node | None:
        """The time has come."""
        turn.say(f.TimerFired, journey, self.id, due=token.due)
        turn.say(f.Departed, journey, self.id)
        return self.next

    def reschedule(self, turn: Turn, journey: Journey, token: Token, by: Mover) -> Node | None:
        """A due time that is past by now fires now, once."""
        due = self.deadline(turn, journey, token.arrived_at)
        self.move(turn, journey, token, max(due, turn.now) if due else 0)
        return STOP


class WaitNode(Pause):
    """`wait`: a duration, then `at` or `between`, then `on`."""

    def __init__(self, step: Step) -> None:
        super().__init__(step)
        self.duration: Duration = step.value
        self.when: When = step.options.get("when", When())

    def take(self, turn: Turn, journey: Journey) -> Node | None:
        """Goes on in the same record when nothing is to be waited for."""
        due = self.deadline(turn, journey, turn.now)
        return self.next if due <= turn.now else self.wait(turn, journey, due)

    def deadline(self, turn: Turn, journey: Journey, arrived_at: int) -> int:
        """The due time for one who came at `arrived_at`."""
        zone = turn.zone_of(journey)
        return time.schedule(time.add(arrived_at, self.duration, zone), self.when, zone)


class WaitUntilNode(Pause):
    """`wait_until`: a date, or one that the lead carries in a field."""

    def __init__(self, step: Step) -> None:
        super().__init__(step)
        self.date: Instant | None = step.value if isinstance(step.value, Instant) else None
        spec: dict[str, Any] = {} if self.date else step.value
        self.field = str(spec.get("field", ""))
        self.offset: Duration = spec.get("offset", Duration())
        self.when: When = step.options.get("when", When())
        self.if_past: str = step.options.get("if_past", "continue")
        self.if_missing: str = step.options.get("if_missing", "wait")

    def take(self, turn: Turn, journey: Journey) -> Node | None:
        """Waits, goes on, or leaves when the date is past or missing, as the step says."""
        moment = self.moment(turn, journey)
        if moment is None:
            if self.if_missing == "exit":
                turn.leave(journey, "date_missing", self.id)
                return STOP
            return self.next if self.if_missing == "continue" else self.wait(turn, journey, 0)
        if moment < turn.now:
            if self.if_past == "exit":
                turn.leave(journey, "date_past", self.id)
                return STOP
            moment = self.first_allowed(turn, journey)
        return self.next if moment <= turn.now else self.wait(turn, journey, moment)

    def moment(self, turn: Turn, journey: Journey) -> int | None:
        """The date put through `at`, `between` and `on`; None when there is none."""
        zone = turn.zone_of(journey)
        moment = time.resolve(self.date, zone) if self.date else self._field(turn, journey)
        if moment is None:
            return None
        moment = time.add(moment, self.offset, zone)
        if self.when.at is not None:
            moment = time.with_time_of_day(moment, self.when.at, zone)
        return time.schedule(moment, self._windows(), zone)

    def _field(self, turn: Turn, journey: Journey) -> int | None:
        value = turn.lead.traits.get(self.field)
        return time.parse(value, turn.zone_of(journey)) if isinstance(value, str) else None

    def _windows(self) -> When:
        return When(between=self.when.between, days=self.when.days)

    def first_allowed(self, turn: Turn, journey: Journey) -> int:
        """Past and to be continued: now, or the first instant that `between` and `on` allow."""
        return time.schedule(turn.now, self._windows(), turn.zone_of(journey))

    def reschedule(self, turn: Turn, journey: Journey, token: Token, by: Mover) -> Node | None:
        """A moved field moves the timer, a cleared one is missing again.

        What is past only by a change of the zone fires now, as any wait.
        """
        moment = self.moment(turn, journey)
        if moment is None:
            return self._missing(turn, journey, token, by)
        if moment < turn.now:
            if self.if_past == "exit" and by != "zone":
                if by == "field":
                    turn.leave(journey, "date_past", self.id)
                return STOP
            moment = self.first_allowed(turn, journey)
        self.move(turn, journey, token, moment)
        return STOP

    def _missing(self, turn: Turn, journey: Journey, token: Token, by: Mover) -> Node | None:
        if self.if_missing == "wait":
            self.move(turn, journey, token, 0)
        elif self.if_missing == "exit" and by == "field":
            turn.leave(journey, "date_missing", self.id)
        elif by == "field":
            turn.say(f.Departed, journey, self.id)
            return self.next
        return STOP


class WaitForNode(Pause):
    """`wait_for`: the first of its triggers wins, at the deadline `else` runs."""

    def __init__(self, step: Step, triggers: tuple[CompiledTrigger, ...]) -> None:
        super().__init__(step)
        self.triggers = triggers
        self.within: Duration | Instant | None = step.options.get("within")
        self.looks_back = step.options.get("since") == "entry"
        for trigger in triggers:
            trigger.looks_back = self.looks_back
        self.branches: list[Node | None] = []  # where each trigger goes on; set by the compiler
        self.otherwise: Node | None = None

    def take(self, turn: Turn, journey: Journey) -> Node | None:
        """What was seen before counts at once, up to the deadline; else the journey waits."""
        due = self.deadline(turn, journey, turn.now)
        if seen := self._seen(journey, due):
            return self._branch(turn, journey, seen[1])
        if due and due < turn.now:
            return self._else(turn, journey, "already past")
        return self.wait(turn, journey, due, self.awaited())

    def _seen(self, journey: Journey, due: int) -> tuple[int, int] | None:
        """When, and which trigger, the earliest of what was seen in time."""
        found = []
        for index, trigger in enumerate(self.triggers):
            for at in _remembered(trigger, journey):
                if not due or at <= due:
                    found.append((at, index))
        return min(found, default=None)

    def awaited(self) -> list[str]:
        """The triggers' verbs."""
        return [trigger.verb for trigger in self.triggers]

    def deadline(self, turn: Turn, journey: Journey, arrived_at: int) -> int:
        """The end of `within`, 0 without one."""
        if self.within is None:
            return 0
        zone = turn.zone_of(journey)
        if isinstance(self.within, Duration):
            return time.add(arrived_at, self.within, zone)
        return time.resolve(self.within, zone) or 0

    def met(self, turn: Turn, journey: Journey, occurrence: Occurrence) -> Node | None:
        """The first trigger, in the order written, that this occurrence fires."""
        for index, trigger in enumerate(self.triggers):
            if trigger.fires(turn, occurrence, journey):
                turn.say(f.Departed, journey, self.id)
                return self._branch(turn, journey, index)
        return super().met(turn, journey, occurrence)

    def would_meet(self, turn: Turn, journey: Journey, occurrence: Occurrence) -> bool:
        """Whether any of the triggers fires."""
        return any(trigger.fires(turn, occurrence, journey) for trigger in self.triggers)

    def fired(self, turn: Turn, journey: Journey, token: Token) -> Node | None:
        """The deadline."""
        turn.say(f.TimerFired, journey, self.id, due=token.due)
        turn.say(f.Departed, journey, self.id, deadline=token.due)
        return self._else(turn, journey, "deadline")

    def _branch(self, turn: Turn, journey: Journey, index: int) -> Node | None:
        trigger = self.triggers[index]
        turn.say(f.Branched, journey, self.id, which="then", why=trigger.verb)
        return self.branches[index]

    def _else(self, turn: Turn, journey: Journey, why: str) -> Node | None:
        turn.say(f.Branched, journey, self.id, which="else", why=why)
        return self.otherwise


def _remembered(trigger: CompiledTrigger, journey: Journey) -> Iterator[int]:
    """When it was seen; of each message of this run, since its newest sending."""
    if not journey.seen:
        return
    if trigger.looks_back and (at := journey.seen.get(trigger.key)) is not None:
        yield at
    for step in () if trigger.looks_back else trigger.own_steps:
        at = journey.seen.get(trigger.message_key(step))
        sent_at = max((sent.at for sent in journey.sent if sent.step == step), default=0)
        if at is not None and at >= sent_at:
            yield at
