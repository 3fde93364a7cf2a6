"""`dripline verify`: does a partition's changelog say what its log says?

As of the newest marker M: a lead's stored state (highest watermark) must be its fold up to M; where
its own watermark is above M's, up to that (clarifications Q11: the broker may have compacted
the older value away).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from msgspec import Struct, field

from schemas.records import NAMES, ChangeMarker
from schemas.state import FENCE_KEY, MARKER_KEY, Lead, decode
from streams.engine.handle import handle
from streams.engine.registry import Registries
from streams.partition.folding import Fold
from streams.partition.handling import Engine
from streams.partition.markers import Markers
from streams.partition.states import States, watermark_of
from streams.ports import LogRecord

_MARKER = ("schema", NAMES[ChangeMarker].encode())


class Difference(Struct, frozen=True):
    """One lead whose stored state is not its fold; `lead` "" is the partition itself.

    `field` is the first of the state's fields that differs, or `lead` where one side has none,
    `watermark`, `change` (the marker's) or `log_end`.
    """

    lead: str
    field: str
    stored: Any
    folded: Any


class Verdict(Struct):
    """`agrees` when nothing differs. `older` leads were there before the log's start and cannot be
    folded; they and the `quarantined` are not compared. `watermark` is M's, -1 without a marker.
    """

    watermark: int
    leads: int = 0
    records: int = 0
    differences: list[Difference] = field(default_factory=list)
    older: list[str] = field(default_factory=list)
    quarantined: list[str] = field(default_factory=list)

    @property
    def agrees(self) -> bool:
        """Nothing that could be compared differs."""
        return not self.differences


def verify(
    changelog: Iterable[tuple[bytes, bytes | None]],
    log: Iterable[LogRecord],
    registries: Registries,
    *,
    number: int,
    partitions: int,
    secret: bytes,
    log_start: int = 0,
    handle: Engine = handle,
) -> Verdict:
    """Compare one partition. `changelog` and `log` are read once, in order, from their starts."""
    states, markers = States(), Markers()
    for key, value in changelog:
        if key == MARKER_KEY:
            markers.recovered(value)
        elif key != FENCE_KEY:
            states.recovered(key, value)
    stored = {key: states.values[slot] for key, slot in states.slots.items()}
    folding = _Folding(stored, markers, registries, log_start)
    folded = folding.run(log, number, partitions, secret, handle)
    verdict = folding.verdict
    verdict.leads = len(stored.keys() | folded.keys())
    for key in sorted(stored.keys() | folded.keys()):
        _compare(key, stored.get(key), folded.get(key), folding.began_ms, verdict)
    return verdict


class _Folding:
    """Folds each lead as far as its stored state goes."""

    def __init__(
        self,
        stored: dict[bytes, bytes],
        markers: Markers,
        registries: Registries,
        log_start: int,
    ) -> None:
        self._own = {key: watermark_of(value) for key, value in stored.items()}
        self._markers = markers
        self._registries = registries
        self._log_start = log_start
        self.began_ms: int | None = None  # the first record's time, where the log begins late
        self.verdict = Verdict(markers.durable)

    def run(
        self, log: Iterable[LogRecord], number: int, partitions: int, secret: bytes, handle: Engine
    ) -> dict[bytes, bytes]:
        marked = self.verdict.watermark
        last = max([marked, *self._own.values()])
        fold: Fold | None = None
        change, seen = -1, self._log_start - 1
        for raw in log:
            if raw.offset > last:
                break
            if fold is None:
                change = self._change_at(raw)
                fold = Fold(
                    number, partitions, self._registries,
                    secret=secret, change=change, handle=handle,
                )  # fmt: skip
            seen = raw.offset
            own = -1 if raw.key is None else self._own.get(raw.key, -1)
            if seen <= marked or seen <= own or _MARKER in raw.headers:
                fold.take(raw)
                self.verdict.records += 1
            if seen <= marked:
                change = fold.change
        self._check("log_end", last, seen if seen < last else last)
        if self._markers.found:
            self._check("change", self._markers.change, change)
        return {} if fold is None else fold.states()

    def _change_at(self, first: LogRecord) -> int:
        """The change in force where the log begins: what its marker said may have gone."""
        if self._log_start == 0:
            return -1
        self.began_ms = first.timestamp
        before = [n for n, at in self._markers.changes.items() if at <= first.timestamp]
        return max(before, default=-1)

    def _check(self, field: str, stored: int, folded: int) -> None:
        if stored != folded:
            self.verdict.differences.append(Difference("", field, stored, folded))


def _compare(
    key: bytes, stored: bytes | None, folded: bytes | None, began_ms: int | None, verdict: Verdict
) -> None:
    name = key.decode()
    ours = None if stored is None else decode(stored)
    theirs = None if folded is None else decode(folded)
    if (ours and ours.quarantined) or (theirs and theirs.quarantined):
        verdict.quarantined.append(name)
    elif began_ms is not None and ours is not None and ours.created_at < began_ms:
        verdict.older.append(name)
    elif ours is None or theirs is None:
        verdict.differences.append(Difference(name, "lead", ours is not None, theirs is not None))
    elif stored != folded:
        assert stored is not None
        assert folded is not None
        field, left, right = _first_difference(ours, theirs)
        if not field:
            field, left, right = "watermark", watermark_of(stored), watermark_of(folded)
        verdict.differences.append(Difference(name, field, left, right))


def _first_difference(ours: Lead, theirs: Lead) -> tuple[str, Any, Any]:
    for name in ours.__struct_fields__:
        left, right = getattr(ours, name), getattr(theirs, name)
        if left != right:
            return name, left, right
    return "", None, None
