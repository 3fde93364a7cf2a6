"""How values are written in campaigns: durations, times of day, windows, days, dates, rates.

Each `parse_*` takes the text (or number) as YAML gave it and returns the value, or raises
`NotationError`, whose message says what to write instead. Source: campaign-language, "Time".
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from schemas.campaigns import Duration, Instant, Window

SECOND_MS: Final = 1_000
MINUTE_MS: Final = 60 * SECOND_MS
HOUR_MS: Final = 60 * MINUTE_MS
DAY_MS: Final = 24 * HOUR_MS

WEEKDAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
DAY_GROUPS: Final = {"weekdays": range(5), "weekends": range(5, 7)}

# What one unit adds: (months, days, ms).
_UNITS: Final = {
    "second": (0, 0, SECOND_MS),
    "minute": (0, 0, MINUTE_MS),
    "hour": (0, 0, HOUR_MS),
    "day": (0, 1, 0),
    "week": (0, 7, 0),
    "month": (1, 0, 0),
    "year": (12, 0, 0),
}
_PER_MS: Final = {"second": SECOND_MS, "minute": MINUTE_MS, "hour": HOUR_MS, "day": DAY_MS}
_LONGEST_DAYS: Final = 36_525  # a hundred years: beyond it nothing is meant

_NUMBER_UNIT = re.compile(r"([+-]?)([0-9]{1,12})\s*([A-Za-z]+)", re.ASCII)
_ISO = re.compile(
    r"([+-]?)P(?:([0-9]{1,9})Y)?(?:([0-9]{1,9})M)?(?:([0-9]{1,9})W)?(?:([0-9]{1,9})D)?"
    r"(T(?:([0-9]{1,12})H)?(?:([0-9]{1,12})M)?(?:([0-9]{1,12})S)?)?",
    re.ASCII,
)
_TIME = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])", re.ASCII)
_DATE = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}"
    r"(?:([T ])[0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]{1,9})?)?(Z|[+-][0-9]{2}:?[0-9]{2})?)?",
    re.ASCII,
)
_PERCENT = re.compile(r"([0-9]{1,3}(?:\.[0-9]{1,6})?)\s*%", re.ASCII)
_RATE = re.compile(r"([0-9]{1,9}) per (second|minute|hour|day)", re.ASCII)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

DURATION_HINT: Final = "write one number and unit, as `3 days` or `90 minutes`, or ISO 8601"


class NotationError(ValueError):
    """The text is not one; the message says what to write. `half` tells a window with one end."""

    def __init__(self, message: str, *, half: bool = False) -> None:
        super().__init__(message)
        self.half = half


def shown(value: Any) -> str:
    """A value as messages quote it, cut to a readable length."""
    text = value if isinstance(value, str) else repr_of(value)
    return f"`{text[:57]}…`" if len(text) > 60 else f"`{text}`"


def repr_of(value: Any) -> str:
    """A value in the words of YAML, without walking deep into it."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict):
        return "{…}" if value else "{}"
    if isinstance(value, list | tuple):
        return "[…]" if value else "[]"
    if isinstance(value, int) and abs(value) >= 1 << 63:
        return "a number beyond 64 bits"
    return str(value)


def parse_duration(value: Any, *, signed: bool = False) -> Duration:
    """`3 days`, `P1DT2H` or `0`; with `signed` also `-3 days`."""
    if not isinstance(value, bool) and isinstance(value, int) and value == 0:
        return Duration()
    if not isinstance(value, str):
        raise NotationError(f"{shown(value)} is not a duration: {DURATION_HINT}")
    text = value.strip()
    if text == "0":
        return Duration()
    months, days, ms, negative = _number_unit(text) or _iso(text) or _no_duration(text)
    if negative and not signed:
        raise NotationError(f"{shown(value)} is negative: a duration here goes forward")
    if abs(months) * 31 + abs(days) + abs(ms) // DAY_MS > _LONGEST_DAYS:
        raise NotationError(f"{shown(value)} is longer than a hundred years")
    sign = -1 if negative else 1
    return Duration(sign * months, sign * days, sign * ms)


def _number_unit(text: str) -> tuple[int, int, int, bool] | None:
    found = _NUMBER_UNIT.fullmatch(text)
    if found is None:
        return None
    sign, digits, unit = found.groups()
    scale = _UNITS.get(unit.removesuffix("s"))
    if scale is None or unit.endswith("ss"):
        raise NotationError(
            f"`{unit}` is no unit: use seconds, minutes, hours, days, weeks, months or years"
        )
    n = int(digits)
    return n * scale[0], n * scale[1], n * scale[2], sign == "-"


