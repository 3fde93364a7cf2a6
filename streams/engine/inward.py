"""The inward steps: they change the lead's state at once, the next step sees it.

Source: campaign-language, "Steps". A number or value may be an expression (`{expr: …}`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from schemas import facts as f
from schemas.campaigns import Step
from schemas.state import Entry, Journey
from streams.engine import meaning
from streams.engine.changing import Changes
from streams.engine.expressions import Expression, compile_expression
from streams.engine.plan import STOP, Node

if TYPE_CHECKING:
    from streams.engine.turn import Turn


class Value:
    """A value of a step: written as it is, or computed at run time."""

    def __init__(self, written: Any) -> None:
        self.expression: Expression | None = None
        self.written = written
        if isinstance(written, dict) and set(written) == {"expr"}:
            self.expression = compile_expression(str(written["expr"]))

    def of(self, turn: Turn, journey: Journey) -> Any:
        """The value for this journey."""
        if self.expression is None:
            return self.written
        return turn.value(self.expression, journey)


def number(value: Any) -> float | None:
    """A number, or None; true and false are none."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    return value


class PointsNode(Node):
    """`change_points`, `set_points`."""

    def __init__(self, step: Step) -> None:
        super().__init__(step)
        self.value = Value(step.value)

    def take(self, turn: Turn, journey: Journey) -> Node | None:
        """A value that is no number changes nothing."""
        amount = number(self.value.of(turn, journey))
        if amount is not None:
            before = turn.lead.points if self.verb == "change_points" else 0
            Changes(turn, journey, self.id).points(before + amount)
        return self.next


class ListNode(Node):
    """`add_to_list`, `remove_from_list`."""

    def take(self, turn: Turn, journey: Journey) -> Node | None:
        """One after the other."""
        changes = Changes(turn, journey, self.id)
        change = changes.join if self.verb == "add_to_list" else changes.leave_list
        for name in self.step.value:
            change(name)
        return self.next


class TagNode(Node):
    """`add_tags`, `remove_tags`."""

    def take(self, turn: Turn, journey: Journey) -> Node | None:
        """One after the other."""
        changes = Changes(turn, journey, self.id)
        change = changes.tag if self.verb == "add_tags" else changes.untag
        for name in self.step.value:
            change(name)
        return self.next


class FieldsNode(Node):
    """`set_fields`."""

    def __init__(self, step: Step) -> None:
        super().__init__(step)
        self.values = {name: Value(written) for name, written in step.value.items()}

    def take(self, turn: Turn, journey: Journey) -> Node | None:
        """All values are computed before the first is set."""
        values = {name: value.of(turn, journey) for name, value in self.values.items()}
        Changes(turn, journey, self.id).fields(values)
        return self.next


class ConsentNode(Node):
    """`subscribe`, `unsubscribe`."""

    def take(self, turn: Turn, journey: Journey) -> Node | None:
        """Consent changes for one channel."""
        changes = Changes(turn, journey, self.id)
        channel = str(self.step.value)
        if self.verb == "subscribe":
            changes.subscribe(channel)
        else:
            changes.unsubscribe(channel)
        return self.next


class StartCampaignNode(Node):
    """`start_campaign`: all other rules of entry apply."""

    def take(self, turn: Turn, journey: Journey) -> Node | None:
        """Queued, as everything that follows from an inward step."""
        turn.happens(journey).called = str(self.step.value)
        return self.next


class LeaveCampaignNode(Node):
    """`leave_campaign`: another campaign, or `this`, behind which nothing runs."""

    def take(self, turn: Turn, journey: Journey) -> Node | None:
        """The lead's journeys of that campaign leave at once."""
        campaign = str(self.step.value)
        if campaign in ("this", journey.campaign):
            turn.leave(journey, "left", self.id)
        if campaign == "this":
            return STOP
        for other in turn.journeys():
            if other.campaign == campaign:
                turn.leave(other, "left")
        return self.next if journey.status == "active" else STOP


class RecordEventNode(Node):
    """`record_event`: an event of this lead, seen by every campaign in the same record."""

    def __init__(self, step: Step) -> None:
        super().__init__(step)
        properties: dict[str, Any] = step.value.get("properties") or {}
        self.name = str(step.value["name"])
        self.values = {name: Value(written) for name, written in properties.items()}

    def take(self, turn: Turn, journey: Journey) -> Node | None:
        """A fact, counted, queued; not appended to the log."""
        properties = {name: value.of(turn, journey) for name, value in self.values.items()}
        turn.say(f.EventRecorded, journey, self.id, name=self.name, properties=properties)
        event = Entry(self.name, properties, {})
        meaning.count(turn, event, turn.now)
        occurrence = turn.happens(journey)
        occurrence.event = event
        occurrence.name = self.name
        meaning.describe(occurrence, event)
        return self.next
