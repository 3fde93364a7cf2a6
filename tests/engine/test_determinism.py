"""The same log folds to the same bytes: in another process, in other batches, from any point."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from hashlib import blake2b
from pathlib import Path

import pytest

from schemas.records import Record
from schemas.state import Lead, decode, encode
from streams.engine.handle import handle
from streams.engine.registry import Registries
from tests.engine.folding import Log, change_of, registry_of, reread, shipped
from tests.engine.logs import CAMPAIGNS, TEMPLATE, registry_of_all, run

ROOT = Path(__file__).parents[2]


def fold(seed: int, records: int) -> str:
    """Digest of every state, fact and command of a random log."""
    log = registry_of_all()
    digest = blake2b(digest_size=16)
    pick = random.Random(seed)
    for _ in range(records):
        run(log, pick, 1)
        digest.update(shipped(log.handled[-1]))
        digest.update(b"" if log.lead is None else log.bytes())
    return digest.hexdigest()


def test_in_two_processes_with_different_hashes() -> None:
    """Nothing may depend on the order in which a set is walked."""
    found = set()
    for seed in ("0", "1", "4242"):
        done = subprocess.run(
            [sys.executable, "-c", "from tests.engine.test_determinism import fold; "
             "print(fold(5, 120), fold(6, 120))"],
            env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": str(ROOT)},
            cwd=ROOT, capture_output=True, text=True, check=True,
        )  # fmt: skip
        found.add(done.stdout)
    assert len(found) == 1
    assert len(found.pop().split()) == 2


def records_of(seed: int, count: int) -> list[Record]:
    """The records of a random log, as another process reads them."""
    log = registry_of_all()
    taken: list[Record] = []
    original = log.handle

    def handled(record: Record):  # type: ignore[no-untyped-def]
        taken.append(reread(record))
        return original(record)

    log.handle = handled  # type: ignore[method-assign]
    run(log, random.Random(seed), count)
    assert len(taken) == count
    return taken


@pytest.mark.parametrize("seed", range(4))
def test_wherever_the_state_was_written_and_read_again(seed: int) -> None:
    """A lead that is encoded and decoded after each record, after some, or never."""
    records = records_of(seed, 150)
    registry = registry_of(TEMPLATE, *CAMPAIGNS)
    states = []
    for often in (1, 7, 1_000):
        lead: Lead | None = None
        out = b""
        for n, record in enumerate(records):
            handled = handle(lead, reread(record), registry)
            lead = handled.lead
            out += shipped(handled)
            if lead is not None and n % often == often - 1:
                lead = decode(encode(lead, record.offset))
        assert lead is not None
        states.append((encode(lead, 0), out))
    assert states[0] == states[1] == states[2]


def test_a_registry_made_again_from_the_changes_folds_alike() -> None:
    registries = Registries()
    documents = [TEMPLATE, *CAMPAIGNS, "{list: later}"]
    for number, document in enumerate(documents):
        registries.append(number, change_of(document))
    registries._kept.clear()
    again = registries.at(len(documents) - 2)
    assert "later" not in again.lists
    records = records_of(9, 100)
    ends = []
    for registry in (again, registry_of(TEMPLATE, *CAMPAIGNS)):
        lead: Lead | None = None
        for record in records:
            lead = handle(lead, reread(record), registry).lead
        assert lead is not None
        ends.append(encode(lead, 0))
    assert ends[0] == ends[1]


def test_ids_come_from_the_place_in_the_log() -> None:
    documents = ["{campaign: c, enter: [{event: Go}], steps: [{call_webhook: {url: 'https://a'}}]}"]

    def command_at(offset: int, lead: str = "ana") -> str:
        log = Log(*documents, lead=lead)
        log.offset = offset
        log.track("2026-01-05T10:00", "Go")
        return log.commands[0].id

    assert command_at(5) == command_at(5)
    assert len({command_at(5), command_at(6), command_at(5, "ben")}) == 3
