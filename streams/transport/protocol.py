"""What the transport drives: an object per partition, without I/O (architecture, Rooms)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Protocol, TypeVar

from streams.ports import LogRecord


class PartitionObject(Protocol):
    """`streams.partition.LeadPartition`, `streams.delivery`'s, and the toys of tests.

    Every method is called from one event loop and never while another one runs. Outputs are those
    of `streams.ports`, or objects of the role's own. An exception ends the process.
    """

    def recovered(self, key: bytes, value: bytes | None) -> None:
        """One record of the changelog, in order; fences are among them."""

    def started(
        self,
        *,
        log_start: int,
        log_end: int,
        topic_id: str,
        changelog_end: int,
        from_log_start: bool = False,
        generation: int = 0,
    ) -> int:
        """The changelog is read up to `changelog_end`; give the offset to begin at, or `Halt`."""

    def received(self, records: Sequence[LogRecord]) -> Iterable[object]:
        """A contiguous run of the log."""

    def absent(self, first: int, last: int) -> None:
        """The log holds no records at [first, last), only transaction markers."""

    def resumed(self) -> Iterable[object]:
        """The changes that an `AwaitChanges` asked for are there."""

    def acknowledged(self, ticket: int, base_offset: int) -> Iterable[object]:
        """A `Produce` is durable."""

    def foreign(self, key: bytes, value: bytes | None) -> None:
        """One record that somebody else wrote into the changelog."""

    def reread(self) -> Iterable[object]:
        """All records of a `Reread` were handed to `foreign`."""

    def tick(
        self, now_ms: int, *, real_ms: int | None = None, wake: bool = True
    ) -> Iterable[object]:
        """It is `now_ms` by the log's clock, and `real_ms` by one that runs in real time.

        `wake` False: append nothing to the log.
        """

    def flush(self) -> Iterable[object]:
        """Begin a flush now."""

    @property
    def idle(self) -> bool:
        """Nothing that was handled is still to be made durable."""

    @property
    def full(self) -> bool:
        """Nothing more is to be handed over until this is False again."""


P = TypeVar("P", bound=PartitionObject)
NewPartition = Callable[[int], P]
