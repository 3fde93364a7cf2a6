"""Lint of times: what no instant can satisfy, and rates too low to be kept."""

from __future__ import annotations

from typing import Final

from schemas.campaigns import Definition, Limits, Step, When, Window
from streams.engine.findings import Findings, child
from streams.engine.lint_names import MESSAGES
from streams.engine.notation import HOUR_MS
from streams.engine.tree import blocks, every_step

WEEK: Final = 7
DAY_MINUTES: Final = 24 * 60
# Each of the 96 partitions that production has by default lets through its share of a rate.
LEAST_PER_HOUR: Final = 96
_ALL: Final = (1 << WEEK * DAY_MINUTES) - 1


def check_times(definition: Definition, findings: Findings) -> None:
    """Windows, days, spans and rates."""
    _check_active(definition, findings)
    limits = definition.limits
    if limits.quiet_hours is not None:
        _check_window(limits.quiet_hours, "limits.quiet_hours", findings)
    if len(limits.quiet_days) == WEEK:
        findings.add(
            "never-satisfiable", "limits.quiet_days", "every day is quiet: nothing is ever sent"
        )
    for path, rate in (
        ("limits.send_rate", limits.send_rate),
        ("entries_at_most.rate", definition.entry_rate),
    ):
        if rate is not None and rate[0] * HOUR_MS / rate[1] < LEAST_PER_HOUR:
            findings.add(
                "low-rate", path,
                f"under {LEAST_PER_HOUR} an hour a partition's share is less than one an hour, "
                "so leads wait long for their turn",
            )  # fmt: skip
    for step in every_step(definition.steps):
        when = step.options.get("when")
        if isinstance(when, When) and when.between is not None:
            _check_window(when.between, child(step.path, "between"), findings)
    _check_messages(definition.steps, limits, findings)


def _check_active(definition: Definition, findings: Findings) -> None:
    active = definition.active
    if active is None or active.from_ is None or active.until is None:
        return
    start, end = active.from_, active.until
    never = (
        (start.ms is not None and end.ms is not None and start.ms >= end.ms)
        or (start.local is not None and end.local is not None and start.local >= end.local)
    )  # fmt: skip
    if never:
        findings.add("never-satisfiable", "active", "`until` is not after `from`: no lead enters")


def _check_window(window: Window, path: str, findings: Findings) -> None:
    if window.start == window.end:
        findings.add(
            "never-satisfiable", path,
            "the window ends where it begins: write its real end, or leave it out for all day",
        )  # fmt: skip


def _check_messages(steps: tuple[Step, ...], limits: Limits, findings: Findings) -> None:
    """A message honours the `between` and `on` of the wait just before it, and quiet time."""
    quiet = _quiet(limits)
    if not quiet or quiet == _ALL:
        return
    for before, step in zip((None, *steps), steps, strict=False):
        when = before.options.get("when") if before is not None else None
        held = step.verb in MESSAGES and not step.options.get("transactional")
        if held and isinstance(when, When) and (when.between or when.days):
            allowed = _minutes(when.between, when.days)
            if allowed and not allowed & ~quiet & _ALL:
                findings.add(
                    "never-satisfiable", step.path,
                    "the `between` and `on` of the wait before it lie all in the quiet time: "
                    "it can never be sent",
                )  # fmt: skip
        for _, block in blocks(step):
            _check_messages(block, limits, findings)


def _quiet(limits: Limits) -> int:
    """The quiet minutes of a week, from Monday 00:00, as bits."""
    hours = _minutes(limits.quiet_hours, frozenset()) if limits.quiet_hours else 0
    days = _minutes(None, limits.quiet_days) if limits.quiet_days else 0
    return hours | days


def _minutes(window: Window | None, days: frozenset[int]) -> int:
    """The minutes of a week in a window on these days (none: all), as bits.

    The day of an overnight window is the one it begins on.
    """
    start, length = 0, DAY_MINUTES
    if window is not None:
        start, length = window.start, (window.end - window.start) % DAY_MINUTES
    block = (1 << length) - 1
    found = 0
    for day in days or range(WEEK):
        bits = block << (day * DAY_MINUTES + start)
        found |= bits & _ALL | bits >> WEEK * DAY_MINUTES
    return found
