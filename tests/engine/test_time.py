"""Zones, calendar steps and dates (campaign-language, Time)."""

from __future__ import annotations

from calendar import monthrange
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.campaigns import Duration, Instant
from streams.engine import time
from tests.engine.minutes import Scan
from tests.engine.test_schedule import PLACES, SCANS, ms_of

ZONES = [
    "UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe",
    "Pacific/Apia", "America/Sao_Paulo", "Africa/Casablanca", "Pacific/Kiritimati",
]  # fmt: skip
instants = st.integers(0, 4_102_444_800_000)  # 1970 to 2100


def ms(text: str) -> int:
    return ms_of(datetime.fromisoformat(text))


def zone(name: str):  # type: ignore[no-untyped-def]
    found = time.zone(name)
    assert found is not None
    return found


def after(start: str, duration: Duration, name: str) -> datetime:
    added = time.add(ms(start), duration, zone(name))
    return datetime.fromtimestamp(added / 1000, UTC)


@pytest.mark.parametrize(
    ("start", "duration", "name", "end"),
    [
        ("2026-01-31T10:00+00:00", Duration(months=1), "UTC", "2026-02-28T10:00+00:00"),
        ("2028-01-31T10:00+00:00", Duration(months=1), "UTC", "2028-02-29T10:00+00:00"),
        ("2028-02-29T10:00+00:00", Duration(months=12), "UTC", "2029-02-28T10:00+00:00"),
        ("2028-02-29T10:00+00:00", Duration(months=48), "UTC", "2032-02-29T10:00+00:00"),
        ("2026-11-30T10:00+00:00", Duration(months=3), "UTC", "2027-02-28T10:00+00:00"),
        ("2026-03-31T10:00+00:00", Duration(months=-1), "UTC", "2026-02-28T10:00+00:00"),
        ("2026-01-01T10:00+00:00", Duration(months=-13), "UTC", "2024-12-01T10:00+00:00"),
        # the same local time a day later is 23 or 25 hours away
        ("2026-03-28T12:00+01:00", Duration(days=1), "Europe/Berlin", "2026-03-29T12:00+02:00"),
        ("2026-10-24T12:00+02:00", Duration(days=1), "Europe/Berlin", "2026-10-25T12:00+01:00"),
        ("2026-03-28T12:00+01:00", Duration(ms=86_400_000), "Europe/Berlin",
         "2026-03-29T13:00+02:00"),
        # the calendar part first, then the exact part
        ("2026-03-28T01:30+01:00", Duration(days=1, ms=3_600_000), "Europe/Berlin",
         "2026-03-29T03:30+02:00"),
        ("2026-03-28T02:30+01:00", Duration(days=1, ms=3_600_000), "Europe/Berlin",
         "2026-03-29T04:30+02:00"),
        # a skipped time moves by the gap, here half an hour
        ("2026-10-03T02:15+10:30", Duration(days=1), "Australia/Lord_Howe",
         "2026-10-04T02:45+11:00"),
        # one that comes twice means the first, also from its second time
        ("2026-10-24T02:30+02:00", Duration(days=1), "Europe/Berlin", "2026-10-25T02:30+02:00"),
        ("2026-10-25T02:30+01:00", Duration(days=1), "Europe/Berlin", "2026-10-26T02:30+01:00"),
        # December 30, 2011 was no day in Apia
        ("2011-12-29T10:00-10:00", Duration(days=1), "Pacific/Apia", "2011-12-31T10:00+14:00"),
        ("2011-12-29T10:00-10:00", Duration(days=2), "Pacific/Apia", "2011-12-31T10:00+14:00"),
    ],
)  # fmt: skip
def test_durations(start: str, duration: Duration, name: str, end: str) -> None:
    assert after(start, duration, name) == datetime.fromisoformat(end)


@given(instants, st.integers(0, 400), st.integers(0, 400), st.sampled_from(ZONES))
def test_a_calendar_step_keeps_the_local_time(
    start: int, months: int, days: int, name: str
) -> None:
    at = zone(name)
    here = time.local(start, at)
    number = here.year * 12 + here.month - 1 + months
    year, month = number // 12, number % 12 + 1
    wanted = here.replace(year=year, month=month, day=min(here.day, monthrange(year, month)[1]))
    wanted += timedelta(days=days)
    if not months and not days:
        wanted = here
    there = time.local(time.add(start, Duration(months, days), at), at)
    assert there - wanted in (
        timedelta(0), timedelta(minutes=30), timedelta(hours=1), timedelta(days=1),
    )  # fmt: skip
    if there != wanted:  # the clock skipped it
        aware = wanted.replace(tzinfo=at)
        assert aware.astimezone(UTC).astimezone(at).replace(tzinfo=None) != wanted


@given(instants, st.integers(-(10**12), 10**12), st.sampled_from(ZONES))
def test_exact_parts_are_exact(start: int, exact: int, name: str) -> None:
    assert time.add(start, Duration(ms=exact), zone(name)) == start + exact


@given(st.sampled_from(PLACES), st.integers(0, 4 * 1440 - 1), st.booleans())
def test_a_local_time_as_a_scan_finds_it(place: tuple[str, object], n: int, last: bool) -> None:
    look: Scan = SCANS[place]  # type: ignore[index]
    moment = look.begin + timedelta(days=2, minutes=n)
    found = time.instant(moment, zone(place[0]), last=last)
    assert found == ms_of(look.utc(look.resolved(moment, last=last)))


