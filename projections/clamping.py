"""Times that ClickHouse can hold: `DateTime64` ends with the year 2299, a campaign's date may not.

Times are UTC milliseconds.
"""

from __future__ import annotations

EARLIEST_MS = -2_208_988_800_000  # 1900-01-01
LATEST_MS = 10_413_791_999_999  # 2299-12-31T23:59:59.999


def clamped(ms: int) -> int:
    """The time, or the earliest or latest one that there is."""
    return min(max(ms, EARLIEST_MS), LATEST_MS)