def _iso(text: str) -> tuple[int, int, int, bool] | None:
    found = _ISO.fullmatch(text)
    if found is None or text.endswith(("P", "T")):
        return None
    sign, years, months, weeks, days, _time, hours, minutes, seconds = (
        group or "0" for group in found.groups()
    )
    return (
        int(years) * 12 + int(months),
        int(weeks) * 7 + int(days),
        int(hours) * HOUR_MS + int(minutes) * MINUTE_MS + int(seconds) * SECOND_MS,
        sign == "-",
    )


def _no_duration(text: str) -> tuple[int, int, int, bool]:
    if re.fullmatch(r"[+-]?[0-9]+", text, re.ASCII):
        raise NotationError(f"`{text}` has no unit: {DURATION_HINT}")
    if re.match(r"[+-]?[0-9]*[.,][0-9]+", text, re.ASCII):
        raise NotationError(f"{shown(text)} has a fraction: use a smaller unit")
    raise NotationError(f"{shown(text)} is not a duration: {DURATION_HINT}")


def parse_time(value: Any) -> int:
    """`"09:00"` as minutes since midnight."""
    found = _TIME.fullmatch(value.strip()) if isinstance(value, str) else None
    if found is None:
        raise NotationError(f'{shown(value)} is not a time of day: write it as "09:00"')
    return int(found[1]) * 60 + int(found[2])


def parse_window(value: Any) -> Window:
    """`"08:00-10:00"`, start inclusive, end exclusive; `"22:00-06:00"` spans midnight."""
    hint = 'write start and end, as "08:00-10:00"'
    if isinstance(value, dict) and value:
        half = len(value) == 1
        raise NotationError(f"{shown(value)} is not a window: {hint}", half=half)
    if not isinstance(value, str):
        raise NotationError(f"{shown(value)} is not a window: {hint}")
    start, dash, end = (part.strip() for part in value.replace("–", "-").partition("-"))
    if not dash or not start or not end:
        known = [part for part in (start, end) if part]
        half = len(known) == 1 and _TIME.fullmatch(known[0]) is not None
        reason = "has only one end" if half else "is not a window"
        raise NotationError(f"{shown(value)} {reason}: {hint}", half=half)
    if end == "24:00":
        end = "00:00"
    try:
        return Window(parse_time(start), parse_time(end))
    except NotationError as error:
        raise NotationError(f"{error}; a window is {hint.removeprefix('write ')}") from None


def parse_days(value: Any) -> frozenset[int]:
    """`[mon, weekends]` or one name, as they stand; 0 is Monday."""
    names = value if isinstance(value, list) else [value]
    days: set[int] = set()
    for name in names:
        if isinstance(name, str) and name in DAY_GROUPS:
            days.update(DAY_GROUPS[name])
        elif isinstance(name, str) and name in WEEKDAYS:
            days.add(WEEKDAYS.index(name))
        else:
            raise NotationError(
                f"{shown(name)} is not a day: use {', '.join(WEEKDAYS)}, weekdays or weekends"
            )
    return frozenset(days)


def parse_instant(value: Any) -> Instant:
    """`2026-12-24`, `2026-12-24T09:00` (local) or with `Z` or an offset that very instant."""
    hint = "write a date as `2026-12-24` or `2026-12-24T09:00`, with `Z` or an offset if it is UTC"
    found = _DATE.fullmatch(value.strip()) if isinstance(value, str) else None
    if found is None:
        raise NotationError(f"{shown(value)} is not a date: {hint}")
    text = found[0]
    separator, offset = found.groups()
    try:
        moment = datetime.fromisoformat(text)
        if offset is not None:
            return Instant(ms=(moment - _EPOCH) // timedelta(milliseconds=1))
    except (ValueError, OverflowError) as error:
        raise NotationError(f"{shown(value)} is not a date of the calendar ({error})") from None
    moment = moment.replace(microsecond=moment.microsecond // 1000 * 1000)
    return Instant(local=moment.isoformat(), plain_date=separator is None)


def parse_percent(value: Any) -> float:
    """`10%` as 0.1; from 0 to 100."""
    found = _PERCENT.fullmatch(value.strip()) if isinstance(value, str) else None
    share = float(found[1]) / 100 if found else -1.0
    if not 0 <= share <= 1:
        raise NotationError(f"{shown(value)} is not a share: write it as `10%`, 0% to 100%")
    return share


def parse_rate(value: Any) -> tuple[int, int]:
    """`600 per minute` as (number, per so many ms)."""
    found = _RATE.fullmatch(" ".join(value.split())) if isinstance(value, str) else None
    number = int(found[1]) if found else 0
    if found is None or number == 0:
        raise NotationError(
            f"{shown(value)} is not a rate: write it as `600 per minute` "
            "(second, minute, hour or day), at least 1"
        )
    return number, _PER_MS[found[2]]
