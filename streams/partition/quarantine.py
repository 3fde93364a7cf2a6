"""When the engine raises on one record: what is told, and how much of it is too much."""

from __future__ import annotations

from collections import deque
from types import TracebackType

from schemas.errors import DriplineError, Halt
from streams.partition.bounds import Bounds


class QuarantineWindow:
    """The offsets of the records on which the engine raised of late."""

    def __init__(self, number: int, bounds: Bounds) -> None:
        self._number = number
        self._bounds = bounds
        self._offsets: deque[int] = deque()

    def add(self, offset: int, error: Exception) -> None:
        """One more; raises `Halt` when it is not one lead's misfortune but the engine's fault."""
        offsets = self._offsets
        offsets.append(offset)
        while offsets[0] <= offset - self._bounds.quarantine_window:
            offsets.popleft()
        if len(offsets) > self._bounds.quarantines:
            raise Halt(
                f"partition {self._number}: handling raised for {len(offsets)} leads among the "
                f"last {self._bounds.quarantine_window} records, at last at offset {offset} "
                f"({where(error)}): the engine is at fault; go back to the release before"
            ) from error


def fatal(error: Exception) -> bool:
    """Not about this record: end the process instead."""
    return isinstance(error, MemoryError | DriplineError)


def where(error: Exception) -> str:
    """The error's kind and the line that raised it: the same at every replay, no lead's data."""
    last: TracebackType | None = error.__traceback__
    while last is not None and last.tb_next is not None:
        last = last.tb_next
    name = type(error).__name__
    if last is None:
        return name
    module = last.tb_frame.f_globals.get("__name__", "?")
    return f"{name} at {module}:{last.tb_lineno}"
