"""What the parent knows: campaigns, counts, the latest facts, every lead's newest state.

Fed by `tail`, read by the pages. Bounded: the newest `FACT_LISTS_MAX` lists of facts, and states
up to `STATE_BYTES_MAX` (of the leads that changed last).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import Any

import msgspec
from msgspec import Struct

from app.web.funnel import Funnel, Funnels
from schemas import state
from schemas.campaigns import Definition
from schemas.changes import Change
from schemas.facts import DECODE, FactList, FactRow
from schemas.state import Lead
from streams.engine.reading import read_campaign

FACT_LISTS_MAX = 20_000
STATE_BYTES_MAX = 256 * 1024 * 1024
_OWN_KEYS = b"\0"  # marker and fence in the changelog: no lead's id begins like this


class Campaign(Struct):
    """The newest version that was published. `version` counts its publishes from 1."""

    id: str
    version: int
    number: int
    document: dict[str, Any]
    definition: Definition | None


class Stored(Struct, gc=False, frozen=True):
    """A lead's newest state as it lies in the changelog."""

    partition: int
    watermark: int
    value: bytes

    def lead(self) -> Lead:
        """Decoded."""
        return state.decode(self.value)


class View:
    """In memory, in one thread; `unreadable` counts records that were not what they should be."""

    def __init__(self) -> None:
        self.campaigns: dict[str, Campaign] = {}
        self.lists: dict[str, dict[str, Any]] = {}
        self.templates: dict[str, dict[str, Any]] = {}
        self.funnels = Funnels()
        self.facts: deque[FactList] = deque(maxlen=FACT_LISTS_MAX)
        self.facts_seen = 0
        self.states_forgotten = False
        self.unreadable = 0
        self._seen: dict[int, int] = {}
        self._leads: dict[bytes, Stored] = {}
        self._lead_bytes = 0

    def funnel(self, campaign: str) -> Funnel:
        """The counts of a campaign."""
        return self.funnels.by_campaign.get(campaign) or Funnel()

    def state(self, lead: str) -> Stored | None:
        """The newest state of a lead, None when it has none (or is no longer in memory)."""
        return self._leads.get(lead.encode())

    @property
    def leads(self) -> int:
        """How many leads have a state here."""
        return len(self._leads)

    def latest(
        self, *, lead: str | None = None, campaign: str | None = None, limit: int = 50
    ) -> Iterator[tuple[FactList, FactRow]]:
        """Facts, newest first."""
        left = limit
        for facts in reversed(self.facts):
            if lead is not None and facts.lead != lead:
                continue
            for row in reversed(facts.facts):
                if campaign is not None and row.campaign != campaign:
                    continue
                if left <= 0:
                    return
                left -= 1
                yield facts, row

    def take_facts(self, partition: int, value: bytes | None) -> None:
        """One record of `journey-facts`.

        A worker that starts again says once more what it said after its marker: facts of a record
        at or before the highest seen of a partition were counted already.
        """
        try:
            facts = DECODE(value or b"")
        except msgspec.DecodeError:
            self.unreadable += 1
            return
        if facts.offset <= self._seen.get(partition, -1):
            return
        self._seen[partition] = facts.offset
        self.facts.append(facts)
        self.facts_seen += len(facts.facts)
        for row in facts.facts:
            self.funnels.count(row)

    def take_change(self, number: int, change: Change) -> None:
        """One record of `campaign-changes`."""
        if change.kind == "list":
            self.lists[change.id] = change.document
        elif change.kind == "template":
            self.templates[change.id] = change.document
        else:
            before = self.campaigns.get(change.id)
            definition, _ = read_campaign(change.document)
            version = before.version + 1 if before is not None else 1
            self.campaigns[change.id] = Campaign(
                change.id, version, number, change.document, definition
            )

    def take_state(self, partition: int, key: bytes, value: bytes | None) -> None:
        """One record of the leads' changelog; the highest watermark wins, null removes."""
        if key.startswith(_OWN_KEYS):
            return
        before = self._leads.get(key)
        if value is None:
            if before is not None:
                del self._leads[key]
                self._lead_bytes -= len(before.value)
            return
        if len(value) <= state.PREFIX.size:
            self.unreadable += 1
            return
        watermark = state.prefix_of(value).watermark
        if before is not None:
            if watermark < before.watermark:
                return
            del self._leads[key]  # moves to the end: the leads that changed last are kept
            self._lead_bytes -= len(before.value)
        self._leads[key] = Stored(partition, watermark, value)
        self._lead_bytes += len(value)
        while self._lead_bytes > STATE_BYTES_MAX:
            oldest = next(iter(self._leads))
            self._lead_bytes -= len(self._leads.pop(oldest).value)
            self.states_forgotten = True
