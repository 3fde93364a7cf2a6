"""Delivery of one partition of `commands`, without I/O: who is called when, and what is written.

Driven as `streams.ports` says. Beside the transport's outputs it gives `Call`s, each answered by
one `called`. What is durable before what: taken in, then the offset; started, then the call;
finished, then the outcome in `lead-events` (and the dead letter), then told. Source:
architecture, Delivery; docs/adr/0004-at-least-once-with-derived-ids.md.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from schemas.errors import Halt
from schemas.topics import SENDS_CHANGELOG
from streams.delivery.blocked import BlockedAddresses
from streams.delivery.book import Book
from streams.delivery.calls import Answer
from streams.delivery.counts import Backlog, DeliveryCounts
from streams.delivery.desk import Desk
from streams.delivery.intake import Intake
from streams.delivery.policy import DAY_MS, POLICIES, Policy
from streams.delivery.queues import Queues
from streams.delivery.recovery import Recovered
from streams.ports import Commit, LogRecord, Produce, Reread

LEISURE_MS = 1_000  # how long a told result or a moved marker may wait for company
HORIZON_MS = 14 * DAY_MS  # as long as `commands` are kept, a worker may say one again


class DeliveryPartition:
    """Partition `number` of `partitions`. `queues` and `blocked` are shared by the process.

    Times are the log's ms; `speed` is how fast its clock runs (back-off is real time). Results
    are remembered for `horizon_ms`; a command older than that is not called where a repeat would
    hurt. Beyond `open_max` open sends, or `open_bytes` of them, nothing more is taken in (`full`).
    `counts` may be shared as well.
    """

    def __init__(
        self,
        number: int,
        partitions: int,
        queues: Queues,
        blocked: BlockedAddresses,
        *,
        now_ms: int,
        policies: Mapping[str, Policy] = POLICIES,
        speed: float = 1.0,
        horizon_ms: int = HORIZON_MS,
        open_max: int = 50_000,
        open_bytes: int = 64 * 1024 * 1024,
        counts: DeliveryCounts | None = None,
    ) -> None:
        self.number = number
        self.counts = counts or DeliveryCounts()
        self._queues = queues
        self._horizon_ms = horizon_ms
        self._bounds = (open_max, open_bytes)
        self._book = Book()
        self._recovered = Recovered()
        self._desk = Desk(number, self._book, queues, blocked, policies, self.counts, speed=speed)
        self._desk.now_ms = now_ms
        self._intake = Intake(number, partitions, self._book, self._desk, self.counts, horizon_ms)
        self._leisure_at = 0
        self._group_ticket = 0
        self._full = False

    @property
    def owner(self) -> int:
        """The number by which the shared queues know this object."""
        return self._desk.owner

    # Recovery

    def recovered(self, key: bytes, value: bytes | None) -> None:
        """One record of the changelog, in order."""
        self._recovered.take(key, value)

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
        """The offset of `commands` to begin at.

        Raises `Halt` when going on would lose commands or mix two logs.
        """
        position = self._position(log_start, log_end, topic_id, from_log_start)
        found, self._recovered = self._recovered, Recovered()
        for entry in self._book.settle(found, topic_id, position, changelog_end):
            self._desk.resume(entry)
        return position

    def _position(self, log_start: int, log_end: int, topic_id: str, from_log_start: bool) -> int:
        marker = self._recovered.marker
        what = f"partition {self.number} of commands"
        if marker is None:
            if log_start > 0 and not from_log_start:
                raise Halt(
                    f"{what} begins at {log_start} and nothing was ever delivered from it: older "
                    "commands are gone; start with --from-log-start to go on without them"
                )
            return log_start
        if marker.topic_id != topic_id:
            raise Halt(
                f"{what} is another topic (id {topic_id}) than the one delivered from "
                f"({marker.topic_id}): give the changelog {SENDS_CHANGELOG} a new start as well"
            )
        position = marker.watermark + 1
        if position > log_end:
            raise Halt(f"{what} ends at {log_end}, but {position} of it were delivered")
        if position < log_start and not from_log_start:
            raise Halt(
                f"commands {position} to {log_start - 1} of {what} were deleted before they were "
                "delivered; start with --from-log-start to go on without them"
            )
        return max(position, log_start)

    # What the transport tells

    def received(self, records: Sequence[LogRecord]) -> list[object]:
        """Take commands in. Raises `Halt` for a gap."""
        outputs: list[object] = []
        for record in records:
            self._intake.take(record, outputs)
        return self._pump(outputs)

    def absent(self, first: int, last: int) -> None:
        """Nothing lies at [first, last)."""
        self._intake.skip(first, last)

    def resumed(self) -> list[object]:
        """Delivery waits for no campaign change."""
        return []

    def acknowledged(self, ticket: int, base_offset: int) -> list[object]:
        """A `Produce` is durable."""
        outputs: list[object] = []
        if ticket == self._group_ticket:
            clash = self._book.acknowledged(base_offset)
            if clash is not None:
                return [Reread(*clash)]
            self._written(outputs)
        else:
            told = self._desk.told(ticket)
            if told is None:
                self._book.letter_written(ticket)
            for entry in told or ():
                self._intake.told(entry)
        return self._pump(outputs)

    def foreign(self, key: bytes, value: bytes | None) -> None:
        """One record that somebody else wrote. Raises `Halt` when we are not the owner."""
        self.counts.foreign += 1
        self._book.foreign(key)

    def reread(self) -> list[object]:
        """It was only a former owner's last words: ours are written again over them."""
        outputs: list[object] = []
        self._written(outputs)
        return self._pump(outputs)

    def tick(self, now_ms: int, *, real_ms: int | None = None, wake: bool = True) -> list[object]:
        """It is `now_ms`; `wake` means nothing here."""
        self._move(now_ms)
        self._desk.ring()
        self._book.forget_before(self._desk.now_ms - self._horizon_ms)
        real = now_ms if real_ms is None else real_ms
        at_leisure = real - self._leisure_at >= LEISURE_MS
        if at_leisure:
            self._leisure_at = real
        return self._pump([], at_leisure=at_leisure)

    def flush(self) -> list[object]:
        """Write now what may be written at leisure."""
        return self._pump([], at_leisure=True)

    @property
    def idle(self) -> bool:
        """No call is open and everything that was decided is durable."""
        return self._book.clean and self._desk.silent

    @property
    def full(self) -> bool:
        """Nothing more is taken in, until a fifth of the bound is free again."""
        open_max, open_bytes = self._bounds
        part = 0.8 if self._full else 1.0
        self._full = (
            len(self._book.open) >= open_max * part or self._book.size_bytes >= open_bytes * part
        )
        return self._full

    # What the role tells

    def called(self, key: bytes, answer: Answer, now_ms: int) -> list[object]:
        """How a call ended; an answer to a call that is not open is not heard."""
        self._move(now_ms)
        self._desk.answered(key, answer)
        return self._pump([])

    def begin(self, now_ms: int) -> list[object]:
        """Start what the shared queues have granted meanwhile."""
        self._move(now_ms)
        return self._pump([])

    def drain(self) -> None:
        """Start nothing more; what is taken in stays so for the next owner."""
        self._desk.draining = True
        self._queues.leave(self.owner)

    def lost(self) -> None:
        """The partition is somebody else's: hand the places back. No answer is heard any more."""
        self.drain()
        for entry in self._book.open.values():
            self._desk.free(entry)
            entry.called = False
        self._desk.calls = 0

    def backlog(self) -> Backlog:
        """What is open now; looks at every open send."""
        queued: dict[str, int] = {}
        oldest = self._desk.now_ms
        for entry in self._book.open.values():
            queued[entry.channel] = queued.get(entry.channel, 0) + 1
            oldest = min(oldest, entry.send.time_ms)
        return Backlog(queued, self._desk.now_ms - oldest)

    # Going on

    def _move(self, now_ms: int) -> None:
        self._desk.now_ms = max(self._desk.now_ms, now_ms)

    def _written(self, outputs: list[object]) -> None:
        group = self._book.written()
        self.counts.groups += 1
        self.counts.states += len(group.sends)
        self._desk.written(group, outputs)
        if group.watermark is not None:
            outputs.append(Commit(group.watermark + 1))

    def _pump(self, outputs: list[object], *, at_leisure: bool = False) -> list[object]:
        self._desk.begin()
        self._desk.tell(outputs)
        records = self._book.group(at_leisure=at_leisure)
        if records:
            self._group_ticket = self._desk.next_ticket()
            outputs.append(
                Produce(self._group_ticket, "states", SENDS_CHANGELOG, self.number, records)
            )
        return outputs
