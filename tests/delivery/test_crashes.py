"""Delivery in a failing world, 300 seeds; and that the world notices delivery done wrongly."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from msgspec.structs import replace

from schemas.state import FENCE_KEY, MARKER_KEY
from streams.delivery.book import Book, Group
from streams.delivery.desk import Desk
from streams.delivery.done import Done
from streams.delivery.partition import DeliveryPartition
from streams.delivery.recovery import Recovered
from streams.delivery.sends import FINISHED, STARTED, OpenSend
from streams.ports import Outgoing
from tests.delivery import world as failing
from tests.delivery.world import World

SEEDS = 300
SEEDS_OF_A_MUTANT = 100


def run(seed: int) -> World:
    """Run one world; a failure names its seed."""
    world = World(seed)
    try:
        world.run()
        world.check()
    except AssertionError as error:
        raise AssertionError(f"seed {seed}: {error}") from error
    return world


def run_all(seeds: range) -> None:
    """Run one world after another."""
    for seed in seeds:
        run(seed)


@pytest.mark.parametrize("first", range(0, SEEDS, 50))
def test_a_mail_goes_out_at_most_once_and_every_command_has_one_outcome(first: int) -> None:
    run_all(range(first, first + 50))


def test_the_world_is_rough_enough() -> None:
    worlds = [run(seed) for seed in range(30)]

    assert sum(world.crashes for world in worlds) > 200
    assert sum(world.halts for world in worlds) > 30
    unknown = [event for world in worlds for event in world.events if b"unknown" in event.value]
    assert len(unknown) > 30


def told_before_it_is_durable(patch: pytest.MonkeyPatch) -> None:
    decide, written = Desk.decide, Desk.written

    def too_soon(desk: Desk, entry: OpenSend, verdict: Any) -> None:
        decide(desk, entry, verdict)
        if entry.send.status == FINISHED:
            desk._to_tell.append(entry)

    def untold(desk: Desk, group: Group, outputs: list[object]) -> None:
        written(desk, group, outputs)
        desk._to_tell = []

    patch.setattr(Desk, "decide", too_soon)
    patch.setattr(Desk, "written", untold)


def called_before_the_start_is_durable(patch: pytest.MonkeyPatch) -> None:
    pump = DeliveryPartition._pump

    def too_soon(
        partition: DeliveryPartition, outputs: list[object], *, at_leisure: bool = False
    ) -> list[object]:
        outputs = pump(partition, outputs, at_leisure=at_leisure)
        for entry in partition._book.open.values():
            if entry.send.status == STARTED:
                partition._desk._call(entry, outputs)
        return outputs

    patch.setattr(DeliveryPartition, "_pump", too_soon)


def unknown_mails_are_sent_again(patch: pytest.MonkeyPatch) -> None:
    email = replace(failing.POLICIES["email"], unknown="resend")
    patch.setitem(failing.POLICIES, "email", email)


def a_new_owner_is_not_noticed(patch: pytest.MonkeyPatch) -> None:
    foreign = Book.foreign
    patch.setattr(
        Book, "foreign", lambda book, key: None if key == FENCE_KEY else foreign(book, key)
    )


def everybody_counts_as_owner(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Recovered, "_owned", lambda recovered, epoch: True)


def results_are_forgotten(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Done, "__contains__", lambda done, key: False)


def the_marker_comes_first(patch: pytest.MonkeyPatch) -> None:
    group = Book.group

    def marker_first(book: Book, *, at_leisure: bool) -> list[Outgoing]:
        records = group(book, at_leisure=at_leisure)
        records.sort(key=lambda record: record.key != MARKER_KEY)
        return records

    patch.setattr(Book, "group", marker_first)


def the_offset_passes_a_dead_letter_under_way(patch: pytest.MonkeyPatch) -> None:
    take_in = Book.take_in

    def without_letter(
        book: Book, offset: int, entry: OpenSend | None = None, letter: int = 0
    ) -> None:
        take_in(book, offset, entry)

    patch.setattr(Book, "take_in", without_letter)


MUTANTS = [
    told_before_it_is_durable,
    called_before_the_start_is_durable,
    unknown_mails_are_sent_again,
    a_new_owner_is_not_noticed,
    everybody_counts_as_owner,
    results_are_forgotten,
    the_marker_comes_first,
    the_offset_passes_a_dead_letter_under_way,
]


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.__name__)
def test_the_world_notices(
    mutant: Callable[[pytest.MonkeyPatch], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    mutant(monkeypatch)

    with pytest.raises(AssertionError, match="seed"):
        run_all(range(SEEDS_OF_A_MUTANT))
