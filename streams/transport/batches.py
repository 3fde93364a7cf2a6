"""A whole poll of one partition as one message, with aiokafka's C records as they are.

aiokafka wraps every record into a `ConsumerRecord`, Faust every one into a message, an event and
a queue entry: most of the cost of a naive agent (architecture, Speed). `DefaultRecord` has the
fields of `streams.ports.LogRecord` already.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from typing import Any

from aiokafka.consumer import fetcher
from aiokafka.errors import CorruptRecordException
from faust.serializers.schemas import Schema
from msgspec import Struct

from schemas.errors import Halt

APPEND_TIME = 1

_single_records = fetcher.PartitionRecords
_topics: dict[str, bool] = {}


class Hole(Struct, frozen=True, gc=False):
    """An offset that holds the transaction marker of an outside producer.

    It goes the way of a record, so that offsets stay contiguous and a gap always means that
    something was lost.
    """

    offset: int
    timestamp: int


class PartitionRecords(_single_records):  # type: ignore[misc,valid-type]
    """Unpacks the topics named to `install`; all others as aiokafka does."""

    next_fetch_offset: int

    def _unpack_records(self) -> Iterator[Any]:
        broker_stamps = _topics.get(self._tp.topic)
        if broker_stamps is None:
            yield from super()._unpack_records()
        else:
            yield from self._unpack_batches(broker_stamps)

    def _unpack_batches(self, broker_stamps: bool) -> Iterator[Any]:
        records = self._records
        while records.has_next():
            batch = records.next_batch()
            if self._check_crcs and not batch.validate_crc():
                raise CorruptRecordException(f"Invalid CRC - {self._tp}")
            wanted = self.next_fetch_offset
            if batch.is_control_batch:
                for offset in range(max(wanted, batch.base_offset), batch.next_offset):
                    self.next_fetch_offset = offset + 1
                    yield Hole(offset, batch.max_timestamp)
                continue
            if broker_stamps and batch.timestamp_type != APPEND_TIME:
                raise Halt(
                    f"{self._tp.topic}-{self._tp.partition} at {batch.base_offset}: the record "
                    "has its producer's time, so folds would differ; set the topic's "
                    "message.timestamp.type to LogAppendTime (`dripline topics check`)"
                )
            for record in batch:
                if record.offset >= wanted:
                    self.next_fetch_offset = record.offset + 1
                    yield record
            self.next_fetch_offset = batch.next_offset


def install(topics: dict[str, bool]) -> None:
    """Unpack these topics in whole batches from now on, in every consumer of the process.

    The value tells whether a batch must have the broker's time (LogAppendTime). aiokafka finds
    the class by its module's name: there is no other hook.
    """
    _topics.update(topics)
    fetcher.PartitionRecords = PartitionRecords


class BatchSchema(Schema):  # type: ignore[type-arg]
    """Decodes nothing: an event's value is the list of records."""

    def compile(
        self, app: Any, *, on_key_decode_error: Any = None, on_value_decode_error: Any = None,
        default_propagate: bool = False, **kwargs: Any,
    ) -> Callable[..., Awaitable[Any]]:  # fmt: skip
        """Give the function that makes an event of a message."""
        create_event = app.create_event

        async def decode(message: Any, *, propagate: bool = False) -> Any:
            return create_event(None, message.value, message.headers, message)

        return decode
