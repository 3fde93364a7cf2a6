"""What expressions are evaluated against."""

from __future__ import annotations

from typing import Any, Protocol
from zoneinfo import ZoneInfo

from msgspec import Struct

from schemas.campaigns import Duration
from schemas.state import Journey, Lead


class EventView(Protocol):
    """An event as expressions see it."""

    @property
    def name(self) -> str: ...
    @property
    def properties(self) -> dict[str, Any]: ...
    @property
    def context(self) -> dict[str, Any]: ...


class CounterSpec(Struct, frozen=True):
    """What one `times(…)` counts. `filter` is the third argument, an expression over `event.*`,
    None without one; `key` is the same text for the same counter, in every version."""

    event: str
    period: Duration
    filter: str | None
    key: str


class Scope(Protocol):
    """What an expression is evaluated against; the engine supplies it. `now` is UTC ms."""

    @property
    def lead(self) -> Lead: ...
    @property
    def event(self) -> EventView | None: ...
    @property
    def entry(self) -> EventView | None: ...
    @property
    def journey(self) -> Journey | None: ...
    @property
    def now(self) -> int: ...
    @property
    def zone(self) -> ZoneInfo: ...

    def times(self, counter: CounterSpec) -> int:
        """How often that event came within its period, the one at hand included."""

    def in_campaign(self, campaign: str) -> bool:
        """Whether the lead is in that campaign."""

    def completed_campaign(self, campaign: str) -> bool:
        """Whether the lead has ever completed that campaign."""

    def mismatch(self) -> None:
        """Count a type mismatch."""
