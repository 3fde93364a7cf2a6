"""Recorded logs fold to the recorded end: the engine sees the past as it did."""

import json
from collections import Counter
from typing import Any

import msgspec
import pytest

from schemas.state import Lead
from tests.histories.recording import SEEDS
from tests.histories.replaying import HERE, fold


def recorded(seed: int) -> dict[str, Any]:
    """What the log came to when it was recorded."""
    found: dict[str, Any] = json.loads((HERE / f"{seed}.folded.json").read_text())
    return found


def leads(folded: dict[str, Any]) -> dict[str, Lead]:
    """States as states: fields that came later have their defaults."""
    return {
        name: msgspec.json.decode(json.dumps(lead), type=Lead)
        for name, lead in folded["leads"].items()
    }


@pytest.mark.parametrize("seed", SEEDS)
def test_a_recorded_log_folds_to_the_recorded_end(seed: int) -> None:
    then = recorded(seed)

    now = fold((HERE / f"{seed}.jsonl").read_bytes().splitlines())

    assert leads(now) == leads(then)
    assert now["facts"] == then["facts"]
    assert now["commands"] == then["commands"]


def test_the_histories_have_much_in_them() -> None:
    """Guards against a history that got empty: what matters has happened, several times."""
    kinds = Counter(fact[2] for seed in SEEDS for fact in recorded(seed)["facts"])

    for kind in ("entered", "entry_refused", "timer_fired", "branched", "split_assigned",
                 "action_issued", "action_suppressed", "outcome", "converted", "completed",
                 "left", "lead_changed", "event_recorded", "campaign_changed"):  # fmt: skip
        assert kinds[kind] >= 2, kind
