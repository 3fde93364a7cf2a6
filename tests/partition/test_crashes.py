"""The real partition objects under crashes from a seed come to what the plain fold says."""

from __future__ import annotations

import pytest

from schemas import topics
from streams.simulation.crashes import CHANGES, CRASHES, PARTITIONS, RECORDS, Run

SEEDS = 600
PORTION = 100


@pytest.mark.parametrize("first", range(0, SEEDS, PORTION))
def test_no_crash_loses_or_invents_anything(first: int) -> None:
    for seed in range(first, first + PORTION):
        found = Run(seed).run()
        again = f"python -m streams.simulation.crashes --seed {seed}"
        assert not found, f"again with: {again}\n" + "\n".join(found)


def test_the_seeds_hold_what_they_promise() -> None:
    """Else all could hold because nothing happens in them."""
    assert RECORDS >= 200
    assert (PARTITIONS, CHANGES) == (4, 3)
    assert CRASHES >= 5
    commands = repeated = foreign = wakes = 0
    for seed in range(40):
        run = Run(seed)
        assert run.run() == []
        for number, partition in run.owned.items():
            written = run.broker.log(topics.COMMANDS, number).records
            commands += len(written)
            repeated += len(written) - len({record.value for record in written})
            foreign += partition.counts.foreign
            wakes += sum(
                ("schema", b"wake-up/1") in record.headers
                for record in run.broker.log(topics.LEAD_EVENTS, number).records
            )
    assert commands > 300
    assert repeated > 10
    assert foreign > 0
    assert wakes > 200
