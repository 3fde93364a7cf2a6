"""Records in, effects and changed leads out: the part of the protocol that calls the engine."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from schemas.errors import DataError, Halt
from schemas.facts import CampaignChanged, Quarantined, row
from schemas.records import Record, WakeUp
from schemas.state import NEVER, PREFIX, Lead, Prefix, decode
from streams.engine.changes import History
from streams.engine.handle import Handled
from streams.engine.registry import EMPTY, Registries, Registry
from streams.partition.bounds import Bounds
from streams.partition.counts import PartitionCounts, count
from streams.partition.dead_letters import dead_letter
from streams.partition.effects import Effects, Place
from streams.partition.intake import Intake, Marked, hidden_problem
from streams.partition.markers import Markers
from streams.partition.quarantine import QuarantineWindow, fatal, where
from streams.partition.states import States
from streams.partition.waking import Waking
from streams.partition.walking import Effective, Walking
from streams.ports import LogRecord


class Engine(Protocol):
    """`streams.engine.handle.handle`."""

    def __call__(
        self,
        lead: Lead | None,
        record: Record,
        registry: Registry,
        before_effect: Callable[[Lead | None], None],
        keep_refusals: bool,
        history: History,
    ) -> Handled: ...


Interest = Callable[[Prefix | None, Record, Registry], bool]
"""`streams.engine.handle.concerns`."""


class Handling:
    """Handles the records of one partition in the order of the log.

    `next` is the offset that must come next. Records at or below `replayed_to` may lie at or below
    their lead's watermark; beyond it none can. `waiting_for` is the number of the change that
    the registry must reach first, None when nothing is waited for.
    """

    def __init__(
        self,
        number: int,
        partitions: int,
        registries: Registries,
        *,
        secret: bytes,
        bounds: Bounds,
        keep_refusals: bool,
        handle: Engine,
        concerns: Interest,
    ) -> None:
        self.counts = PartitionCounts()
        self.states = States()
        self.markers = Markers()
        self.waking = Waking(bounds, self.counts)
        self.next = -1
        self.replayed_to = -1
        self.waiting_for: int | None = None
        self._number = number
        self._registries = registries
        self._secret = secret
        self._keep_refusals = keep_refusals
        self._handle = handle
        self._concerns = concerns
        self._intake = Intake(number, partitions, self.states.slots, bounds.record_bytes)
        self._history = Effective(self.markers, registries)
        self.walking = Walking(self.states, self._history)
        self._window = QuarantineWindow(number, bounds)
        self._registry = EMPTY
        self._ready = False  # the registry in force has been looked up
        self._slot: int | None = None  # the lead at hand, and its undo copy
        self._copy: bytes | None = None

    def registry_in_force(self, change: int) -> Registry:
        """The registry after a change of this number."""
        return self._registries.at(change)

    def work(self, records: Sequence[LogRecord], effects: Effects) -> int:
        """Handle records in order, as far as the registry allows; tells how many are done."""
        if not self.ready():
            return 0
        states, interest, counts = self.states, self._interest, self.counts
        slots, values, changed = states.slots, states.values, states.changed
        unpack, read = PREFIX.unpack_from, self._intake.read
        no_effect = skipped = done = 0
        for raw in records:
            offset = raw.offset
            if offset != self.next:
                if offset > self.next:
                    raise self._gap(offset)
                skipped += 1
                done += 1
                continue
            slot = slots.get(raw.key)  # type: ignore[arg-type]
            prefix = None
            if slot is not None:
                prefix = changed.get(slot) or Prefix(*unpack(values[slot]))
                if offset <= self.replayed_to and offset <= prefix.watermark:
                    skipped += 1
                    done += 1
                    self.next = offset + 1
                    continue
            try:
                record = read(raw)
            except DataError as error:
                self._bury(raw, error.reason, error.detail, effects)
            else:
                if type(record) is Marked:
                    if not self._mark(raw, record, effects):
                        break
                elif interest(prefix, record):  # type: ignore[arg-type]
                    self._take(raw, record, slot, prefix, effects)  # type: ignore[arg-type]
                else:
                    no_effect += 1
            done += 1
            self.next = offset + 1
        counts.records += done
        counts.no_effect += no_effect
        counts.skipped += skipped
        return done

    def ready(self) -> bool:
        """Whether the registry in force is known, which is looked up once after the recovery."""
        if not self._ready and not self._must_wait(self.markers.change):
            self._registry = self.registry_in_force(self.markers.change)
            self.walking.begin(self._registry)
            self._ready = True
        return self._ready

    def _interest(self, prefix: Prefix | None, record: Record) -> bool:
        try:
            return self._concerns(prefix, record, self._registry)
        except Exception:
            return True  # to be handled, and quarantined if that raises too

    def begin_walk(self) -> None:
        """After the recovery: whoever has not taken in what was in force already is due."""
        if self.markers.change <= self._registries.newest:
            self.ready()

    def _gap(self, offset: int) -> Halt:
        return Halt(
            f"partition {self._number}: offset {self.next} was to come next, {offset} came: what "
            f"lies in between would be lost; start again, and if it comes again look at the topic"
        )

    def _must_wait(self, change: int) -> bool:
        self.waiting_for = change if change > self._registries.newest else None
        return self.waiting_for is not None

    # one record

    def _take(
        self,
        raw: LogRecord,
        record: Record,
        slot: int | None,
        prefix: Prefix | None,
        effects: Effects,
    ) -> None:
        effect = self._conclude(raw, record, slot, prefix, effects)
        if type(record.body) is WakeUp and slot is not None:
            self.waking.returned(slot, self.walking.due(slot), record.time_ms, effect)

    def _conclude(
        self,
        raw: LogRecord,
        record: Record,
        slot: int | None,
        prefix: Prefix | None,
        effects: Effects,
    ) -> bool:
        """Let the engine handle the record; tells whether it had an effect."""
        counts = self.counts
        lead = None
        if slot is not None:
            lead = self.states.lead(slot)
            if lead.quarantined:
                self._bury(raw, "quarantined", lead.quarantined, effects)
                return False
        self._slot, self._copy = slot, None
        try:
            handled = self._handle(
                lead, record, self._registry, self._before_effect, self._keep_refusals,
                self._history,
            )  # fmt: skip
        except Exception as error:
            return self._failed(raw, record, slot, lead, error, effects)
        if handled.commands or handled.facts or handled.blocks:
            effects.add(raw.key, record, handled, self._secret)  # type: ignore[arg-type]
            for command in handled.commands:
                count(counts.commands_by_channel, command.channel)
            for fact in handled.facts:
                count(counts.facts_by_kind, fact.kind)
            counts.commands += len(handled.commands)
            counts.facts += len(handled.facts)
        for name in handled.counted:
            count(counts.refusals, name)
        if not handled.effect:
            counts.no_effect += 1
            return False
        assert handled.lead is not None
        counts.effects += 1
        self._changed(raw, record, slot, prefix, handled.lead)
        return True

    def _changed(
        self,
        raw: LogRecord,
        record: Record,
        slot: int | None,
        prefix: Prefix | None,
        lead: Lead,
    ) -> None:
        if slot is None:
            slot = self.states.slot(raw.key)  # type: ignore[arg-type]
        before = NEVER if prefix is None else prefix.next_due
        due = self.states.put(slot, lead, record.offset).next_due
        if due != before:
            self.waking.index.set(slot, due if due >= 0 else NEVER)
            if type(record.body) is WakeUp and before <= record.time_ms:
                self.counts.late(record.time_ms - before)

    def _bury(self, raw: LogRecord, reason: str, detail: str, effects: Effects) -> None:
        effects.dead_letters.append(dead_letter(raw, self._number, reason, detail))
        self.counts.dead_letters += 1
        count(self.counts.dead_letter_reasons, reason)

    # undo and quarantine

    def _before_effect(self, lead: Lead | None) -> None:
        """The engine is about to change the lead at hand for the first time."""
        if self._slot is not None:
            self._copy = self.states.copy(self._slot)

    def undone(self, lead: Lead | None) -> Lead | None:
        """The lead at hand as it was before its record; None for one that did not exist."""
        if self._slot is None:
            return None
        if self._copy is not None:
            lead = decode(self._copy)
            self.states.put_back(self._slot, lead)
        return lead

    def _failed(
        self,
        raw: LogRecord,
        record: Record,
        slot: int | None,
        lead: Lead | None,
        error: Exception,
        effects: Effects,
    ) -> bool:
        """The engine raised: a dead letter, and quarantine unless the data were bad."""
        problem = error if isinstance(error, DataError) else None
        if problem is None:
            if fatal(error):
                raise error
            problem = hidden_problem(record)
        lead = self.undone(lead)
        if problem is not None:
            self._bury(raw, problem.reason, problem.detail, effects)
            return False
        self._window.add(record.offset, error)
        name = type(error).__name__
        now = max(lead.clock, record.time_ms) if lead is not None else record.time_ms
        lead = Lead() if lead is None else lead
        lead.quarantined = f"{name} at offset {record.offset}"
        before = None if slot is None else self.states.prefix(slot)
        self._changed(raw, record, slot, before, lead)
        told = [row(Quarantined(now, error=name))]
        effects.add_facts(raw.key, record.lead, record, told)
        self._bury(raw, "quarantined", f"{where(error)}: {error}", effects)
        self.counts.quarantined += 1
        self.counts.facts += 1
        count(self.counts.facts_by_kind, Quarantined.kind)
        return True

    # change markers

    def _mark(self, raw: LogRecord, marked: Marked, effects: Effects) -> bool:
        """Take a change marker in; False: its change is not known here yet."""
        if self._must_wait(marked.number):
            return False
        self.counts.change_markers += 1
        before = self.markers.change
        if self.markers.met(marked.number, raw.timestamp):
            place = Place(self._number, raw.offset, raw.timestamp, marked.id)
            changes = self._registries.between(before, marked.number)
            told = effects.add_changes(place, changes)
            self.counts.facts += told
            count(self.counts.facts_by_kind, CampaignChanged.kind, told)
            self._registry = self.registry_in_force(marked.number)
            self.walking.begin(self._registry)
        return True
