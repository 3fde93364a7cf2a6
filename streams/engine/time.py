"""Time arithmetic of the language: zones, calendar steps, times of day, windows, weekdays.

Instants are UTC milliseconds. Zone data comes from the pinned `tzdata` package alone, so that two
machines never fold the same log differently (clarifications Q10). Source of the rules:
campaign-language, "Time".
"""

from __future__ import annotations

import zoneinfo
from calendar import monthrange
from datetime import UTC, date, datetime, timedelta, tzinfo
from functools import lru_cache

from schemas.campaigns import Duration, Instant, When, Window

zoneinfo.reset_tzpath(())

MINUTE_MS = 60_000
HOUR_MS = 60 * MINUTE_MS
DAY_MS = 24 * HOUR_MS
EARLIEST_MS = -62_000_000_000_000  # in the year 5: nothing is computed before it
LATEST_MS = 253_370_764_800_000  # 9999-01-01: nor behind it
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LOCAL_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001
_MS = timedelta(milliseconds=1)
_NONE = timedelta()
UTC_ZONE = zoneinfo.ZoneInfo("UTC")


@lru_cache(maxsize=2048)
def zone(name: str) -> zoneinfo.ZoneInfo | None:
    """The zone of an IANA name, or None when the name is not known."""
    try:
        return zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        return None


def known_zone(name: str) -> bool:
    """Whether lint accepts this name."""
    return zone(name) is not None


def local(ms: int, at: tzinfo) -> datetime:
    """The naive local time of an instant; beyond the calendar's range its edge."""
    since = min(max(ms, EARLIEST_MS), LATEST_MS) * _MS
    return _LOCAL_EPOCH + since + ((_EPOCH + since).astimezone(at).utcoffset() or _NONE)


def instant(moment: datetime, at: tzinfo, *, last: bool = False) -> int:
    """The instant of a naive local time.

    A time that the clock skips moves forward by the gap; one that comes twice means the first,
    or with `last` the second.
    """
    offset = at.utcoffset(moment) or _NONE
    if last:  # of a time that comes twice, the second has the smaller offset
        offset = min(offset, at.utcoffset(moment.replace(fold=1)) or _NONE)
    return (moment - _LOCAL_EPOCH - offset) // _MS


def _skipped(moment: datetime, at: tzinfo) -> bool:
    """Whether the clock skips this local time: it has then the offset from before the gap, or
    (fold=1) the larger one from behind it."""
    before, behind = at.utcoffset(moment), at.utcoffset(moment.replace(fold=1))
    return (before or _NONE) < (behind or _NONE)


def add(ms: int, duration: Duration, at: tzinfo) -> int:
    """The instant a duration later: calendar part in local time, then the exact part.

    A month that is too short clamps to its last day. Outside of the calendar it is `EARLIEST_MS`
    or `LATEST_MS`.
    """
    if duration.months or duration.days:
        try:
            ms = instant(_step(local(ms, at), duration.months, duration.days), at)
        except (OverflowError, ValueError):
            return EARLIEST_MS if duration.months < 0 or duration.days < 0 else LATEST_MS
    return min(max(ms + duration.ms, EARLIEST_MS), LATEST_MS)


def _step(moment: datetime, months: int, days: int) -> datetime:
    if months:
        index = moment.year * 12 + moment.month - 1 + months
        year, month = divmod(index, 12)
        day = min(moment.day, monthrange(year, month + 1)[1])
        moment = moment.replace(year=year, month=month + 1, day=day)
    return moment + timedelta(days=days)


def schedule(ms: int, when: When, at: tzinfo) -> int:
    """The first instant from `ms` on that `at` or `between`, then `on`, allow."""
    if ms >= LATEST_MS - 60 * DAY_MS:
        return LATEST_MS
    if when.at is not None:
        return _at_time(ms, when.at, when.days, at)
    if when.between is not None:
        return _in_window(ms, when.between, when.days, at)
    if when.days:
        return _on_day(ms, when.days, at)
    return ms


