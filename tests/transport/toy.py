"""A partition object that folds a toy state by the protocol, and a stage around it.

State of a key: watermark, count, and a chain of hashes over the values; so one lost, repeated or
swapped record shows. Every third record of a key issues a command with an id from key and count.
"""

import struct
from collections.abc import Sequence
from hashlib import blake2b
from typing import Any

from schemas.errors import Halt
from schemas.state import FENCE_KEY, MARKER_KEY
from streams.ports import Commit, Outgoing, Produce, Reread
from streams.topology import Stage

STATE = struct.Struct(">qI16s")
MARK = struct.Struct(">q36s")
EVERY = 3


def stage_of(name: str) -> Stage:
    return Stage(f"toy-{name}", f"events-{name}", "toys", "toys")


def commands_of(stage: Stage) -> str:
    return f"{stage.source}-commands"


def fold(state: tuple[int, bytes], key: bytes, value: bytes) -> tuple[int, bytes, bytes | None]:
    """One record: new count, new chain, command id or None."""
    count, chain = state
    count, chain = count + 1, blake2b(chain + value, digest_size=16).digest()
    command = blake2b(key + b"%d" % count, digest_size=16).digest() if count % EVERY == 0 else None
    return count, chain, command


class ToyPartition:
    def __init__(self, number: int, stage: Stage, flush_ms: int = 300) -> None:
        self.number = number
        self.stage = stage
        self.states: dict[bytes, tuple[int, int, bytes]] = {}
        self.watermark = -1
        self.topic_id = b""
        self.next_offset = 0
        self.tail = 0
        self.dirty: set[bytes] = set()
        self.open_commands: set[int] = set()
        self.flushing: dict[int, int] = {}
        self.flush_due: int | None = None
        self.flush_ms = flush_ms
        self.tickets = 0
        self.rereads = 0
        self.absences: list[tuple[int, int]] = []
        self.full = False
        self.handled = 0
        self.wanted = False

    def recovered(self, key: bytes, value: bytes | None) -> None:
        if key == FENCE_KEY:
            return
        assert value is not None
        if key == MARKER_KEY:
            watermark, topic_id = MARK.unpack(value)
            if watermark >= self.watermark:
                self.watermark, self.topic_id = watermark, topic_id.rstrip(b"\0")
            return
        watermark, count, chain = STATE.unpack(value)
        if key not in self.states or watermark >= self.states[key][0]:
            self.states[key] = (watermark, count, chain)

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
        self.tail = changelog_end
        self.next_offset = self.watermark + 1
        if self.topic_id and self.topic_id != topic_id.encode():
            raise Halt("the topic was made anew")
        if self.next_offset > log_end:
            raise Halt(f"marker {self.watermark} is past the log's end {log_end}")
        if self.next_offset < log_start:
            raise Halt(f"{self.next_offset} is before the log's start {log_start}")
        self.topic_id = topic_id.encode()
        return self.next_offset

    def received(self, records: Sequence[Any]) -> list[Any]:
        outgoing = []
        for record in records:
            if record.offset != self.next_offset:
                raise Halt(f"gap: {self.next_offset} expected, {record.offset} came")
            self.next_offset += 1
            state = self.states.get(record.key, (-1, 0, b""))
            if state[0] >= record.offset:
                continue
            if record.value == b"raise":
                raise RuntimeError("toy bug")
            count, chain, command = fold(state[1:], record.key, record.value)
            self.states[record.key] = (record.offset, count, chain)
            self.dirty.add(record.key)
            self.handled += 1
            if command is not None:
                outgoing.append(Outgoing(record.key, command, (("schema", b"toy/1"),)))
        if not outgoing:
            return []
        self.tickets += 1
        self.open_commands.add(self.tickets)
        topic = commands_of(self.stage)
        return [Produce(self.tickets, "commands", topic, self.number, outgoing)]

    def absent(self, first: int, last: int) -> None:
        if first != self.next_offset:
            raise Halt(f"gap: {self.next_offset} expected, a hole at {first} came")
        self.absences.append((first, last))
        self.next_offset = last

    def resumed(self) -> list[Any]:
        return []

    def acknowledged(self, ticket: int, base_offset: int) -> list[Any]:
        if ticket in self.open_commands:
            self.open_commands.discard(ticket)
            return self.flush() if self.wanted else []
        self.watermark = self.flushing.pop(ticket)
        outputs: list[Any] = [Commit(self.watermark + 1)]
        if base_offset != self.tail:
            self.rereads += 1
            outputs.append(Reread(self.tail, base_offset))
        self.tail = base_offset + self._flushed
        return outputs + (self.flush() if self.wanted else [])

    def foreign(self, key: bytes, value: bytes | None) -> None:
        if key not in (FENCE_KEY, MARKER_KEY) and key in self.states:
            self.dirty.add(key)

    def reread(self) -> list[Any]:
        return []

    def tick(self, now_ms: int, *, real_ms: int | None = None, wake: bool = True) -> list[Any]:
        assert real_ms is not None
        if self.flush_due is None or real_ms >= self.flush_due:
            self.flush_due = real_ms + self.flush_ms
            return self.flush()
        return []

    def flush(self) -> list[Any]:
        if self.open_commands or self.flushing:
            self.wanted = True
            return []
        self.wanted = False
        if self.next_offset - 1 == self.watermark and not self.dirty:
            return []
        self.tickets += 1
        records = [Outgoing(key, STATE.pack(*self.states[key])) for key in sorted(self.dirty)]
        marker = MARK.pack(self.next_offset - 1, self.topic_id)
        records.append(Outgoing(MARKER_KEY, marker))
        self.dirty.clear()
        self.flushing[self.tickets] = self.next_offset - 1
        self._flushed = len(records)
        return [Produce(self.tickets, "states", self.stage.changelog, self.number, records)]

    @property
    def idle(self) -> bool:
        durable = self.watermark == self.next_offset - 1 and not self.dirty
        return durable and not self.open_commands and not self.flushing
