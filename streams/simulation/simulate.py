"""Campaigns run over recorded interactions; nothing is sent, facts come out (`simulate`).

Two inputs. Segment-shaped events, whose `timestamp` is the time of the log: they become a log of
one partition, with wake-ups of its own. Lines of an exported log: partition, offset, times,
wake-ups and changes are those of the log, and none is added (clarifications Q1).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import msgspec
from msgspec import Struct, field

from schemas import exports, facts
from schemas.changes import Change
from schemas.errors import UsageError
from schemas.exports import ExportLine
from schemas.facts import FactList, FactRow
from schemas.state import NEVER
from streams.engine.registry import Registries
from streams.partition.folding import Fold
from streams.ports import StoredRecord
from streams.simulation.given import Given, states
from streams.simulation.recorded_lines import Rejected, read_events
from streams.simulation.world import SECRET, World


class Summary(Struct):
    """What a simulation came to, in counts; complete when all facts have been taken.

    `next_due_ms` is the earliest of the timers that are still pending, None without any.
    """

    records: int = 0
    wake_ups: int = 0
    leads: int = 0
    facts: Counter[str] = field(default_factory=Counter)
    actions: Counter[str] = field(default_factory=Counter)
    suppressed: Counter[str] = field(default_factory=Counter)
    dead_letters: Counter[str] = field(default_factory=Counter)
    rejected: list[Rejected] = field(default_factory=list)
    waiting: int = 0
    next_due_ms: int | None = None

    def count(self, fact: FactRow) -> None:
        """Add one fact."""
        self.facts[fact.fact] += 1
        if fact.fact == "action_issued":
            self.actions[fact.detail["verb"]] += 1
        elif fact.fact == "action_suppressed":
            self.suppressed[fact.detail["reason"]] += 1


def is_export(line: bytes) -> bool:
    """Whether this is a line of an exported log, and not an event."""
    try:
        exports.DECODE(line)
    except msgspec.DecodeError:
        return False
    return True


def simulate_events(
    changes: Sequence[Change],
    lines: Iterable[bytes],
    summary: Summary,
    *,
    leads: Sequence[Given] = (),
    until_ms: int | None = None,
) -> Iterator[dict[str, Any]]:
    """The facts, printed form, in the order decided, of Segment-shaped lines.

    All changes are in force from just before the first event on. Events after `until_ms` are left
    out; timers are woken up to it, and without it up to the last event.
    """
    events, summary.rejected = read_events(lines)
    if until_ms is not None:
        events = [event for event in events if event.at_ms <= until_ms]
    first = events[0].at_ms if events else until_ms or 0
    world = World(changes, states(leads, changes, first - 1), first_ms=first - 1)
    for event in events:
        world.append(event.lead, event.body, event.at_ms, id=event.id)
        yield from _told(world, summary)
    world.advance(first if until_ms is None and not events else until_ms or events[-1].at_ms)
    yield from _told(world, summary)
    summary.records = len(events)
    summary.wake_ups = len(world.log) - len(events)
    summary.dead_letters.update(letter.reason for letter in world.dead_letters)
    for _, lead in world.leads():
        summary.leads += 1
        summary.waiting += sum(journey.status == "active" for journey in lead.journeys)
    summary.next_due_ms = world.next_due if world.next_due < NEVER else None


def _told(world: World, summary: Summary) -> Iterator[dict[str, Any]]:
    for told in world.take_facts():
        yield from _printed(told, summary)


def _printed(told: FactList, summary: Summary) -> Iterator[dict[str, Any]]:
    for fact in told.facts:
        summary.count(fact)
        yield facts.printed(told, fact)


class _Log:
    """The partitions of an exported log, each folded on its own over one registry of changes."""

    def __init__(self) -> None:
        self.registries = Registries()
        self.partitions = 0
        self.folds: dict[int, Fold] = {}

    def learn(self, line: ExportLine) -> None:
        """Take what a change marker's line brings."""
        self.partitions = line.partitions or self.partitions
        for numbered in line.changes:
            if numbered.number > self.registries.newest:
                self.registries.append(numbered.number, numbered.change)

    def fold(self, number: int) -> Fold:
        """The fold of one partition."""
        found = self.folds.get(number)
        if found is None:
            found = self.folds[number] = Fold(
                number, self.partitions, self.registries, secret=SECRET, keep_refusals=True
            )
        return found


def simulate_export(
    lines: Iterable[bytes], summary: Summary, *, until_ms: int | None = None
) -> Iterator[dict[str, Any]]:
    """The facts, printed form, of an exported log, in the order of its lines.

    Raises `UsageError` at a line that is not one of an exported log.
    """
    log = _Log()
    waiting: list[ExportLine] = []  # before the first marker the number of partitions is unknown
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        read = _export_line(line, number)
        if until_ms is not None and read.time_ms > until_ms:
            continue
        log.learn(read)
        waiting.append(read)
        if log.partitions:
            for one in waiting:
                yield from _folded(log, one, summary)
            waiting.clear()
    log.partitions = log.partitions or 1 + max((one.partition for one in waiting), default=0)
    for one in waiting:
        yield from _folded(log, one, summary)
    for fold in log.folds.values():
        summary.leads += len(fold.states())


def _export_line(line: bytes, number: int) -> ExportLine:
    try:
        read = exports.DECODE(line)
        _ = read.time_ms
    except (msgspec.DecodeError, ValueError) as error:
        raise UsageError(f"events, line {number}: no line of an exported log: {error}") from None
    return read


def _folded(log: _Log, line: ExportLine, summary: Summary) -> Iterator[dict[str, Any]]:
    record = StoredRecord(
        line.offset, line.time_ms, line.raw_key(), line.raw_value(), line.raw_headers()
    )
    summary.records += 1
    summary.wake_ups += line.headers.get("schema") == "wake-up/1"
    effects = log.fold(line.partition).take(record)
    for letter in effects.dead_letters:
        reason = dict(letter.headers).get("dripline-reason", b"")
        summary.dead_letters[reason.decode(errors="replace")] += 1
    for record_facts in effects.facts:
        yield from _printed(facts.DECODE(record_facts.value or b""), summary)
