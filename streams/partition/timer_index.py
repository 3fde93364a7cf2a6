"""Whom to wake, and when: one entry per lead, in compact arrays.

A lead is a small number here, its slot. Buckets span a second for the next two minutes, a minute
for the next two days, a day beyond; a bucket is an array of slots and is split into finer ones
when its time comes near. Per slot lie the due time and the bucket where its entry is: 16 bytes a
lead in all, where a heap of tuples takes 200.

The truth lies in the lead's state. Moving and cancelling are lazy: an entry that is not where its
slot says is passed over, and one whose due time has moved later is put on when its bucket comes.
"""

from __future__ import annotations

from array import array
from heapq import heappop, heappush

from schemas.state import NEVER

SECOND_MS = 1_000
MINUTE_MS = 60_000
DAY_MS = 86_400_000
SECONDS_AHEAD_MS = 2 * MINUTE_MS
MINUTES_AHEAD_MS = 2 * DAY_MS
_READY = (1 << 32) - 1  # place of a slot that is due and waits its turn
_LAST = _READY - 2 * DAY_MS // SECOND_MS  # second of the last bucket; later ones wait there


class _Level:
    """Buckets of one width, by their start in seconds."""

    __slots__ = ("buckets", "heap", "seconds")

    def __init__(self, width_ms: int) -> None:
        self.seconds = width_ms // SECOND_MS
        self.buckets: dict[int, array[int]] = {}
        self.heap: list[int] = []

    def add(self, start: int, slot: int) -> None:
        bucket = self.buckets.get(start)
        if bucket is None:
            bucket = self.buckets[start] = array("I")
            heappush(self.heap, start)
        bucket.append(slot)

    def take(self) -> array[int]:
        return self.buckets.pop(heappop(self.heap))


class TimerIndex:
    """The earliest due time of every slot that has one, in UTC milliseconds."""

    def __init__(self) -> None:
        self._due = array("q")
        self._place = array("I")  # start of the entry's bucket in seconds, plus 1; 0: no entry
        self._levels = (_Level(SECOND_MS), _Level(MINUTE_MS), _Level(DAY_MS))
        self._ready = array("I")
        self._now = 0
        self._count = 0

    def __len__(self) -> int:
        """How many slots have a timer."""
        return self._count

    def set(self, slot: int, due: int) -> None:
        """The slot's only timer is due at `due` now; `NEVER` cancels it."""
        if slot >= len(self._due):
            more = slot + 1 - len(self._due)
            self._due.extend([NEVER] * more)
            self._place.extend([0] * more)
        self._count += (due != NEVER) - (self._due[slot] != NEVER)
        self._due[slot] = due
        if due != NEVER:
            self._enter(slot, due)

    def _enter(self, slot: int, due: int) -> None:
        ahead = due - self._now
        if ahead < SECONDS_AHEAD_MS:
            level = self._levels[0]
        elif ahead < MINUTES_AHEAD_MS:
            level = self._levels[1]
        else:
            level = self._levels[2]
        second = min(max(due // SECOND_MS, 0), _LAST)
        start = second - second % level.seconds
        place = self._place[slot]
        if 0 < place <= start + 1:
            return  # its bucket comes no later than this one would
        self._place[slot] = start + 1
        level.add(start, slot)

    def pop(self, now: int, limit: int) -> list[int]:
        """At most `limit` slots due at or before `now`; they have no timer afterwards.

        Oldest first, ties by slot; what was already overdue when it was set may come later.
        """
        self._now = max(self._now, now)
        popped: list[int] = []
        while len(popped) < limit:
            if not self._ready and not self._refill(now):
                break
            while self._ready and len(popped) < limit:
                slot = self._ready.pop()
                if self._place[slot] != _READY:
                    continue
                self._place[slot] = 0
                due = self._due[slot]
                if due <= now:
                    popped.append(slot)
                    self._due[slot] = NEVER
                    self._count -= 1
                elif due != NEVER:  # moved, or the clock went back
                    self._enter(slot, due)
        return popped

    def _refill(self, now: int) -> bool:
        """Bring the next slots that are due into `_ready`, the oldest last; False: none is."""
        while not self._ready:
            level = self._lowest()
            if level is None or level.heap[0] * SECOND_MS > now:
                return False
            start = level.heap[0]
            entries = self._valid(level.take(), start)
            entries.sort(key=lambda slot: (self._due[slot], slot), reverse=True)
            for slot in entries:
                due = self._due[slot]
                if due <= now and (level.seconds == 1 or start + level.seconds > _LAST):
                    self._place[slot] = _READY
                    self._ready.append(slot)
                else:
                    self._enter(slot, due)
            if not self._ready and level.heap[:1] == [start]:
                return False  # the rest of this bucket is still to come
        return True

    def _valid(self, bucket: array[int], start: int) -> list[int]:
        """The slots whose entry this is; they have no entry afterwards."""
        slots = []
        for slot in bucket:
            if self._place[slot] == start + 1:
                self._place[slot] = 0
                if self._due[slot] != NEVER:
                    slots.append(slot)
        return slots

    def _lowest(self) -> _Level | None:
        """The level whose first bucket begins first; of equals the coarsest, to be split."""
        lowest = None
        for level in self._levels:
            if level.heap and (lowest is None or level.heap[0] <= lowest.heap[0]):
                lowest = level
        return lowest

    def overdue(self, now: int) -> int:
        """About how many are due at or before `now`: whole buckets, stale entries included."""
        return len(self._ready) + sum(
            len(bucket)
            for level in self._levels
            for start, bucket in level.buckets.items()
            if start * SECOND_MS <= now
        )

    def earliest(self) -> int:
        """The earliest due time, exactly, or `NEVER`."""
        best = min((self._due[s] for s in self._ready if self._place[s] == _READY), default=NEVER)
        for level in self._levels:
            for start in sorted(level.buckets):
                if start * SECOND_MS >= best:
                    break
                for slot in level.buckets[start]:
                    if self._place[slot] == start + 1 and self._due[slot] < best:
                        best = self._due[slot]
        return best
