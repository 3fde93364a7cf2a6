"""What a partition object and its transport say to each other. Data only, no I/O.

A partition object (`streams.partition`, `streams.delivery`) is driven like a sans-I/O protocol: the
transport hands it records, acknowledgements and the time, and carries out the `Output`s that
each call returns, in order.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, Protocol

from msgspec import Struct

Headers = Sequence[tuple[str, bytes]]
Lane = Literal["commands", "states"]


class LogRecord(Protocol):
    """A record as the Kafka client gives it; `timestamp` in ms."""

    @property
    def offset(self) -> int: ...
    @property
    def timestamp(self) -> int: ...
    @property
    def key(self) -> bytes | None: ...
    @property
    def value(self) -> bytes | None: ...
    @property
    def headers(self) -> Headers: ...


class StoredRecord(Struct, frozen=True, gc=False):
    """A `LogRecord` made by hand: simulation, tests, exports."""

    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: Headers = ()


class Outgoing(Struct, gc=False):
    """One record to produce; `value` None is a tombstone."""

    key: bytes | None
    value: bytes | None
    headers: Headers = ()


class Produce(Struct):
    """Append these, in order, to one partition of one topic.

    The transport keeps the order within a lane and calls `acknowledged(ticket, base_offset)` once
    all of them are durable; `base_offset` is the offset of the first, or -1 where it is unknown.
    """

    ticket: int
    lane: Lane
    topic: str
    partition: int
    records: list[Outgoing]


class Commit(Struct, frozen=True):
    """Everything up to `offset` (exclusive) is durable: commit it, for lag displays only."""

    offset: int


class AwaitChanges(Struct, frozen=True):
    """Nothing more is handled until the registry reaches `number`; then call `resumed()`."""

    number: int


class Reread(Struct, frozen=True):
    """Somebody else wrote into the changelog at [first, last): read it, hand it to `foreign()`."""

    first: int
    last: int


Output = Produce | Commit | AwaitChanges | Reread
