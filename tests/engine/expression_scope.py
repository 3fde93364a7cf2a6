"""A scope made by hand for tests of expressions."""

from __future__ import annotations

from typing import Any
from zoneinfo import ZoneInfo

from schemas.state import Entry, Journey, Lead
from streams.engine.expressions import CounterSpec, compile_expression

NOW = 1_767_949_200_000  # Friday, 2026-01-09T09:00:00Z


class HandMadeScope:
    """Every part can be given; `mismatches` counts."""

    def __init__(
        self,
        lead: Lead | None = None,
        event: Entry | None = None,
        entry: Entry | None = None,
        journey: Journey | None = None,
        now: int = NOW,
        zone: str = "UTC",
        counts: dict[str, int] | None = None,
    ) -> None:
        self.lead = lead or Lead()
        self.event = event
        self.entry = entry
        self.journey = journey
        self.now = now
        self.zone = ZoneInfo(zone)
        self.counts = counts or {}
        self.mismatches = 0

    def times(self, counter: CounterSpec) -> int:
        return self.counts.get(counter.key, 0)

    def in_campaign(self, campaign: str) -> bool:
        return campaign == "inside"

    def completed_campaign(self, campaign: str) -> bool:
        return campaign == "done"

    def mismatch(self) -> None:
        self.mismatches += 1


def value(text: str, scope: HandMadeScope | None = None, **traits: Any) -> Any:
    """The value of an expression for a lead with these traits."""
    scope = scope or HandMadeScope()
    scope.lead.traits = {**scope.lead.traits, **traits}
    return compile_expression(text).value(scope)
