"""Entries by date: when a `date` or `date_field` trigger is due for one lead.

A date without an offset is local to the lead; one that is past when it is set gives no entry.
Source: campaign-language, Triggers.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from schemas.campaigns import Duration, Instant, Trigger, When
from streams.engine import time

if TYPE_CHECKING:
    from streams.engine.turn import Turn

DATED = ("date", "date_field")
_EVERY = re.compile(
    r"(day|week|month|year)(?: on (?:(mon|tue|wed|thu|fri|sat|sun)|([0-9]{1,2})))?"
    r"(?: at ([0-9]{2}):([0-9]{2}))?"
)
_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_STEPS = {
    "day": Duration(days=1), "week": Duration(days=7), "month": Duration(months=1),
    "year": Duration(months=12),
}  # fmt: skip
_ROUNDS = 5_000


class DatedEntry:
    """One `date` or `date_field` trigger of a plan."""

    def __init__(self, trigger: Trigger) -> None:
        self.key = trigger.path
        self.verb = trigger.verb
        options = trigger.options
        self.list = str(options.get("list", ""))
        self.field = trigger.names[0] if trigger.verb == "date_field" else ""
        self._date: Instant | None = options.get("date")
        self._offset: Duration = options.get("offset") or Duration()
        self._at: int | None = options.get("at")
        self._yearly = bool(options.get("yearly"))
        self._every: str | None = options.get("every")

    @property
    def repeats(self) -> bool:
        """Whether it comes again after it has fired."""
        return self._yearly or self._every is not None

    def depends_on(self, moved: set[str]) -> bool:
        """Whether one of these changes of the lead moves it."""
        return "timezone" in moved or self.field in moved or f"lists.{self.list}" in moved

    def due(self, turn: Turn, zone: ZoneInfo, after: int) -> int | None:
        """Its first time from `after` on, None when there is none (any more)."""
        if self.verb == "date":
            if self.list not in turn.lead.lists or self._date is None:
                return None
            first = time.resolve(self._date, zone)
            return self._next(first, zone, after) if first is not None else None
        value = turn.lead.traits.get(self.field)
        base = time.parse(value, zone) if isinstance(value, str) else None
        if base is None:
            return None
        years = range(_ROUNDS) if self._yearly else (0,)
        begin = max(0, (after - base) // (366 * time.DAY_MS) - 1) if self._yearly else 0
        for year in years:
            moment = time.add(base, Duration(months=12 * (year + begin)), zone)
            moment = time.add(moment, self._offset, zone)
            if self._at is not None:
                moment = time.with_time_of_day(moment, self._at, zone)
            if moment >= after:
                return moment
        return None

    def _next(self, first: int, zone: ZoneInfo, after: int) -> int | None:
        """The date itself, then each time its rhythm comes after it."""
        if first >= after:
            return first
        match = _EVERY.fullmatch(self._every or "")
        if match is None:
            return None
        unit, weekday, day, hour, minute = match.groups()
        when = When(
            at=int(hour) * 60 + int(minute) if hour else None,
            days=frozenset({_DAYS.index(weekday)}) if weekday else frozenset(),
        )
        at = first
        for n in range(_ROUNDS):
            step = _STEPS[unit]
            at = time.add(first, Duration(step.months * n, step.days * n), zone)
            if weekday:
                at = time.start_of_week(at, zone)
            elif day and unit == "month":
                at = time.day_of_month(at, int(day), zone)
            if when.at is not None:
                at = time.with_time_of_day(at, when.at, zone)
            at = time.schedule(at, When(days=when.days), zone)
            if at >= after and at > first:
                return at
        return None
