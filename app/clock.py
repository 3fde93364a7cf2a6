"""The only place that reads a clock or makes up an id; everything else takes them as data.

Two times exist. The *log's* time is what records are stamped with and what `wait: 3 days` counts
in; `up --speed` makes it run faster, from a start that all its processes share. *Monotonic* time
is real and is for time-outs, back-off and metrics.
"""

from __future__ import annotations

import math
import time
import uuid

from schemas.errors import UsageError


class Clock:
    """The log's clock: `log_ms` when CLOCK_MONOTONIC showed `start_ns`, running at `speed`.

    CLOCK_MONOTONIC is the same for all processes of a machine (not across a reboot), so equal
    texts mean equal clocks.
    """

    __slots__ = ("log_ms", "speed", "start_ns")

    def __init__(self, start_ns: int, log_ms: int, speed: float) -> None:
        self.start_ns = start_ns
        self.log_ms = log_ms
        self.speed = speed

    def now_ms(self) -> int:
        """The log's time, UTC milliseconds."""
        return self.log_ms + int((time.monotonic_ns() - self.start_ns) * self.speed) // 1_000_000

    def monotonic(self) -> float:
        """Real seconds since some instant; never goes back."""
        return time.monotonic()

    def real_seconds(self, log_seconds: float) -> float:
        """How long a stretch of the log's time takes in reality."""
        return log_seconds / self.speed

    def text(self) -> str:
        """As `DRIPLINE_CLOCK` has it; `shared_clock` of it is the same clock."""
        return f"{self.start_ns}:{self.log_ms}:{self.speed!r}"


class SystemClock(Clock):
    """The machine's wall clock: follows it when it is set, unlike a `Clock` that began with it."""

    __slots__ = ()

    def now_ms(self) -> int:
        """The wall clock, UTC milliseconds."""
        return time.time_ns() // 1_000_000


def system_clock() -> Clock:
    """The clock of a role on a real broker; speed 1."""
    return SystemClock(time.monotonic_ns(), time.time_ns() // 1_000_000, 1.0)


def starting_clock(speed: float, log_ms: int | None = None) -> Clock:
    """A clock that begins now, at `log_ms` (default: the wall clock's time)."""
    start = time.time_ns() // 1_000_000 if log_ms is None else log_ms
    return Clock(time.monotonic_ns(), start, speed)


def shared_clock(text: str) -> Clock:
    """The clock that another process of this machine began: `<monotonic ns>:<log ms>:<speed>`.

    Raises `UsageError` when the text is not of that form or the speed is not above 0.
    """
    try:
        start, log, speed = text.split(":")
        clock = Clock(int(start), int(log), float(speed))
    except ValueError:
        raise UsageError(
            f"DRIPLINE_CLOCK: {text!r} is not <monotonic ns>:<log ms>:<speed>; `up` sets it"
        ) from None
    if not (math.isfinite(clock.speed) and clock.speed > 0):
        raise UsageError(f"DRIPLINE_CLOCK: the speed must be above 0, not {clock.speed}")
    return clock


def clock_of(text: str | None) -> Clock:
    """The clock that a role uses: the shared one where `DRIPLINE_CLOCK` is set, else the wall's."""
    return system_clock() if text is None else shared_clock(text)


def new_id() -> str:
    """A fresh id for something that came without one: 32 hex digits."""
    return uuid.uuid4().hex
