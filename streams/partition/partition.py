"""One partition's protocol (architecture, "The protocol of a partition"), without I/O.

Recovered states, records, acknowledgements and the time go in; what to produce and to commit comes
out. The order that nothing may break: what a record says goes out at once; a flush takes the
changed states as they are, waits until all that went out before is durable, then writes them
and the marker; only then the offset is committed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from schemas import topics
from schemas.state import FENCE_KEY, MARKER_KEY, NEVER, Lead, decode
from streams.engine.handle import concerns, handle
from streams.engine.registry import Registries
from streams.partition.beginning import check_end, first_offset
from streams.partition.bounds import DEFAULTS, Bounds
from streams.partition.changelog_end import ChangelogEnd
from streams.partition.counts import PartitionCounts
from streams.partition.effects import Effects
from streams.partition.flush import Flush
from streams.partition.handling import Engine, Handling, Interest
from streams.partition.markers import MissingMarkers, change_marker
from streams.partition.states import watermark_of
from streams.partition.waking import wake_up
from streams.ports import AwaitChanges, Commit, LogRecord, Outgoing, Output, Produce

LARGE_STATE_BYTES = 64 * 1024


class LeadPartition:
    """One partition of `lead-events` with the states of its leads.

    Calls come from one thread and never overlap. After an exception from any of them the object
    is not to be used again: the process ends, and nothing of that call is carried out.
    """

    def __init__(
        self,
        number: int,
        partitions: int,
        registries: Registries,
        *,
        secret: bytes,
        bounds: Bounds = DEFAULTS,
        keep_refusals: bool = False,
        handle: Engine = handle,
        concerns: Interest = concerns,
    ) -> None:
        """`partitions` is how many there are; `secret` keys the suppressions; `keep_refusals` ships
        also the refusals that are only counted live."""
        self.number = number
        self._registries = registries
        self._bounds = bounds
        self.handling = Handling(
            number, partitions, registries, secret=secret, bounds=bounds,
            keep_refusals=keep_refusals, handle=handle, concerns=concerns,
        )  # fmt: skip
        self._states = self.handling.states
        self._markers = self.handling.markers
        self._missing = MissingMarkers(bounds.change_marker_ms)
        self._kept: list[LogRecord] = []
        self._tickets = 0
        self._unacknowledged: dict[int, None] = {}  # what a flush waits for, by ticket
        self._appended: set[int] = set()  # wake-ups and change markers, by ticket
        self._flush: Flush | None = None
        self._flush_again = False
        self._flushed_ms: int | None = None
        self._real_ms = 0
        self._changelog = ChangelogEnd()

    # Recovery

    def recovered(self, key: bytes, value: bytes | None) -> None:
        """The next record of the changelog partition: states, markers and fences alike."""
        if key == MARKER_KEY:
            self._markers.recovered(value)
        elif key != FENCE_KEY:
            self._states.recovered(key, value)

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
        """All is recovered: the offset to begin at.

        `log_start` and `log_end` are those of this partition of `lead-events`, `changelog_end` is
        the offset that the changelog's next record will get. Raises `Halt` when going on from
        the marker would lose records or repeat them.
        """
        markers, states = self._markers, self._states
        highest = markers.durable
        for slot in states.slots.values():
            prefix = states.prefix(slot)
            highest = max(highest, prefix.watermark)
            if 0 <= prefix.next_due < NEVER:
                self.handling.waking.index.set(slot, prefix.next_due)
        start = self.position(log_start, topic_id, from_log_start)
        check_end(self._name, max(start - 1, highest), log_end)
        markers.topic_id = topic_id
        markers.generation = generation
        if not markers.found:
            markers.durable = start - 1
        self.handling.next = start
        self.handling.replayed_to = highest
        self._changelog.begin(changelog_end)
        self.handling.begin_walk()
        return start

    def position(self, log_start: int, topic_id: str, from_log_start: bool) -> int:
        """Where to begin: behind the marker."""
        return first_offset(self._name, self._markers, log_start, topic_id, from_log_start)

    @property
    def _name(self) -> str:
        return f"{topics.LEAD_EVENTS}, partition {self.number}"

    # Work

    def received(self, records: Sequence[LogRecord]) -> list[Output]:
        """The next records of the log, contiguous; `Halt` for a gap."""
        assert self.handling.next >= 0, "started() comes first"
        if self._kept:
            self._kept.extend(records)
            return []
        effects = Effects()
        done = self.handling.work(records, effects)
        outputs = self._send(effects)
        if self.handling.waiting_for is not None:
            self._kept = list(records[done:])
            outputs.append(AwaitChanges(self.handling.waiting_for))
        states = self._states
        if len(states.changed) >= self._bounds.changed_leads and self._flush is None:
            outputs += self._begin()
        elif not states.changed and states.decoded >= self._bounds.changed_leads:
            states.cool()
        return outputs

    def absent(self, first: int, last: int) -> None:
        """The log itself says that there are no records in [first, last): control records of a
        producer's transactions. Ignored unless exactly `first` is to come next."""
        if first == self.handling.next and last > first and not self._kept:
            self.handling.next = last

    def resumed(self) -> list[Output]:
        """The registry has grown: go on with what was kept, or wait again."""
        kept, self._kept = self._kept, []
        return self.received(kept)

    def tick(self, now_ms: int, *, real_ms: int | None = None, wake: bool = True) -> list[Output]:
        """Time has passed. `now_ms` is the log's clock, `real_ms` any clock of real time
        (`now_ms` by default). `wake` False appends nothing to the log."""
        assert self.handling.next >= 0, "started() comes first"
        self._real_ms = real_ms = now_ms if real_ms is None else real_ms
        if self._flushed_ms is None:
            self._flushed_ms = real_ms
        outputs: list[Output] = []
        passed = real_ms - self._flushed_ms
        if self._flush is None and passed >= self._bounds.flush_ms:
            if self._changed or passed >= self._patience_ms:
                outputs += self._begin()
            elif self._states.decoded:
                self._states.cool()
        if wake:
            outputs += self._append(now_ms, real_ms)
        return outputs

    def _append(self, now_ms: int, real_ms: int) -> list[Output]:
        """What the owner itself writes into the log: wake-ups, change markers that are missing."""
        handling = self.handling
        handling.begin_walk()
        handling.walking.walk(handling.waking.index, self._bounds.walked_leads)
        woken = handling.waking.due(now_ms, real_ms, handling.walking.due)
        records = [wake_up(self._states.keys[slot], due, self.number) for slot, due in woken]
        if handling.waiting_for is None:
            newest, change = self._registries.newest, self._markers.change
            missing = self._missing.missing(newest, change, real_ms)
            if missing is not None:
                records.append(change_marker(missing, self.number))
        if not records:
            return []
        self._tickets += 1
        self._appended.add(self._tickets)
        return [Produce(self._tickets, "commands", topics.LEAD_EVENTS, self.number, records)]

    def _send(self, effects: Effects) -> list[Output]:
        outputs: list[Output] = []
        for topic, partition, records in (
            (topics.SUPPRESSIONS, 0, effects.suppressions),
            (topics.COMMANDS, self.number, effects.commands),
            (topics.JOURNEY_FACTS, self.number, effects.facts),
            (topics.DEAD_LETTERS, 0, effects.dead_letters),
        ):
            if records:
                self._tickets += 1
                self._unacknowledged[self._tickets] = None
                outputs.append(Produce(self._tickets, "commands", topic, partition, records))
        return outputs

    # Flush

    @property
    def _changed(self) -> bool:
        """Something must be written soon."""
        states = self._states
        handled = self.handling.next - 1
        again = any(watermark <= handled for watermark in states.again.values())
        return bool(states.changed) or again or self._markers.moved

    @property
    def _patience_ms(self) -> int:
        """How long a marker may be old while nothing changed."""
        return self._bounds.marker_ms if self._unwritten else self._bounds.keep_alive_ms

    @property
    def _unwritten(self) -> bool:
        return self.handling.next - 1 > self._markers.durable

    def flush(self) -> list[Output]:
        """Begin a flush now, or as soon as the one in flight is through: for a drain."""
        if self._flush is not None:
            self._flush_again = True
            return []
        return self._begin() if self._changed or self._unwritten else []

    def _begin(self) -> list[Output]:
        """Take the changed states as they are now."""
        handled = self.handling.next - 1
        changed = len(self._states.changed)
        states = [Outgoing(*state) for state in self._states.encode_changed(handled)]
        self._count_states(states)
        self.counts.rewritten += len(states) - changed
        marker = Outgoing(MARKER_KEY, self._markers.encode(handled))
        self._flushed_ms = self._real_ms
        self._flush = Flush(self._tickets, handled, self.in_order(states, marker))
        return self._write()

    @staticmethod
    def in_order(states: list[Outgoing], marker: Outgoing) -> list[Outgoing]:
        """The records of a flush: the marker vouches for the states, so it comes last."""
        return [*states, marker]

    def may_write(self, flush: Flush) -> bool:
        """Its states may go out: every effect that they hold is durable."""
        return flush.ready(self._unacknowledged)

    def _write(self) -> list[Output]:
        """Produce the states of the flush as soon as they may go out."""
        flush = self._flush
        if flush is None or flush.ticket or not self.may_write(flush):
            return []
        self._tickets += 1
        flush.ticket = self._tickets
        return [Produce(flush.ticket, "states", topics.LEADS_CHANGELOG, self.number, flush.records)]

    def acknowledged(self, ticket: int, base_offset: int) -> list[Output]:
        """All records of a `Produce` are durable; `base_offset` is that of the first, or -1."""
        if ticket in self._appended:
            self._appended.remove(ticket)
            return []
        if ticket in self._unacknowledged:
            del self._unacknowledged[ticket]
            return self._write()
        flush = self._flush
        if flush is None or ticket != flush.ticket:
            raise ValueError(f"{self._name}: ticket {ticket} is not waited for")
        self._flush = None
        self._markers.durable = max(self._markers.durable, flush.watermark)
        outputs: list[Output] = [Commit(flush.watermark + 1)]
        reread = self._changelog.written(self._name, base_offset, len(flush.records))
        if reread is not None:
            outputs.append(reread)
        self.counts.flushes += 1
        self.counts.markers += 1
        again, self._flush_again = self._flush_again, False
        if again or len(self._states.changed) >= self._bounds.changed_leads:
            outputs += self.flush()
        return outputs

    def _count_states(self, states: list[Outgoing]) -> None:
        counts = self.counts
        sizes = [len(state.value or b"") for state in states]
        counts.states += len(sizes)
        counts.state_bytes += sum(sizes)
        counts.large_states += sum(size > LARGE_STATE_BYTES for size in sizes)

    # Somebody else wrote

    def foreign(self, key: bytes, value: bytes | None) -> None:
        """A record of the changelog that `Reread` asked for: its lead is written again, once our
        own state is as far as that one."""
        if value is None or key == FENCE_KEY:
            return
        if key == MARKER_KEY:
            self._markers.check_foreign(self._name, value)
            return
        self.counts.foreign += 1
        again = self._states.again
        again[key] = max(again.get(key, -1), watermark_of(value))

    def reread(self) -> list[Output]:
        """All that `Reread` asked for has been handed in."""
        return self.flush()

    # Looking

    @property
    def idle(self) -> bool:
        """Nothing that was handled is undurable; open wake-ups do not count."""
        return not (
            self._flush
            or self._unacknowledged
            or self._states.changed
            or self._markers.moved
            or self._unwritten
        )

    @property
    def full(self) -> bool:
        """Nothing more should be handed in before the flush in flight is through."""
        limit = 4 * self._bounds.changed_leads
        return self._flush is not None and len(self._states.changed) >= limit

    @property
    def waiting_for(self) -> int | None:
        """The number of the change that is waited for, or None."""
        return self.handling.waiting_for

    @property
    def next_offset(self) -> int:
        """The offset that must come next."""
        return self.handling.next

    @property
    def durable(self) -> int:
        """The watermark of the newest marker that is durable, -1 for none."""
        return self._markers.durable

    @property
    def change(self) -> int:
        """The number of the change in force here, -1 for none."""
        return self._markers.change

    @property
    def next_due(self) -> int:
        """The earliest timer of all leads, or `NEVER`; leads with an open wake-up left out."""
        earliest = self.handling.waking.index.earliest()
        since = self.handling.walking.waits_since
        return earliest if since is None else min(earliest, since)

    @property
    def counts(self) -> PartitionCounts:
        """The running counts."""
        return self.handling.counts

    def lead(self, id: str) -> Lead | None:
        """A copy of the lead as it is now."""
        slot = self._states.slots.get(id.encode())
        return None if slot is None else decode(self._states.copy(slot))

    def leads(self) -> Iterator[tuple[str, Lead]]:
        """Copies of all leads as they are now."""
        for key, value in self._states.all():
            yield key.decode(), decode(value)
