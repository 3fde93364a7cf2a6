"""Segment-shaped JSON lines as events to post."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Any

import orjson

from app.access_log import Counts

KINDS = ("track", "page", "screen", "identify", "alias", "group")


def events(
    lines: Iterable[str], counts: Counts, *, historical: bool
) -> Iterator[tuple[int, dict[str, Any]]]:
    """Each line's event and when it happened (ms; that of the line before where it has no time).

    Left out: `empty` lines, `unreadable` ones (no JSON object, no known type).
    """
    happened_ms = 0
    for number, line in enumerate(lines, start=1):
        counts.lines = number
        if not line.strip():
            counts.left_out["empty"] += 1
            continue
        event = _event(line)
        if event is None:
            counts.left_out["unreadable"] += 1
            continue
        counts.read += 1
        at = _ms(event.get("timestamp"))
        counts.out_of_order += at is not None and at < happened_ms
        happened_ms = happened_ms if at is None else at
        yield happened_ms, event | {"historical": True} if historical else event


def _event(line: str) -> dict[str, Any] | None:
    try:
        event = orjson.loads(line)
    except orjson.JSONDecodeError:
        return None
    if not isinstance(event, dict) or event.get("type") not in KINDS:
        return None
    return event


def _ms(text: object) -> int | None:
    if not isinstance(text, str):
        return None
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        return None
    return int((at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp() * 1000)
