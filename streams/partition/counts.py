"""What a partition counts while it works: plain ints, published by the process at its leisure."""

from __future__ import annotations

from msgspec import Struct, field

LATENESS_MS = (100, 500, 1_000, 5_000, 30_000, 60_000, 300_000, 3_600_000)
"""Upper bounds of the lateness buckets; one more bucket holds what is later still."""


class PartitionCounts(Struct):
    """Totals since the start of this object, but for the gauges `timers_*` and `oldest_due_ms`.

    `records` = `effects` + `no_effect` + `skipped` + `dead_letters` + `change_markers`. `states`
    counts changelog records but markers; `rewritten` those written again because somebody else
    wrote. `refusals` holds what the engine only counts (`reentry`, `repeated`, …). `lateness` are
    wake-ups that had an effect, by `LATENESS_MS`; `lateness_ms` is their sum. `oldest_due_ms` is
    the due time of the oldest wake-up on its way, 0: none.
    """

    records: int = 0
    effects: int = 0
    no_effect: int = 0
    skipped: int = 0
    commands: int = 0
    facts: int = 0
    states: int = 0
    state_bytes: int = 0
    large_states: int = 0
    markers: int = 0
    flushes: int = 0
    dead_letters: int = 0
    quarantined: int = 0
    foreign: int = 0
    rewritten: int = 0
    change_markers: int = 0
    wakes: int = 0
    wakes_early: int = 0
    wakes_lost: int = 0
    wakes_stuck: int = 0
    timers_pending: int = 0
    timers_overdue: int = 0
    oldest_due_ms: int = 0
    lateness_ms: int = 0
    lateness: list[int] = field(default_factory=lambda: [0] * (len(LATENESS_MS) + 1))
    refusals: dict[str, int] = field(default_factory=dict)
    dead_letter_reasons: dict[str, int] = field(default_factory=dict)
    facts_by_kind: dict[str, int] = field(default_factory=dict)
    commands_by_channel: dict[str, int] = field(default_factory=dict)

    def late(self, lateness_ms: int) -> None:
        """A wake-up took effect so long after its due time."""
        self.lateness_ms += lateness_ms
        for i, bound in enumerate(LATENESS_MS):
            if lateness_ms <= bound:
                self.lateness[i] += 1
                return
        self.lateness[-1] += 1


def count(counts: dict[str, int], name: str, more: int = 1) -> None:
    """Add to one of several counts."""
    counts[name] = counts.get(name, 0) + more
