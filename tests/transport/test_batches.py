"""Whole batches, C records as they are; transaction markers are holes, producers' times refused."""

from collections.abc import Iterator
from typing import Any

import pytest
from aiokafka.consumer import fetcher
from aiokafka.record._crecords.default_records import DefaultRecord
from aiokafka.record.default_records import DefaultRecordBatchBuilder
from aiokafka.record.memory_records import MemoryRecords
from aiokafka.structs import ConsumerRecord, TopicPartition

from schemas.errors import Halt
from streams.transport import batches
from streams.transport.batches import Hole
from streams.transport.slot import runs

APPEND_TIME_BIT = 0x08
CONTROL_BIT = 0x20


@pytest.fixture(autouse=True)
def installed() -> Iterator[None]:
    before = fetcher.PartitionRecords
    batches.install({"events": True, "states": False})
    yield
    fetcher.PartitionRecords = before


def batch(base: int, count: int, *, control: bool = False, append_time: bool = True) -> bytes:
    """A batch as the broker gives it, from offset `base` on."""
    builder = DefaultRecordBatchBuilder(
        2, 0, is_transactional=0, producer_id=-1, producer_epoch=-1, base_sequence=0,
        batch_size=1 << 20,
    )  # fmt: skip
    for index in range(count):
        builder.append(index, 1_000 + index, key=b"k", value=b"v%d" % index, headers=[])
    raw = bytearray(builder.build())
    raw[0:8] = base.to_bytes(8, "big")
    raw[22] |= (CONTROL_BIT if control else 0) | (APPEND_TIME_BIT if append_time else 0)
    return bytes(raw)


def unpack(topic: str, raw: bytes, first: int = 0) -> Any:
    return fetcher.PartitionRecords(
        TopicPartition(topic, 0), MemoryRecords(raw), [], first, None, None, False, 0
    )


def test_records_are_aiokafkas_own() -> None:
    found = list(unpack("events", batch(5, 3), first=6))

    assert {type(record) for record in found} == {DefaultRecord}
    assert [(record.offset, record.value) for record in found] == [(6, b"v1"), (7, b"v2")]


def test_other_topics_are_as_before() -> None:
    assert {type(record) for record in unpack("others", batch(0, 2))} == {ConsumerRecord}


def test_transaction_marker_is_a_hole() -> None:
    """Skipped silently its offset would look like a lost record; a producer's commit is no gap."""
    fetched = unpack("events", batch(0, 2) + batch(2, 1, control=True) + batch(3, 1))

    found = list(fetched)

    assert [record.offset for record in found] == [0, 1, 2, 3]
    assert [type(record) is Hole for record in found] == [False, False, True, False]
    assert fetched.next_fetch_offset == 4
    assert [(len(run), hole) for run, hole in runs(found)] == [(2, False), (1, True), (1, False)]


def test_batches_without_holes_are_one_run() -> None:
    found = list(unpack("events", batch(0, 2)))

    assert list(runs(found)) == [(found, False)]


def test_producers_time_is_refused_where_the_broker_stamps() -> None:
    with pytest.raises(Halt, match="events-0 at 4"):
        list(unpack("events", batch(4, 1, append_time=False), first=4))
    assert len(list(unpack("states", batch(4, 1, append_time=False), first=4))) == 1
