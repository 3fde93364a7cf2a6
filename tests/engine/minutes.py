"""Local time by looking at every minute: an independent definition of the language's Time.

Only the conversion from UTC to local time is taken from `zoneinfo`; what a local time means the
other way round is found by scanning. Whole minutes; zones whose offsets are whole minutes.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from schemas.campaigns import When

DAY = 1440
ROOM_DAYS = 20  # how far the scan looks on


@lru_cache(maxsize=64)
def scan(zone: str, first_day: date) -> list[datetime]:
    """The naive local time of every minute from two days before `first_day` (UTC) on."""
    at = ZoneInfo(zone)
    begin = datetime(first_day.year, first_day.month, first_day.day, tzinfo=UTC)
    begin -= timedelta(days=3)
    return [
        (begin + timedelta(minutes=n)).astimezone(at).replace(tzinfo=None, fold=0)
        for n in range((ROOM_DAYS + 6) * DAY)
    ]


class Scan:
    """What local times mean around one day of one zone; instants are minutes of the scan."""

    def __init__(self, zone: str, first_day: date) -> None:
        self.local = scan(zone, first_day)
        self.dates = sorted({moment.date() for moment in self.local})
        self.first: dict[datetime, int] = {}
        self.last: dict[datetime, int] = {}
        for minute, moment in enumerate(self.local):
            self.first.setdefault(moment, minute)
            self.last[moment] = minute
        self.begin = datetime(first_day.year, first_day.month, first_day.day) - timedelta(days=3)

    def minute(self, utc: datetime) -> int:
        return (utc.replace(tzinfo=None) - self.begin) // timedelta(minutes=1)

    def utc(self, minute: int) -> datetime:
        return (self.begin + timedelta(minutes=minute)).replace(tzinfo=UTC)

    def resolved(self, moment: datetime, *, last: bool = False) -> int:
        """The minute of a local time; a skipped one moves forward by the gap."""
        found = (self.last if last else self.first).get(moment)
        if found is not None:
            return found
        for minute in range(1, len(self.local)):
            before, after = self.local[minute - 1], self.local[minute]
            if before < moment < after:
                gap = after - before - timedelta(minutes=1)
                return self.first[moment + gap]
        raise AssertionError(f"{moment} lies outside of the scan")

    def allowed(self, day: date, days: frozenset[int]) -> bool:
        return day in self.dates and (not days or day.weekday() in days)

    def window(self, day: date, start: int, end: int) -> tuple[int, int] | None:
        """The window that begins on this day, None where no minute of it exists."""
        if day not in self.dates:
            return None
        begin = midnight(day) + timedelta(minutes=start)
        finish = midnight(day) + timedelta(minutes=end if end > start else end + DAY)
        minutes = int((finish - begin) / timedelta(minutes=1))
        if not any(begin + timedelta(minutes=n) in self.first for n in range(minutes)):
            return None
        first, last = self.resolved(begin), self.resolved(finish, last=True)
        return (first, last) if first < last else None

    def schedule(self, start: int, when: When) -> int:
        """What `at` or `between`, then `on`, make of a minute."""
        today = self.dates.index(self.local[start].date())
        if when.at is not None:
            at = timedelta(minutes=when.at)
            return next(
                minute
                for day in self.dates[today:]
                if self.allowed(day, when.days)
                and (minute := self.resolved(midnight(day) + at)) >= start
            )
        if when.between is not None:
            return self._between(start, today, when.between.start, when.between.end, when.days)
        return self._on(start, self.local[start], self.local[start].date(), when.days, None)

    def _between(self, start: int, today: int, begin: int, end: int, days: frozenset[int]) -> int:
        for day in self.dates[today - 1 :]:
            window = self.window(day, begin, end)
            if window is not None and window[1] > start:
                found = max(start, window[0])
                return self._on(found, self.local[found], day, days, (begin, end))
        raise AssertionError("no window within the scan")

    def _on(
        self, found: int, moment: datetime, day: date, days: frozenset[int],
        window: tuple[int, int] | None,
    ) -> int:  # fmt: skip
        if not days or day.weekday() in days:
            return found
        for n in range(1, ROOM_DAYS):
            later = day + timedelta(days=n)
            if self.allowed(later, days) and (window is None or self.window(later, *window)):
                return self.resolved(moment + timedelta(days=n))
        raise AssertionError("no allowed day within the scan")


def midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day)