def _time_of_day(day: date, minutes: int) -> datetime:
    return datetime(day.year, day.month, day.day, minutes // 60, minutes % 60)  # noqa: DTZ001


def _at_time(ms: int, minutes: int, days: frozenset[int], at: tzinfo) -> int:
    day = local(ms, at).date()
    if instant(_time_of_day(day, minutes), at) < ms:
        day += timedelta(days=1)
    while days and not _allowed(day, days, at):
        day += timedelta(days=1)
    return instant(_time_of_day(day, minutes), at)


def _on_day(ms: int, days: frozenset[int], at: tzinfo) -> int:
    moment = local(ms, at)
    if moment.weekday() in days:
        return ms
    while not _allowed(moment.date(), days, at):
        moment += timedelta(days=1)
    return instant(moment, at)


def _allowed(day: date, days: frozenset[int], at: tzinfo) -> bool:
    """Whether `on` lets this day through. A date that the zone left out is none: in Apia no Friday
    was December 30, 2011."""
    if day.weekday() not in days:
        return False
    return not (_skipped(_time_of_day(day, 0), at) and _skipped(_time_of_day(day, 1439), at))


def _bounds(day: date, window: Window, at: tzinfo) -> tuple[int, int] | None:
    """The window that begins on this day as [start, end), None when it vanishes in a gap."""
    start = _time_of_day(day, window.start)
    end = _time_of_day(day, window.end)
    if window.end <= window.start:
        end += timedelta(days=1)
    if _skipped(start, at) and _skipped(end, at):
        return None
    first, last = instant(start, at), instant(end, at, last=True)
    return (first, last) if first < last else None


def _in_window(ms: int, window: Window, days: frozenset[int], at: tzinfo) -> int:
    """Inside: `ms` itself, else the next start; then whole days on until the window's day, the
    one it begins on, is allowed."""
    day = local(ms, at).date() - timedelta(days=1)
    bounds = _bounds(day, window, at)
    if bounds is None:  # where a date was left out, the window from before it may still be open
        day -= timedelta(days=1)
        bounds = _bounds(day, window, at)
    while bounds is None or bounds[1] <= ms:
        day += timedelta(days=1)
        bounds = _bounds(day, window, at)
    found = max(ms, bounds[0])
    if not days or day.weekday() in days:
        return found
    moment = local(found, at)
    while not _allowed(day, days, at) or _bounds(day, window, at) is None:
        day += timedelta(days=1)
        moment += timedelta(days=1)
    return instant(moment, at)


def resolve(date_: Instant, at: tzinfo) -> int | None:
    """The instant of a date of the language; without an offset it is local. None: no such date."""
    if date_.ms is not None:
        return date_.ms
    if date_.local is None:
        return None
    return parse(date_.local, at)


def parse(text: str, at: tzinfo) -> int | None:
    """The instant of an ISO 8601 date or date-time; without an offset local, a plain date being
    midnight. None when it is not one."""
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError:
        return None
    try:
        if moment.tzinfo is not None:
            return (moment - _EPOCH) // _MS
        return instant(moment.replace(microsecond=moment.microsecond // 1000 * 1000), at)
    except (OverflowError, ValueError):
        return None


def with_time_of_day(ms: int, minutes: int, at: tzinfo) -> int:
    """That instant's local date at this time of day (`wait_until … at`)."""
    return instant(_time_of_day(local(ms, at).date(), minutes), at)


def start_of_week(ms: int, at: tzinfo) -> int:
    """That instant's local time on the Monday of its week."""
    moment = local(ms, at)
    return instant(moment - timedelta(days=moment.weekday()), at)


def day_of_month(ms: int, day: int, at: tzinfo) -> int:
    """That instant's local time on a day of its month; the last one where the month is short."""
    moment = local(ms, at)
    last = monthrange(moment.year, moment.month)[1]
    return instant(moment.replace(day=max(1, min(day, last))), at)


def end_of_window(ms: int, window: Window, at: tzinfo) -> int:
    """When the window that holds `ms` ends; `ms` itself when none does."""
    today = local(ms, at).date()
    for day in (today - timedelta(days=1), today):
        bounds = _bounds(day, window, at)
        if bounds is not None and bounds[0] <= ms < bounds[1]:
            return bounds[1]
    return ms


def end_of_days(ms: int, days: frozenset[int], at: tzinfo) -> int:
    """The first instant from `ms` on that lies on none of these weekdays (not all seven)."""
    moment = local(ms, at)
    if moment.weekday() not in days or len(days) >= 7:
        return ms
    day = moment.date()
    while day.weekday() in days:
        day += timedelta(days=1)
    return instant(_time_of_day(day, 0), at)
