"""One lead as people read it: ISO times, names instead of positions, nothing internal."""

from __future__ import annotations

from typing import Any

from app.web.view import Stored
from schemas.facts import iso
from schemas.state import QUARTER_MS, Journey, Past


def plain(lead: str, stored: Stored) -> dict[str, Any]:
    """The state as JSON shows it; `watermark` is the offset of the last record in it."""
    state = stored.lead()
    return {
        "lead": lead,
        "partition": stored.partition,
        "watermark": stored.watermark,
        "created_at": _time(state.created_at),
        "last_seen_at": _time(state.quarter * QUARTER_MS),
        "traits": state.traits,
        "points": state.points,
        "tags": state.tags,
        "lists": state.lists,
        "blocked": state.blocked,
        "timezone": state.zone or None,
        "journeys": [_journey(journey) for journey in state.journeys],
        "past": {key.replace("\x1f", " / "): _past(past) for key, past in state.past.items()},
        "quarantined": state.quarantined or None,
    }


def _journey(journey: Journey) -> dict[str, Any]:
    return {
        "id": journey.id,
        "campaign": journey.campaign,
        "version": journey.version,
        "run": journey.run,
        "per": journey.per or None,
        "status": journey.status,
        "entered_at": _time(journey.entered_at),
        "entry": journey.entry.name,
        "at": [
            {"step": token.step, "since": _time(token.arrived_at), "due": _time(token.due)}
            for token in journey.tokens
        ],
        "sent": [
            {
                "step": sent.step,
                "template": sent.template,
                "command": sent.command,
                "at": _time(sent.at),
                "outcome": sent.outcome or None,
            }
            for sent in journey.sent
        ],
        "splits": journey.splits,
        "converted": journey.converted,
        "held_out": journey.held_out,
        "expires_at": _time(journey.expires_at),
    }


def _past(past: Past) -> dict[str, Any]:
    return {
        "runs": past.runs,
        "entered_at": _time(past.entered_at),
        "exited_at": _time(past.exited_at),
        "completed": past.completed,
        "removed_by_hand": past.removed_by_hand,
    }


def _time(ms: int) -> str | None:
    return iso(ms) if ms else None