@given(st.integers(-(2**70), 2**70), st.sampled_from(ZONES))
def test_local_never_fails(odd: int, name: str) -> None:
    at = zone(name)
    moment = time.local(odd, at)
    assert 4 <= moment.year <= 9999
    assert time.add(odd, Duration(1, 1, 1), at) <= time.LATEST_MS
    assert time.with_time_of_day(odd, 600, at) <= time.LATEST_MS + 2 * time.DAY_MS


def test_steps_out_of_the_calendar_end_at_its_edge() -> None:
    century = Duration(months=1200, days=36525)
    assert time.add(time.LATEST_MS, century, time.UTC_ZONE) == time.LATEST_MS
    assert time.add(ms("9990-01-01T00:00+00:00"), century, zone("Asia/Tokyo")) == time.LATEST_MS
    back = Duration(months=-1200, days=-36525)
    assert time.add(ms("0030-01-01T00:00+00:00"), back, zone("Asia/Tokyo")) == time.EARLIEST_MS
    assert time.add(-(2**63), Duration(ms=-1), time.UTC_ZONE) == time.EARLIEST_MS


@pytest.mark.parametrize(
    ("text", "name", "instant"),
    [
        ("2026-12-24", "Europe/Berlin", "2026-12-24T00:00+01:00"),
        ("2026-12-24T09:00", "Europe/Berlin", "2026-12-24T09:00+01:00"),
        ("2026-12-24 09:00:30", "Asia/Tokyo", "2026-12-24T09:00:30+09:00"),
        ("2026-12-24T09:00Z", "Europe/Berlin", "2026-12-24T09:00+00:00"),
        ("2026-12-24T09:00+05:30", "Europe/Berlin", "2026-12-24T09:00+05:30"),
        (" 2026-12-24T09:00:00.123456789Z ", "UTC", "2026-12-24T09:00:00.123+00:00"),
        ("2026-12-24T09:00:00.1239", "UTC", "2026-12-24T09:00:00.123+00:00"),
        # midnight that the clock skips
        ("2026-03-29", "Asia/Beirut", "2026-03-29T01:00+03:00"),
        ("2011-12-30", "Pacific/Apia", "2011-12-31T00:00+14:00"),
    ],
)
def test_dates(text: str, name: str, instant: str) -> None:
    assert time.parse(text, zone(name)) == ms(instant)


@pytest.mark.parametrize(
    "text",
    ["", "soon", "2026", "2026-02-29", "2026-13-01", "24:00", "2026-12-24T25:00", "1735689600",
     "2026-12-24T09:00+99:00", "\ud800", "2026-12-24\0", "١٢٣٤-01-01", "NaN", "-0001-01-01"],
)  # fmt: skip
def test_what_is_no_date(text: str) -> None:
    assert time.parse(text, time.UTC_ZONE) is None


@given(
    st.sampled_from(["0001-01-01", "0001-01-01T00:00", "9999-12-31", "9999-12-31T23:59:59.999"]),
    st.sampled_from(["", "Z", "+14:00", "-12:00", "+23:59", "-23:59"]),
    st.sampled_from(ZONES),
    st.integers(-1200, 1200),
    st.integers(0, 1439),
)
def test_the_edges_of_the_calendar_never_fail(
    text: str, offset: str, name: str, months: int, minutes: int
) -> None:
    at = zone(name)
    found = time.parse(text + offset if "T" in text else text, at)
    assert found is not None
    moved = time.add(found, Duration(months, months, months), at)
    assert time.EARLIEST_MS <= moved <= time.LATEST_MS
    assert time.with_time_of_day(moved, minutes, at) is not None


@given(st.text())
def test_parse_never_fails(text: str) -> None:
    found = time.parse(text, zone("Europe/Berlin"))
    assert found is None or isinstance(found, int)


@given(st.one_of(st.text(), st.from_regex(r"[A-Za-z._/]{0,20}", fullmatch=True)))
def test_zone_never_fails(name: str) -> None:
    found = time.zone(name)
    assert found is None or found.key == name
    assert time.known_zone(name) is (found is not None)


@pytest.mark.parametrize("name", ["", "/", "..", "Europe", "zone.tab", "\0", "x" * 9_000, "a..b/c"])
def test_what_is_no_zone(name: str) -> None:
    assert time.zone(name) is None


def test_zones_come_from_the_pinned_package_alone() -> None:
    import zoneinfo

    assert zoneinfo.TZPATH == ()


def test_a_date_with_an_offset_is_that_instant_and_one_without_is_local() -> None:
    berlin = zone("Europe/Berlin")
    assert time.resolve(Instant(ms=5), berlin) == 5
    assert time.resolve(Instant(local="2026-12-24T09:00"), berlin) == ms("2026-12-24T08:00+00:00")
    assert time.resolve(Instant(), berlin) is None
    assert time.with_time_of_day(ms("2026-12-24T23:30+00:00"), 60, berlin) == ms(
        "2026-12-25T00:00+00:00"
    )
