"""Values as a scenario writes them: the error that names a place, instants, known keys."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from schemas.errors import UsageError

_ISO = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d(:\d\d([.]\d{1,3})?)?([Zz]|[+-]\d\d:?\d\d)")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class ScenarioError(UsageError):
    """The scenario cannot be run as it is written; the message names the place, as `when[2].at`."""

    def __init__(self, path: str, message: str) -> None:
        super().__init__(f"{path}: {message}")


def instant(value: Any, path: str) -> int:
    """UTC milliseconds of an ISO 8601 time with a zone; anything else is a `ScenarioError`."""
    if isinstance(value, str) and _ISO.fullmatch(value):
        try:
            return (datetime.fromisoformat(value.upper()) - _EPOCH) // timedelta(milliseconds=1)
        except ValueError:
            pass
    raise ScenarioError(
        path, f"{value!r} is not a time with a zone; write it as 2026-01-05T10:00:00Z"
    )


def only(row: Mapping[str, Any], allowed: Collection[str], path: str) -> None:
    """Refuse a key that the format does not have."""
    for key in row:
        if key not in allowed:
            place = f"{path}.{key}" if path else str(key)
            raise ScenarioError(place, f"unknown key; possible are {', '.join(sorted(allowed))}")


def lead_of(row: Mapping[str, Any], path: str) -> str:
    """The lead that a row names."""
    lead = row.get("lead")
    if not isinstance(lead, str) or not lead:
        raise ScenarioError(f"{path}.lead", "the lead's id is missing, or is not text")
    return lead
