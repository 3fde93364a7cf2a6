"""The walk over a partition's leads after a change that touches leads who are there already.

It keeps no cursor that must survive: the prefix of each state tells which changes its lead has
taken in. Whoever has not is due, at the change's time, and so is woken like any other timer, in
bounded portions, oldest first (architecture, "Campaign changes").
"""

from __future__ import annotations

from typing import Protocol

from schemas.state import QUARANTINED
from streams.engine.registry import EMPTY, Registries, Registry
from streams.partition.states import States
from streams.partition.timer_index import TimerIndex


class Marked(Protocol):
    """Whoever knows when the change markers of a partition came, ms by number."""

    changes: dict[int, int]


class Effective:
    """How changes took effect in a partition: the engine's `History`."""

    def __init__(self, marked: Marked, registries: Registries) -> None:
        self._marked = marked
        self._registries = registries

    def time(self, number: int) -> int:
        """When the change took effect here: with the first marker that is not below it, ms."""
        changes = self._marked.changes
        markers = [marker for marker in changes if marker >= number]
        return changes[min(markers)] if markers else 0

    def registry(self, number: int) -> Registry:
        """The registry in force after the change."""
        return self._registries.at(number)


class Walking:
    """Which leads a change still has to reach."""

    def __init__(self, states: States, history: Effective) -> None:
        self._states = states
        self._history = history
        self._registry = EMPTY
        self._next = 0
        self._end = 0

    def begin(self, registry: Registry) -> None:
        """A registry is in force from here on: walk again if it holds a change that touches."""
        touches = registry.last_touching > self._registry.last_touching
        self._registry = registry
        if touches:
            self._next, self._end = 0, len(self._states.keys)

    def due(self, slot: int) -> int:
        """The lead's next due time; a change that it has not taken in is due since it came."""
        states = self._states
        if not states.keys[slot]:
            return -1
        head = states.prefix(slot)
        last = self._registry.last_touching
        if head.change > last or head.change == QUARANTINED:
            return head.next_due
        return min(head.next_due, self._history.time(last))

    @property
    def waits_since(self) -> int | None:
        """The time of the change that the walk is about, None when it is through."""
        return self._history.time(self._registry.last_touching) if self._next < self._end else None

    def walk(self, index: TimerIndex, most: int) -> None:
        """Look at the next `most` leads."""
        end = min(self._end, self._next + most)
        last = self._registry.last_touching
        for slot in range(self._next, end):
            if self._states.keys[slot] and self._states.prefix(slot).change <= last:
                index.set(slot, self.due(slot))
        self._next = end
