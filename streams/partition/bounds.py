"""The bounds of one partition's protocol, in one place; the defaults suit production."""

from __future__ import annotations

from msgspec import Struct


class Bounds(Struct, frozen=True):
    """Times are real milliseconds, so that a faster clock of the log changes none of them.

    `flush_ms`: least time between two flushes of states. `marker_ms`: the same when only records
    without effect were handled, `keep_alive_ms` when nothing was: so a partition at rest learns
    that somebody else wrote before the broker compacts. `changed_leads`: so many begin a flush at
    once. `record_bytes`: a longer value is the dead letter `too_large`. More than `quarantines`
    leads quarantined among the last `quarantine_window` records end the process.
    `wakes_per_second` and `wakes_open` (sent and not yet back) pace the waker; after
    `wake_timeout_ms` one counts as lost. `change_marker_ms`: how long a change marker may be
    missing before it is appended. `walked_leads`: so many leads are looked at in one tick after a
    change that touches leads.
    """

    flush_ms: int = 1_000
    marker_ms: int = 5_000
    keep_alive_ms: int = 600_000
    changed_leads: int = 5_000
    record_bytes: int = 64 * 1024
    quarantines: int = 100
    quarantine_window: int = 10_000
    wakes_per_second: int = 2_000
    wakes_open: int = 8_000
    wake_timeout_ms: int = 30_000
    change_marker_ms: int = 10_000
    walked_leads: int = 5_000


DEFAULTS = Bounds()
