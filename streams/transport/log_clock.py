"""The log's clock as the worker knows it: timers come due by it (architecture, Timers)."""

from __future__ import annotations

import time
from collections.abc import Callable


class LogClock:
    """On a real broker: its append times, as acknowledgements bring them, carried on by our own
    monotonic clock. So a worker with a fast or slow wall clock wakes nobody early.

    Where records keep their producer's time (`follow` False) it is the clock that producers stamp
    with: the shared one of `up`, else the wall's.
    """

    def __init__(self, now_ms: Callable[[], int], *, follow: bool) -> None:
        self._now_ms = now_ms
        self._follow = follow
        self._ahead_ms: int | None = None

    def heard(self, append_ms: int) -> None:
        """A record was appended at `append_ms`, just now; -1 (not told) is left out."""
        if append_ms >= 0:
            self._ahead_ms = append_ms - _monotonic_ms()

    def now_ms(self) -> int | None:
        """The log's time, UTC ms; None before the first acknowledgement (that of a fence)."""
        if not self._follow:
            return self._now_ms()
        return None if self._ahead_ms is None else self._ahead_ms + _monotonic_ms()


def _monotonic_ms() -> int:
    return time.monotonic_ns() // 1_000_000
