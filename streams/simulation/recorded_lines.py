"""Lines of recorded interactions: Segment-shaped events, and leads as they were before.

The other input of `simulate`, an exported log, has its own form (`schemas.exports`).
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Literal

import msgspec
from msgspec import Raw, Struct

from schemas.errors import UsageError
from schemas.ids import lead_id_problem, record_id
from schemas.records import NO_JSON, Interaction
from streams.simulation.given import Given

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class _Line(Struct):
    type: Literal["track", "page", "screen", "identify", "alias", "group"]
    timestamp: str | None = None
    event: str | None = None
    userId: str | None = None
    anonymousId: str | None = None
    messageId: str | None = None
    properties: Raw = NO_JSON
    traits: Raw = NO_JSON
    context: Raw = NO_JSON
    historical: bool = False


class Event(Struct):
    """One line: the record that it becomes. `at_ms` is the time of the log."""

    at_ms: int
    lead: str
    id: str
    body: Interaction


class Rejected(Struct, frozen=True):
    """A line that cannot be used; `line` counts from 1."""

    line: int
    reason: str


_decode_line = msgspec.json.Decoder(_Line).decode


def read_events(lines: Iterable[bytes]) -> tuple[list[Event], list[Rejected]]:
    """All events in order of their times, stable; a line without a time has that of the last.

    A record's key is the known id, else the anonymous one. Ids are the lines' `messageId`, else
    made of the line's number, so that a run gives the same ids each time.
    """
    events: list[Event] = []
    rejected: list[Rejected] = []
    at_ms: int | None = None
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            read = _decode_line(line)
            at_ms = _time(read.timestamp, at_ms)
            lead = _lead(read)
        except (msgspec.DecodeError, ValueError) as error:
            rejected.append(Rejected(number, str(error)))
            continue
        body = Interaction(
            read.type, read.event if read.type == "track" else None, read.userId, read.anonymousId,
            read.properties, read.traits, read.context, read.timestamp, read.historical,
        )  # fmt: skip
        events.append(Event(at_ms, lead, read.messageId or record_id("line", number), body))
    events.sort(key=lambda event: event.at_ms)
    return events, rejected


def _time(text: str | None, before: int | None) -> int:
    if text is None:
        if before is None:
            raise ValueError("the first line has no timestamp")
        return before
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f"timestamp {text!r} is not ISO 8601") from None
    if at.tzinfo is None:
        at = at.replace(tzinfo=UTC)
    return (at - _EPOCH) // timedelta(milliseconds=1)


def _lead(read: _Line) -> str:
    lead = read.userId or read.anonymousId
    if lead is None:
        raise ValueError("neither userId nor anonymousId is given")
    if problem := lead_id_problem(lead):
        raise ValueError(f"the lead's id {problem}")
    if read.type == "track" and not read.event:
        raise ValueError("a track call needs the name of its event")
    return lead


def read_leads(lines: Iterable[bytes]) -> list[Given]:
    """Leads as they are before the first event. Raises `UsageError` at a line that is none."""
    found: dict[str, Given] = {}
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            given = msgspec.json.decode(line, type=Given)
        except msgspec.DecodeError as error:
            raise UsageError(f"leads, line {number}: {error}") from None
        problem = lead_id_problem(given.lead)
        if problem or given.in_:
            problem = f"the lead's id {problem}" if problem else "`in` is for scenarios"
            raise UsageError(f"leads, line {number}: {problem}")
        if given.lead in found:
            raise UsageError(f"leads, line {number}: {given.lead} is given twice")
        found[given.lead] = given
    return list(found.values())
