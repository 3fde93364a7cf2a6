"""From a record of the leads' changelog to a row of the lead and one of each of its journeys.

Every state of a lead says all of its journeys again with the lead's watermark: a journey whose
watermark is behind its lead's has ended.
"""

from __future__ import annotations

from typing import Any

import msgspec

from projections import tables
from projections.clamping import clamped
from schemas import state

_text = msgspec.json.Encoder().encode
_LATEST_WATERMARK = 2**64 - 1


class NoState(Exception):
    """A value that is too short to be a state."""


def rows_of_state(
    log: str, partition: int, key: bytes | None, value: bytes | None
) -> list[tuple[str, tuple[Any, ...]]]:
    """Nothing for a marker or fence. Raises `NoState`, or msgspec's for what cannot be decoded.

    A tombstone says that the lead is gone for good: it stands above every watermark.
    """
    if key is None or key.startswith(b"\0"):
        return []
    lead = key.decode()
    if value is None:
        gone: tuple[Any, ...] = (
            log,
            partition,
            lead,
            _LATEST_WATERMARK,
            0,
            0,
            0,
            "",
            0.0,
            [],
            [],
            "",
            "",
            0,
            "",
            1,
        )
        return [(tables.LEADS, gone)]
    if len(value) < state.PREFIX.size:
        raise NoState(f"{len(value)} bytes")
    prefix, found = state.prefix_of(value), state.decode(value)
    head = (log, partition)
    rows: list[tuple[str, tuple[Any, ...]]] = [
        (tables.LEADS, (*head, lead, *_lead(found, prefix.watermark)))
    ]
    rows += [
        (tables.JOURNEYS, (*head, journey.id, prefix.watermark, lead, *_journey(journey)))
        for journey in found.journeys
    ]
    return rows


def _lead(lead: state.Lead, watermark: int) -> tuple[Any, ...]:
    running = sum(journey.status == "active" for journey in lead.journeys)
    return (
        watermark, clamped(lead.clock), clamped(lead.created_at),
        clamped(lead.quarter * state.QUARTER_MS), _text(lead.traits).decode(), float(lead.points),
        lead.tags, lead.lists, _text(lead.blocked).decode(), lead.zone, running,
        lead.quarantined, 0,
    )  # fmt: skip


def _journey(journey: state.Journey) -> tuple[Any, ...]:
    due = min((token.due for token in journey.tokens if token.due), default=0)
    return (
        journey.campaign, journey.version, journey.run, journey.per, clamped(journey.entered_at),
        journey.status, [token.step for token in journey.tokens], clamped(due),
        int(journey.converted), int(journey.held_out), _text(journey.splits).decode(),
        len(journey.sent),
    )  # fmt: skip
