"""What must hold once the crash simulator has come to rest."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from schemas import topics
from schemas.state import FENCE_KEY, MARKER_KEY, NEVER, decode, decode_marker, prefix_of
from streams.partition.folding import Folded, fold
from streams.ports import Outgoing, StoredRecord

if TYPE_CHECKING:
    from streams.simulation.crashes import Run

LATE_MS = 1_000_000
"""A timer that is overdue by more was forgotten: longer than any clock of the simulation is off."""

Written = Outgoing | StoredRecord


def violations(run: Run) -> list[str]:
    """Everything that does not hold; each line says where."""
    found = []
    for number in run.owned:
        log = run.broker.log(topics.LEAD_EVENTS, number).records
        folded = fold(
            log, run.changes, number=number, partitions=len(run.owned),
            secret=run.secret, bounds=run.bounds, handle=run.engine(),
        )  # fmt: skip
        found += [f"partition {number}: {line}" for line in _partition(run, number, folded)]
    return found


def _partition(run: Run, number: int, folded: Folded) -> list[str]:
    effects = folded.effects
    log = run.broker.log
    end = log(topics.LEAD_EVENTS, number).end
    buried = [r for r in log(topics.DEAD_LETTERS, 0).records if _from(r) == number]
    found = _states(run, number, folded, end)
    found += _same("command", log(topics.COMMANDS, number).records, effects.commands, _whole)
    found += _same("fact", log(topics.JOURNEY_FACTS, number).records, effects.facts, _whole)
    found += _same("dead letter", buried, effects.dead_letters, _letter)
    written = {_whole(r) for r in log(topics.SUPPRESSIONS, 0).records}
    found += [
        f"lost suppression {r.key!r}" for r in effects.suppressions if _whole(r) not in written
    ]
    if run.broker.committed.get(number, 0) > end:
        found.append(f"{run.broker.committed[number]} is committed, the log ends at {end}")
    if folded.change != run.changes.newest:
        found.append(f"change {run.changes.newest} never came, {folded.change} is in force")
    return found


def _states(run: Run, number: int, folded: Folded, end: int) -> list[str]:
    stored: dict[bytes, bytes] = {}
    marker = -1
    for record in run.broker.log(topics.LEADS_CHANGELOG, number).records:
        key, value = record.key or b"", record.value or b""
        if key == MARKER_KEY:
            marker = max(marker, decode_marker(value).watermark)
        elif key != FENCE_KEY and (
            key not in stored or prefix_of(value).watermark >= prefix_of(stored[key]).watermark
        ):
            stored[key] = value
    found = []
    if marker != end - 1:
        found.append(f"the marker says {marker}, the log ends at {end}")
    for key in sorted(stored.keys() | folded.states.keys()):
        ours, theirs = stored.get(key), folded.states.get(key)
        if ours != theirs:
            found.append(
                f"state of {key.decode()} is {ours and decode(ours)}, the fold says "
                f"{theirs and decode(theirs)}"
            )
        elif ours and 0 <= prefix_of(ours).next_due < min(run.broker.now_ms - LATE_MS, NEVER):
            found.append(f"{key.decode()} was not woken")
        elif ours and prefix_of(ours).change <= run.changes.at(folded.change).last_touching:
            found.append(f"{key.decode()} was not reached by the last change")
    return found


def _same(
    what: str,
    written: Iterable[Written],
    folded: Iterable[Written],
    identity: Callable[[Written], tuple[object, ...]],
) -> list[str]:
    there, due = {identity(r) for r in written}, {identity(r) for r in folded}
    return [f"lost {what} {one}" for one in due - there] + [
        f"invented {what} {one}" for one in there - due
    ]


def _whole(record: Written) -> tuple[object, ...]:
    return (record.key, record.value, tuple(record.headers))


def _letter(record: Written) -> tuple[object, ...]:
    headers = dict(record.headers)
    where = (headers["dripline-partition"], headers["dripline-offset"])
    return (*where, headers["dripline-reason"], record.key, record.value)


def _from(record: Written) -> int:
    return int(dict(record.headers)["dripline-partition"])
