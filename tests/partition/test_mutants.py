"""A protocol with one thing wrong must be caught, else the crash simulator is blind to it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest

from schemas.records import Record
from schemas.state import Lead, encode
from streams.engine.changes import History
from streams.engine.handle import Handled
from streams.engine.registry import Registries, Registry
from streams.partition.flush import Flush
from streams.partition.handling import Engine
from streams.partition.partition import LeadPartition
from streams.partition.states import States
from streams.ports import LogRecord, Outgoing, Output, Produce
from streams.simulation.crashes import Run, exploding

SEEDS = 400


class StatesBesideCommands(LeadPartition):
    """States do not wait for commands."""

    def may_write(self, flush: Flush) -> bool:
        return True


class StatesBeforeCommands(LeadPartition):
    """Commands wait for states."""

    _held: tuple[Output, ...] = ()

    def received(self, records: Sequence[LogRecord]) -> list[Output]:
        outputs = super().received(records)
        held = [o for o in outputs if isinstance(o, Produce) and o.lane == "commands"]
        self._held = (*self._held, *held)
        return [o for o in outputs if o not in held]

    def may_write(self, flush: Flush) -> bool:
        return True

    def acknowledged(self, ticket: int, base_offset: int) -> list[Output]:
        flush = self._flush
        outputs = super().acknowledged(ticket, base_offset)
        if flush is not None and flush.ticket == ticket:
            outputs += self._held
            self._held = ()
        return outputs


class MarkerBeforeStates(LeadPartition):
    """The marker vouches for states that are not there yet."""

    @staticmethod
    def in_order(states: list[Outgoing], marker: Outgoing) -> list[Outgoing]:
        return [marker, *states]


class StatesTakenLate(LeadPartition):
    """The states are those of when they are written, not of when the flush began."""

    def may_write(self, flush: Flush) -> bool:
        if not super().may_write(flush):
            return False
        states = self.handling.states
        for record in flush.records:
            slot = states.slots.get(record.key or b"")
            if slot is not None:
                record.value = states.copy(slot)
        return True


class OfClass(Run):
    """A run whose partition objects are of another class."""

    def __init__(self, seed: int, partition: type[LeadPartition]) -> None:
        self.partition = partition
        super().__init__(seed)


class FromTheCommittedOffset(Run):
    """A new owner begins where the group's offset is, not behind the marker."""

    def open(self, number: int, tail: Registries) -> LeadPartition:
        partition = super().open(number, tail)
        committed = self.broker.committed.get(number, 0)
        partition.position = lambda *_: committed  # type: ignore[method-assign]
        return partition


class NewestRegistry(Run):
    """Records are handled by what is published, not by what the log says is in force."""

    def open(self, number: int, tail: Registries) -> LeadPartition:
        partition = super().open(number, tail)
        partition.handling.registry_in_force = (  # type: ignore[method-assign]
            lambda change: tail.at(tail.newest)
        )
        return partition


class CounterInTheFold(Run):
    """The engine counts the partition's commands, and lets every fifth fall."""

    def engine(self) -> Engine:
        inner, count = exploding(), 0

        def counting(
            lead: Lead | None,
            record: Record,
            registry: Registry,
            before_effect: Callable[[Lead | None], None],
            keep_refusals: bool,
            history: History,
        ) -> Handled:
            nonlocal count
            handled = inner(lead, record, registry, before_effect, keep_refusals, history)
            before, count = count, count + len(handled.commands)
            if before // 5 != count // 5:
                handled.commands.clear()
            return handled

        return counting


class NoUndo(Run):
    """A lead is quarantined as the error left it."""

    def open(self, number: int, tail: Registries) -> LeadPartition:
        partition = super().open(number, tail)
        partition.handling.undone = lambda lead: lead  # type: ignore[method-assign]
        return partition


class LastWriteWins(Run):
    """Recovery takes the last state of a lead, whoever wrote it."""

    def open(self, number: int, tail: Registries) -> LeadPartition:
        partition = super().open(number, tail)
        states = partition.handling.states

        def recovered(key: bytes, value: bytes | None) -> None:
            states.values[states.slot(key)] = value or b""

        states.recovered = recovered  # type: ignore[method-assign]
        return partition


class NoSkip(Run):
    """A record that a lead's state has taken in already is handled again."""

    def open(self, number: int, tail: Registries) -> LeadPartition:
        partition = super().open(number, tail)
        started = partition.started

        def without(**where: object) -> int:
            start = started(**where)  # type: ignore[arg-type]
            partition.handling.replayed_to = -1
            return start

        partition.started = without  # type: ignore[method-assign]
        return partition


MUTANTS: dict[str, Callable[[int], Run]] = {
    "states beside commands": lambda seed: OfClass(seed, StatesBesideCommands),
    "states before commands": lambda seed: OfClass(seed, StatesBeforeCommands),
    "start at the committed offset": FromTheCommittedOffset,
    "newest registry instead of the marker's": NewestRegistry,
    "a counter per partition in the fold": CounterInTheFold,
    "undo copy missing": NoUndo,
    "marker before states": lambda seed: OfClass(seed, MarkerBeforeStates),
    "states taken late": lambda seed: OfClass(seed, StatesTakenLate),
    "last write wins": LastWriteWins,
    "no skip": NoSkip,
}


@pytest.mark.parametrize("mutant", MUTANTS)
def test_a_mutant_is_caught(mutant: str) -> None:
    for seed in range(SEEDS):
        if MUTANTS[mutant](seed).run():
            return
    pytest.fail(f"{SEEDS} seeds hold with {mutant}")


def test_a_state_is_bytes_from_the_beginning_of_its_flush() -> None:
    """What the mutant `states taken late` undoes: the stored value does not follow the lead."""
    states = States()
    lead = Lead(points=1)
    slot = states.slot(b"ana")
    states.put(slot, lead, 5)
    ((key, value),) = states.encode_changed(5)
    lead.points = 2
    states.put(slot, lead, 6)
    assert (key, value) == (b"ana", encode(Lead(points=1), 5))
    assert states.copy(slot) == encode(Lead(points=2), 6)
