"""What a partition of delivery counts: plain ints, published by the process at its leisure."""

from __future__ import annotations

from collections.abc import Hashable
from typing import TypeVar

from msgspec import Struct, field

T = TypeVar("T", bound=Hashable)


class DeliveryCounts(Struct):
    """Totals since the start of this object, of one partition or of all in a process.

    `taken_in` + `repeated` + `dead_letters` of reason `bad_command` and the like = records read.
    `outcomes` by (channel, result), `retries` by (channel, first word of the reason), `unknown` by
    channel, whatever the policy made of it, `not_called` by (channel, reason: `unsubscribed`,
    `bounced`, `expired`, `too_old`).
    """

    taken_in: int = 0
    repeated: int = 0
    retried_by_hand: int = 0
    started: int = 0
    groups: int = 0
    states: int = 0
    foreign: int = 0
    outcomes: dict[tuple[str, str], int] = field(default_factory=dict)
    retries: dict[tuple[str, str], int] = field(default_factory=dict)
    unknown: dict[str, int] = field(default_factory=dict)
    not_called: dict[tuple[str, str], int] = field(default_factory=dict)
    dead_letters: dict[str, int] = field(default_factory=dict)


def count(counts: dict[T, int], name: T) -> None:
    """Add one."""
    counts[name] = counts.get(name, 0) + 1


class Backlog(Struct, frozen=True):
    """Now: sends without a result by channel, and the age of the oldest one's command in ms."""

    queued: dict[str, int]
    oldest_ms: int
