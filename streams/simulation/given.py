"""Leads as they are before anything happens: made without any of the triggers this would fire."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from msgspec import Struct, field

from schemas.changes import Change
from schemas.records import Record, WakeUp
from schemas.state import QUARTER_MS, Lead
from streams.engine.handle import handle
from streams.engine.registry import EMPTY, Registry


class Given(Struct, forbid_unknown_fields=True):
    """One lead as it is just before the first instant."""

    lead: str
    traits: dict[str, Any] = {}
    lists: list[str] = []
    tags: list[str] = []
    points: int | float = 0
    unsubscribed: list[str] = []
    in_: list[str] = field(name="in", default_factory=list)


class _JustBefore:
    """Every list took effect at one instant."""

    def __init__(self, registry: Registry, at_ms: int) -> None:
        self._registry = registry
        self._at_ms = at_ms

    def time(self, number: int) -> int:
        return self._at_ms

    def registry(self, number: int) -> Registry:
        return self._registry


def states(given: Iterable[Given], changes: Sequence[Change], at_ms: int) -> dict[str, Lead]:
    """The states of given leads at `at_ms`, members by the rules of `changes`' lists included.

    The lists come first among the changes. They are taken in while no campaign is there yet, so
    that nobody hears of a membership that was given.
    """
    lists = EMPTY
    for number, change in enumerate(changes):
        if change.kind != "list":
            break
        lists = lists.with_change(number, change)
    found: dict[str, Lead] = {}
    for one in given:
        lead = _state(one, at_ms)
        record = Record(0, 0, at_ms, one.lead, "given", WakeUp(at_ms))
        handle(lead, record, lists, history=_JustBefore(lists, at_ms))
        lead.change = lists.number + 1
        found[one.lead] = lead
    return found


def _state(given: Given, at_ms: int) -> Lead:
    return Lead(
        clock=at_ms,
        created_at=at_ms,
        quarter=max(at_ms, 0) // QUARTER_MS,
        traits={name: value for name, value in given.traits.items() if value is not None},
        points=given.points,
        tags=list(dict.fromkeys(given.tags)),
        lists=list(dict.fromkeys(given.lists)),
        blocked=dict.fromkeys(given.unsubscribed, "unsubscribed"),
    )
