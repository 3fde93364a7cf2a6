"""One partition in memory: the real partition object, list topics, a clock moved by hand.

Nothing waits here: what the partition object wants produced is durable at once, wake-ups are
appended at their due time (a record's time is when it was appended, so: punctually), and a change
of a campaign is followed by its marker. Ids depend on partition and offset, so a run gives the
same ids each time.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping, Sequence

import msgspec
from msgspec import Struct

from schemas import commands, facts, state, topics
from schemas.campaigns import Definition
from schemas.changes import Change
from schemas.commands import Command
from schemas.facts import FactList
from schemas.ids import record_id
from schemas.records import ENCODE, NAMES, Body, ChangeMarker, WakeUp
from schemas.state import NEVER, Lead, Marker
from streams.engine.registry import Registries
from streams.partition.bounds import Bounds
from streams.partition.partition import LeadPartition
from streams.ports import Headers, Outgoing, Output, Produce, StoredRecord

SECRET = b"simulation"
TOPIC_ID = "simulation"
_ALL = 1_000_000_000
_BOUNDS = Bounds(wakes_per_second=_ALL, wakes_open=_ALL, walked_leads=_ALL)


class Letter(Struct, frozen=True):
    """A dead letter: the bytes that came, the reason and the detail."""

    offset: int
    reason: str
    detail: str


class World:
    """A partition, from just before `first_ms` on.

    `changes` are in force from the start, numbered from 0; `leads` are the states before the
    first record. Facts, commands and dead letters pile up in the order decided.
    """

    def __init__(
        self,
        changes: Sequence[Change] = (),
        leads: Mapping[str, Lead] | None = None,
        *,
        first_ms: int = 0,
        keep_refusals: bool = True,
    ) -> None:
        self.now = first_ms
        self.log: list[StoredRecord] = []
        self.facts: list[FactList] = []
        self.commands: list[Command] = []
        self.dead_letters: list[Letter] = []
        self._registries = Registries()
        for number, change in enumerate(changes):
            self._registries.append(number, change)
        self._partition = LeadPartition(
            0, 1, self._registries, secret=SECRET, bounds=_BOUNDS, keep_refusals=keep_refusals
        )
        self._ends: dict[str, int] = {}
        self._begin(len(changes), leads or {}, first_ms)

    def _begin(self, changes: int, leads: Mapping[str, Lead], first_ms: int) -> None:
        """Recover the given states and the marker as if they had been written before."""
        stored = {name.encode(): state.encode(lead, -1) for name, lead in leads.items()}
        times = dict.fromkeys(range(changes), first_ms)
        marker = Marker(-1, TOPIC_ID, changes - 1, times)
        stored[state.MARKER_KEY] = state.encode_marker(marker)
        for key, value in stored.items():
            self._partition.recovered(key, value)
        self._ends[topics.LEADS_CHANGELOG] = len(stored)
        self._partition.started(
            log_start=0, log_end=0, topic_id=TOPIC_ID, changelog_end=len(stored)
        )

    @property
    def next_due(self) -> int:
        """The earliest timer of any lead, or `schemas.state.NEVER`."""
        return self._partition.next_due

    def lead(self, id: str) -> Lead | None:
        """A copy of a lead's state, or None when there is none."""
        return self._partition.lead(id)

    def leads(self) -> Iterator[tuple[str, Lead]]:
        """Copies of all states."""
        return self._partition.leads()

    def definition(self, campaign: str, version: int) -> Definition:
        """A version of a campaign that was published."""
        newest = self._registries.at(self._registries.newest)
        return newest.plan(campaign, version).definition

    def take_facts(self) -> list[FactList]:
        """The facts told since the last call; they are not kept any longer."""
        told, self.facts = self.facts, []
        return told

    def append(self, lead: str | None, body: Body, at_ms: int, *, id: str = "") -> None:
        """Append a record at `at_ms`, after the wake-ups that are due before; not before `now`.

        What is due at the very same millisecond comes after it: a deadline is inclusive.
        """
        self.advance(at_ms, inclusive=False)
        headers = _headers(NAMES[type(body)], id or record_id("record", len(self.log)))
        key = lead.encode() if lead is not None else None
        self.append_raw(key, ENCODE(body), headers, at_ms)

    def append_raw(
        self, key: bytes | None, value: bytes | None, headers: Headers, at_ms: int
    ) -> None:
        """Append bytes as they are."""
        self.now = max(self.now, at_ms)
        record = StoredRecord(len(self.log), at_ms, key, value, headers)
        self.log.append(record)
        self._carry_out(self._partition.received([record]))

    def publish(self, change: Change, at_ms: int) -> None:
        """Append a change, and its marker at `at_ms`."""
        self.advance(at_ms, inclusive=False)
        number = self._registries.newest + 1
        self._registries.append(number, change)
        self.append(None, ChangeMarker(number), at_ms)

    def advance(self, to_ms: int, *, inclusive: bool = True) -> None:
        """Move the clock; every timer due before `to_ms` (or at it) is woken at its due time."""
        while self.next_due < NEVER and self.next_due < to_ms + inclusive:
            due = max(self.next_due, self.now)
            before = (len(self.log), self.next_due)
            self._carry_out(self._partition.tick(due))
            if (len(self.log), self.next_due) == before:
                raise RuntimeError(f"a timer is due at {facts.iso(due)} and nobody was woken")
        self.now = max(self.now, to_ms)

    def _carry_out(self, outputs: Sequence[Output]) -> None:
        """Do what the partition object wants done; all of it is durable at once."""
        pending = deque(outputs)
        woken: list[Outgoing] = []
        while pending:
            output = pending.popleft()
            if not isinstance(output, Produce):
                continue
            base = self._ends.get(output.topic, 0)
            self._ends[output.topic] = base + len(output.records)
            if output.topic == topics.LEAD_EVENTS:
                woken += output.records
            else:
                for record in output.records:
                    self._produced(output.topic, record)
            pending.extend(self._partition.acknowledged(output.ticket, base))
        for record in woken:
            due = msgspec.json.decode(record.value or b"", type=WakeUp).due_ms
            self.append_raw(record.key, record.value, record.headers, max(due, self.now))

    def _produced(self, topic: str, record: Outgoing) -> None:
        if topic == topics.COMMANDS and record.value is not None:
            self.commands.append(commands.DECODE(record.value))
        elif topic == topics.JOURNEY_FACTS and record.value is not None:
            self.facts.append(facts.DECODE(record.value))
        elif topic == topics.DEAD_LETTERS:
            self.dead_letters.append(_letter(record.headers))


def _headers(schema: str, id: str) -> Headers:
    return (("schema", schema.encode()), ("id", id.encode()))


def _letter(headers: Headers) -> Letter:
    named = {name: value.decode(errors="replace") for name, value in headers}
    return Letter(int(named["dripline-offset"]), named["dripline-reason"], named["dripline-detail"])
