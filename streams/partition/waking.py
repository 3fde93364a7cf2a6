"""Whom to wake now. Only the engine decides what a wake-up means; too many do no harm.

A wake-up that was sent is open until it comes back from the log; a lead has at most one open. One
that came back too early by the log's clock, or did not come back, is sent again.
"""

from __future__ import annotations

from collections.abc import Callable

from schemas.ids import record_id
from schemas.records import ENCODE, NAMES, WakeUp
from schemas.state import NEVER
from streams.partition.bounds import Bounds
from streams.partition.counts import PartitionCounts
from streams.partition.timer_index import TimerIndex
from streams.ports import Outgoing

STUCK_MS = 60_000
"""After a wake-up that came in time and moved nothing the lead is left alone for so long."""

_SCHEMA = ("schema", NAMES[WakeUp].encode())


class Waking:
    """Slots, due times and the open wake-ups of one partition."""

    def __init__(self, bounds: Bounds, counts: PartitionCounts) -> None:
        self.index = TimerIndex()
        self._bounds = bounds
        self._counts = counts
        self._open: dict[int, tuple[int, int]] = {}  # slot: due, sent (real)
        self._now_ms = 0
        self._real_ms: int | None = None
        self._tokens = 0.0

    def due(self, now_ms: int, real_ms: int, due_of: Callable[[int], int]) -> list[tuple[int, int]]:
        """Slot and due time of the leads to wake; they are open from now on.

        `due_of` gives a lead's true next due time: the index may be behind it.
        """
        self._now_ms = now_ms
        self._refill(real_ms)
        self._give_up_lost(real_ms)
        woken = []
        room = min(int(self._tokens), self._bounds.wakes_open - len(self._open))
        while room > 0:
            slots = self.index.pop(now_ms, room)
            for slot in slots:
                due = due_of(slot)
                if slot in self._open or due < 0 or due == NEVER:
                    continue
                if due > now_ms:
                    self.index.set(slot, due)
                    continue
                self._open[slot] = (due, real_ms)
                woken.append((slot, due))
            if len(slots) < room:
                break
            room = min(int(self._tokens) - len(woken), self._bounds.wakes_open - len(self._open))
        self._tokens -= len(woken)
        self._counts.wakes += len(woken)
        self._gauge(now_ms, room <= 0)
        return woken

    def returned(self, slot: int, due: int, time_ms: int, effect: bool) -> None:
        """A wake-up of this lead was handled at `time_ms`; its next due time is `due` now."""
        sent = self._open.pop(slot, None)
        if sent is not None and sent[0] > time_ms:
            self._counts.wakes_early += 1
        if due == NEVER or due < 0:
            return
        if due > time_ms:
            # Our clock may be ahead of the log's: what is so far off there is so far off here.
            self.index.set(slot, max(due, self._now_ms + due - time_ms))
        elif effect:
            self.index.set(slot, due)
        else:
            self._counts.wakes_stuck += 1
            self.index.set(slot, self._now_ms + STUCK_MS)

    def _refill(self, real_ms: int) -> None:
        rate = self._bounds.wakes_per_second
        if self._real_ms is None:
            self._tokens = float(rate)
        else:
            passed = max(real_ms - self._real_ms, 0)
            self._tokens = min(float(rate), self._tokens + rate * passed / 1000)
        self._real_ms = real_ms

    def _give_up_lost(self, real_ms: int) -> None:
        lost = []
        for slot, (due, sent_ms) in self._open.items():
            if real_ms - sent_ms < self._bounds.wake_timeout_ms:
                break
            lost.append((slot, due))
        for slot, due in lost:
            del self._open[slot]
            self.index.set(slot, due)
        self._counts.wakes_lost += len(lost)

    def _gauge(self, now_ms: int, held_back: bool) -> None:
        counts = self._counts
        counts.timers_pending = len(self.index)
        counts.timers_overdue = len(self._open) + (self.index.overdue(now_ms) if held_back else 0)
        counts.oldest_due_ms = next(iter(self._open.values()), (0, 0))[0]


def wake_up(key: bytes, due: int, partition: int) -> Outgoing:
    """The record that wakes the lead with this key."""
    id = record_id("wake-up", partition, key.hex(), due)
    return Outgoing(key, ENCODE(WakeUp(due)), (_SCHEMA, ("id", id.encode())))
