"""`at`, `between` and `on` in every combination, against a scan of every minute."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from schemas.campaigns import When, Window
from streams.engine import time
from tests.engine.minutes import Scan

MON, TUE, WED, THU, FRI, SAT, SUN = range(7)
MINUTE = 60_000

# Zones and days at which the clock does something.
PLACES = [
    ("UTC", date(2026, 2, 26)),
    ("Europe/Berlin", date(2026, 3, 27)),  # 02:00 to 03:00
    ("Europe/Berlin", date(2026, 10, 23)),  # 03:00 back to 02:00
    ("America/New_York", date(2026, 11, 1)),
    ("Australia/Lord_Howe", date(2026, 10, 3)),  # half an hour forward
    ("Australia/Lord_Howe", date(2026, 4, 4)),  # half an hour back
    ("Asia/Beirut", date(2026, 3, 28)),  # 00:00 to 01:00
    ("America/Havana", date(2026, 10, 31)),  # 01:00 back to 00:00
    ("America/Nuuk", date(2026, 3, 27)),  # 23:00 to 00:00 of the next day
    ("Asia/Kathmandu", date(2026, 1, 1)),
    ("Pacific/Apia", date(2011, 12, 28)),  # no December 30
    ("Pacific/Kwajalein", date(1993, 8, 20)),  # no August 21
    ("Antarctica/Troll", date(2026, 3, 28)),  # two hours forward
]
SCANS = {place: Scan(*place) for place in PLACES}

times_of_day = st.integers(0, 1439)
days = st.frozensets(st.integers(0, 6), max_size=7)
windows = st.builds(Window, times_of_day, times_of_day)
whens = st.one_of(
    st.builds(When, at=times_of_day, days=days),
    st.builds(When, between=windows, days=days),
    st.builds(When, days=days),
)


def ms_of(moment: datetime) -> int:
    return (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)


def scheduled(zone: str, start: datetime, when: When) -> datetime:
    at = time.zone(zone)
    assert at is not None
    ms = time.schedule(ms_of(start), when, at)
    return datetime.fromtimestamp(ms / 1000, UTC)


@settings(max_examples=1500)
@given(
    place=st.sampled_from(PLACES),
    start=st.integers(0, 4 * 1440 - 1),
    when=whens,
    rest=st.sampled_from([0, 0, 1, 30_000, 59_999]),
)
@example(PLACES[10], 1440 + 900, When(at=540, days=frozenset({FRI})), 0)
@example(PLACES[10], 2 * 1440 - 700, When(between=Window(1320, 360)), 0)
@example(PLACES[1], 2 * 1440, When(between=Window(135, 165), days=frozenset({SUN})), 0)
def test_as_a_scan_of_every_minute_finds(
    place: tuple[str, date], start: int, when: When, rest: int
) -> None:
    look = SCANS[place]
    begin = look.utc(look.minute(datetime(place[1].year, place[1].month, place[1].day)) + start)
    minute = look.minute(begin)
    expected = ms_of(look.utc(found_from(look, minute, when, rest)))
    if expected == ms_of(begin) or not moved_to_a_start(look, minute, when, rest):
        expected += rest
    at = time.zone(place[0])
    assert at is not None
    assert time.schedule(ms_of(begin) + rest, when, at) == expected


def found_from(look: Scan, minute: int, when: When, rest: int) -> int:
    """The scan knows whole minutes: what is a moment past one is past it for `at`."""
    found = look.schedule(minute, when)
    if when.at is not None and found == minute and rest:
        return look.schedule(minute + 1, when)
    return found


def moved_to_a_start(look: Scan, minute: int, when: When, rest: int) -> bool:
    """Whether the answer is a time that was written, not a moment that was kept."""
    if when.at is not None:
        return True
    if when.between is None:
        return False
    without_days = look.schedule(minute, When(between=when.between))
    return without_days != minute


@pytest.mark.parametrize(
    ("start", "when", "found"),
    [
        # at: today if not yet past, equal counts
        ("2026-01-05T08:59", When(at=540), "2026-01-05T09:00"),
        ("2026-01-05T09:00", When(at=540), "2026-01-05T09:00"),
        ("2026-01-05T09:01", When(at=540), "2026-01-06T09:00"),
        # on: whole days on, the time of day stays
        ("2026-01-05T13:30", When(days=frozenset({WED})), "2026-01-07T13:30"),
        ("2026-01-05T13:30", When(days=frozenset({MON})), "2026-01-05T13:30"),
        ("2026-01-05T13:30", When(days=frozenset()), "2026-01-05T13:30"),
        ("2026-01-05T13:30", When(days=frozenset(range(7))), "2026-01-05T13:30"),
        ("2026-01-05T13:30", When(at=540, days=frozenset({MON})), "2026-01-12T09:00"),
        # between: start inclusive, end exclusive
        ("2026-01-05T07:59", When(between=Window(480, 600)), "2026-01-05T08:00"),
        ("2026-01-05T08:00", When(between=Window(480, 600)), "2026-01-05T08:00"),
        ("2026-01-05T09:59", When(between=Window(480, 600)), "2026-01-05T09:59"),
        ("2026-01-05T10:00", When(between=Window(480, 600)), "2026-01-06T08:00"),
        # over midnight; its day is the one it begins on
        ("2026-01-05T03:00", When(between=Window(1320, 360)), "2026-01-05T03:00"),
        ("2026-01-05T06:00", When(between=Window(1320, 360)), "2026-01-05T22:00"),
        ("2026-01-05T03:00", When(between=Window(1320, 360), days=frozenset({SUN})),
         "2026-01-05T03:00"),
        ("2026-01-05T03:00", When(between=Window(1320, 360), days=frozenset({MON})),
         "2026-01-06T03:00"),
        ("2026-01-05T12:00", When(between=Window(1320, 360), days=frozenset({TUE})),
         "2026-01-06T22:00"),
        # a window of a whole day is always open
        ("2026-01-05T03:00", When(between=Window(480, 480)), "2026-01-05T03:00"),
        ("2026-02-28T23:59", When(at=0), "2026-03-01T00:00"),
        ("2028-02-28T10:00", When(at=540), "2028-02-29T09:00"),
        ("2026-12-31T10:00", When(at=540), "2027-01-01T09:00"),
    ],
)  # fmt: skip
def test_in_utc(start: str, when: When, found: str) -> None:
    moment = datetime.fromisoformat(start).replace(tzinfo=UTC)
    assert scheduled("UTC", moment, when) == datetime.fromisoformat(found).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("zone", "start", "when", "found"),
    [
        # a skipped time moves forward by the gap
        ("Europe/Berlin", "2026-03-28T12:00+01:00", When(at=150), "2026-03-29T03:30+02:00"),
        ("Australia/Lord_Howe", "2026-10-03T12:00+10:30", When(at=135), "2026-10-04T02:45+11:00"),
        # one that comes twice means the first, and is past behind it
        ("Europe/Berlin", "2026-10-24T12:00+02:00", When(at=150), "2026-10-25T02:30+02:00"),
        ("Europe/Berlin", "2026-10-25T02:45+02:00", When(at=150), "2026-10-26T02:30+01:00"),
        # a window that vanishes is skipped that day
        ("Europe/Berlin", "2026-03-28T12:00+01:00", When(between=Window(120, 180)),
         "2026-03-30T02:00+02:00"),
        ("Europe/Berlin", "2026-03-28T12:00+01:00", When(between=Window(135, 165)),
         "2026-03-30T02:15+02:00"),
        ("Australia/Lord_Howe", "2026-10-03T12:00+10:30", When(between=Window(120, 150)),
         "2026-10-05T02:00+11:00"),
        # one in the overlap is open from its first start to its last end
        ("Europe/Berlin", "2026-10-25T02:20+01:00", When(between=Window(120, 150)),
         "2026-10-25T02:20+01:00"),
        ("Europe/Berlin", "2026-10-25T02:50+02:00", When(between=Window(120, 150)),
         "2026-10-25T02:50+02:00"),
        ("Europe/Berlin", "2026-10-25T02:30+01:00", When(between=Window(120, 150)),
         "2026-10-26T02:00+01:00"),
        # Apia had no Friday, December 30
        ("Pacific/Apia", "2011-12-29T10:00-10:00", When(at=540), "2011-12-31T09:00+14:00"),
        ("Pacific/Apia", "2011-12-29T10:00-10:00", When(days=frozenset({FRI})),
         "2012-01-06T10:00+14:00"),
        ("Pacific/Apia", "2011-12-29T10:00-10:00", When(at=540, days=frozenset({FRI})),
         "2012-01-06T09:00+14:00"),
        ("Pacific/Apia", "2011-12-29T12:00-10:00", When(between=Window(480, 600)),
         "2011-12-31T08:00+14:00"),
        ("Pacific/Apia", "2011-12-31T03:00+14:00", When(between=Window(1320, 360)),
         "2011-12-31T03:00+14:00"),
        ("Pacific/Apia", "2011-12-29T21:30-10:00",
         When(between=Window(480, 1260), days=frozenset({FRI})), "2012-01-06T08:00+14:00"),
    ],
)  # fmt: skip
def test_where_the_clock_jumps(zone: str, start: str, when: When, found: str) -> None:
    assert scheduled(zone, datetime.fromisoformat(start), when) == datetime.fromisoformat(found)


def test_nothing_is_scheduled_beyond_the_calendar() -> None:
    for when in (When(at=540), When(between=Window(60, 61)), When(days=frozenset({MON}))):
        assert time.schedule(time.LATEST_MS, when, time.UTC_ZONE) == time.LATEST_MS
        assert time.schedule(time.LATEST_MS * 20, when, time.UTC_ZONE) == time.LATEST_MS
