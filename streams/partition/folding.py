"""The plain fold of one partition's log: what states, commands and facts follow from it.

Handles every record from the first on and knows nothing of flushes, prefixes, skips and replays:
what `LeadPartition` must come to in spite of every crash (`streams.simulation.crashes`), and
what `verify` compares a changelog with.
"""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import Struct

from schemas.errors import DataError, Halt
from schemas.facts import Quarantined, row
from schemas.records import Record
from schemas.state import Lead, decode, encode
from streams.engine.handle import handle
from streams.engine.registry import Registries
from streams.partition.bounds import DEFAULTS, Bounds
from streams.partition.dead_letters import dead_letter
from streams.partition.effects import Effects, Place
from streams.partition.handling import Engine
from streams.partition.intake import Intake, Marked, hidden_problem
from streams.partition.quarantine import fatal, where
from streams.partition.walking import Effective
from streams.ports import LogRecord

DECODED_LEADS = 20_000


class Fold:
    """One partition, record by record. `change` is the number in force where it begins.

    Keeps stored values; at most `DECODED_LEADS` are decoded at a time.
    """

    def __init__(
        self,
        number: int,
        partitions: int,
        registries: Registries,
        *,
        secret: bytes,
        bounds: Bounds = DEFAULTS,
        keep_refusals: bool = False,
        change: int = -1,
        handle: Engine = handle,
    ) -> None:
        self.change = change
        self.changes: dict[int, int] = {}
        self._number = number
        self._registries = registries
        self._registry = registries.at(change)
        self._secret = secret
        self._keep_refusals = keep_refusals
        self._handle = handle
        self._history = Effective(self, registries)
        self._stored: dict[bytes, bytes] = {}
        self._decoded: dict[bytes, Lead] = {}
        self._watermarks: dict[bytes, int] = {}
        self._intake = Intake(number, partitions, self._watermarks, bounds.record_bytes)

    def take(self, raw: LogRecord) -> Effects:
        """Handle the next record; what it alone sends out."""
        effects = Effects()
        try:
            record = self._intake.read(raw)
            if isinstance(record, Marked):
                self._mark(raw, record, effects)
            else:
                self._record(raw, record, effects)
        except DataError as error:
            self._bury(raw, error.reason, error.detail, effects)
        return effects

    def states(self) -> dict[bytes, bytes]:
        """The stored value of every lead as it is now."""
        self._encode()
        return dict(self._stored)

    def _record(self, raw: LogRecord, record: Record, effects: Effects) -> None:
        key = raw.key
        assert key is not None
        lead = self._lead(key)
        if lead is not None and lead.quarantined:
            self._bury(raw, "quarantined", lead.quarantined, effects)
            return
        before: list[bytes] = []

        def keep(lead: Lead | None) -> None:
            if lead is not None:
                before.append(encode(lead, 0))

        try:
            handled = self._handle(
                lead, record, self._registry, keep, self._keep_refusals, self._history
            )
        except Exception as error:
            undone = decode(before[0]) if before else lead
            if undone is not None:
                self._decoded[key] = undone
            problem = error if isinstance(error, DataError) else hidden_problem(record)
            if problem is not None:
                raise problem from None
            if fatal(error):
                raise
            self._quarantine(raw, record, undone, error, effects)
            return
        effects.add(key, record, handled, self._secret)
        if handled.effect and handled.lead is not None:
            self._keep(key, handled.lead, raw.offset)

    def _quarantine(
        self, raw: LogRecord, record: Record, lead: Lead | None, error: Exception, effects: Effects
    ) -> None:
        name = type(error).__name__
        at = record.time_ms if lead is None else max(lead.clock, record.time_ms)
        lead = lead or Lead()
        lead.quarantined = f"{name} at offset {raw.offset}"
        assert raw.key is not None
        self._keep(raw.key, lead, raw.offset)
        effects.add_facts(raw.key, record.lead, record, [row(Quarantined(at, error=name))])
        self._bury(raw, "quarantined", f"{where(error)}: {error}", effects)

    def _mark(self, raw: LogRecord, marked: Marked, effects: Effects) -> None:
        if marked.number > self._registries.newest:
            raise Halt(
                f"partition {self._number}: the change marker at offset {raw.offset} names change "
                f"{marked.number}, but campaign-changes ends at {self._registries.newest}"
            )
        if marked.number <= self.change:
            return
        place = Place(self._number, raw.offset, raw.timestamp, marked.id)
        effects.add_changes(place, self._registries.between(self.change, marked.number))
        self.change = marked.number
        self.changes[marked.number] = raw.timestamp
        self._registry = self._registries.at(marked.number)

    def _bury(self, raw: LogRecord, reason: str, detail: str, effects: Effects) -> None:
        effects.dead_letters.append(dead_letter(raw, self._number, reason, detail))

    # leads

    def _lead(self, key: bytes) -> Lead | None:
        lead = self._decoded.get(key)
        if lead is None and key in self._stored:
            lead = self._decoded[key] = decode(self._stored[key])
        return lead

    def _keep(self, key: bytes, lead: Lead, offset: int) -> None:
        self._decoded[key] = lead
        self._watermarks[key] = offset
        if len(self._decoded) > DECODED_LEADS:
            self._encode()

    def _encode(self) -> None:
        for key, lead in self._decoded.items():
            self._stored[key] = encode(lead, self._watermarks[key])
        self._decoded = {}


class Folded(Struct):
    """All that follows from a log: stored values by key, and what was sent out, in order."""

    states: dict[bytes, bytes]
    effects: Effects
    change: int
    changes: dict[int, int]


def fold(
    records: Iterable[LogRecord],
    registries: Registries,
    *,
    number: int = 0,
    partitions: int = 1,
    secret: bytes,
    bounds: Bounds = DEFAULTS,
    keep_refusals: bool = False,
    change: int = -1,
    handle: Engine = handle,
) -> Folded:
    """Fold a partition's records, which are in the order of the log."""
    plain = Fold(
        number, partitions, registries, secret=secret, bounds=bounds,
        keep_refusals=keep_refusals, change=change, handle=handle,
    )  # fmt: skip
    effects = Effects()
    for record in records:
        effects.extend(plain.take(record))
    return Folded(plain.states(), effects, plain.change, plain.changes)
