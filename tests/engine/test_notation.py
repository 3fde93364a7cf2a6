"""How durations, times, windows, days, dates and rates are written (campaign-language, Time)."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.campaigns import Duration, Instant, Window
from streams.engine.notation import (
    NotationError,
    parse_days,
    parse_duration,
    parse_instant,
    parse_percent,
    parse_rate,
    parse_time,
    parse_window,
    shown,
)

MINUTE = 60_000
HOUR = 60 * MINUTE
PARSERS: list[Callable[[Any], Any]] = [
    parse_duration, parse_time, parse_window, parse_days, parse_instant, parse_percent, parse_rate,
]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("90 minutes", Duration(ms=90 * MINUTE)),
        ("1 minute", Duration(ms=MINUTE)),
        ("1 minutes", Duration(ms=MINUTE)),
        ("10 seconds", Duration(ms=10_000)),
        ("2 hours", Duration(ms=2 * HOUR)),
        ("3 days", Duration(days=3)),
        ("3days", Duration(days=3)),
        ("2 weeks", Duration(days=14)),
        ("1 month", Duration(months=1)),
        ("1 year", Duration(months=12)),
        ("P1DT2H", Duration(days=1, ms=2 * HOUR)),
        ("P1Y2M3W4DT5H6M7S", Duration(14, 25, 5 * HOUR + 6 * MINUTE + 7_000)),
        ("PT36H", Duration(ms=36 * HOUR)),
        ("P2W", Duration(days=14)),
        ("0", Duration()),
        (0, Duration()),
        ("0 days", Duration()),
        (" 3 days ", Duration(days=3)),
    ],
)
def test_duration(text: str | int, expected: Duration) -> None:
    assert parse_duration(text) == expected


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("3", "no unit"),
        (3, "unit"),
        ("1.5 days", "fraction"),
        ("P1.5D", "not a duration"),
        ("P", "not a duration"),
        ("P1DT", "not a duration"),
        ("3 fortnights", "`fortnights`"),
        ("3 dayss", "`dayss`"),
        ("1 day 2 hours", "not a duration"),
        ("-3 days", "forward"),
        ("101 years", "hundred years"),
        ("999999999999 minutes", "hundred years"),
        ("soon", "not a duration"),
        ("", "not a duration"),
        (True, "true"),
        (None, "null"),
        ([], "[]"),
        (10**30, "beyond 64 bits"),
        ("٣ days", "not a duration"),
    ],
)
def test_no_duration(text: Any, says: str) -> None:
    with pytest.raises(NotationError, match=says.replace("[]", r"\[\]")):
        parse_duration(text)


def test_an_offset_may_be_negative() -> None:
    assert parse_duration("-3 days", signed=True) == Duration(days=-3)
    assert parse_duration("-P1MT1H", signed=True) == Duration(months=-1, ms=-HOUR)
    assert parse_duration("+3 days", signed=True) == Duration(days=3)


def test_time_and_window() -> None:
    assert parse_time("09:05") == 545
    assert parse_time("00:00") == 0
    assert parse_window("08:00-10:00") == Window(480, 600)
    assert parse_window("22:00 - 06:00") == Window(1320, 360)
    assert parse_window("08:00–10:00") == Window(480, 600)
    assert parse_window("20:00-24:00") == Window(1200, 0)


@pytest.mark.parametrize("value", ["9:00", "24:00", "09:60", "0900", 540, 9.5, None, "", []])
def test_no_time(value: Any) -> None:
    with pytest.raises(NotationError, match="09:00"):
        parse_time(value)


@pytest.mark.parametrize(
    ("value", "half"),
    [
        ("08:00-", True), ("-10:00", True), ("08:00", True), ({"from": "08:00"}, True),
        ("8-10", False), ("25:00-26:00", False), ("", False), ("-", False), (8, False),
        ({"from": "08:00", "until": "09:00"}, False), ("morning", False),
    ],
)  # fmt: skip
def test_no_window(value: Any, half: bool) -> None:
    with pytest.raises(NotationError) as caught:
        parse_window(value)
    assert caught.value.half is half
    assert "08:00-10:00" in str(caught.value)


def test_days() -> None:
    assert parse_days(["mon", "sun"]) == {0, 6}
    assert parse_days("weekdays") == {0, 1, 2, 3, 4}
    assert parse_days(["weekends", "mon", "mon"]) == {0, 5, 6}
    assert parse_days([]) == frozenset()
    for bad in ("Monday", "MON", 1, None, ["mon", None], [["mon"]]):
        with pytest.raises(NotationError, match="weekends"):
            parse_days(bad)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-12-24", Instant(local="2026-12-24T00:00:00", plain_date=True)),
        ("2026-12-24T09:00", Instant(local="2026-12-24T09:00:00")),
        ("2026-12-24 09:00", Instant(local="2026-12-24T09:00:00")),
        ("2026-12-24T09:00:01.5", Instant(local="2026-12-24T09:00:01.500000")),
        ("2026-01-09T09:00:00Z", Instant(ms=1_767_949_200_000)),
        ("2026-01-09T10:00+01:00", Instant(ms=1_767_949_200_000)),
        ("2026-01-09T09:00:00.0019Z", Instant(ms=1_767_949_200_001)),
    ],
)
def test_instant(text: str, expected: Instant) -> None:
    assert parse_instant(text) == expected


@pytest.mark.parametrize(
    "value",
    ["2026-02-30", "24.12.2026", "2026-12-24T25:00", "20261224", "2026-W01", "", 2026, None],
)
def test_no_instant(value: Any) -> None:
    with pytest.raises(NotationError, match="date"):
        parse_instant(value)


def test_percent_and_rate() -> None:
    assert parse_percent("10%") == 0.1
    assert parse_percent("0.5 %") == 0.005
    assert parse_percent("100%") == 1
    assert parse_rate("600 per minute") == (600, MINUTE)
    assert parse_rate("5000  per hour") == (5000, HOUR)
    for bad in ("101%", "10", 0.1, "-1%", None, "10 %%"):
        with pytest.raises(NotationError, match="10%"):
            parse_percent(bad)
    for bad in ("0 per minute", "600/min", "600 per minutes", 600, "1.5 per hour"):
        with pytest.raises(NotationError, match="600 per minute"):
            parse_rate(bad)


ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(value=ANY, parser=st.sampled_from(PARSERS))
def test_every_other_value_is_refused_with_a_message(
    value: Any, parser: Callable[[Any], Any]
) -> None:
    problem = ""
    try:
        parser(value)
    except NotationError as error:
        problem = str(error)
    assert problem == "" or len(problem) > 10
    assert len(shown(value)) <= 62
