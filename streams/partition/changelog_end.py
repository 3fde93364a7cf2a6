"""Does somebody else write into our changelog? Every acknowledgement tells, and costs nothing."""

from __future__ import annotations

from schemas.errors import Halt
from streams.ports import Reread


class ChangelogEnd:
    """The offset that the next record must get if nobody else writes; None: not known."""

    def __init__(self) -> None:
        self._expected: int | None = None

    def begin(self, end: int) -> None:
        """After recovery."""
        self._expected = end

    def written(self, name: str, base: int, records: int) -> Reread | None:
        """So many records of ours lie from `base` (-1: not known) on: what to read, if anything.

        `Halt` when the changelog became shorter.
        """
        expected = self._expected
        self._expected = base + records if base >= 0 else None
        if base < 0 or expected is None or base == expected:
            return None
        if base < expected:
            raise Halt(
                f"{name}: the changelog ended at {expected}, now a record got offset {base}: it "
                f"was deleted or cut; start again to recover what is left, and run verify"
            )
        return Reread(expected, base)
