"""Reading topics whole, from the command line: kafka-python, without a group.

The end is the high watermark that the first fetch of a partition tells: ListOffsets is short of
it on the embedded broker (clarifications 3d).
"""

from __future__ import annotations

from collections.abc import Iterator
from types import TracebackType
from typing import Any, Self

from kafka import KafkaConsumer, TopicPartition

from app.broker import check_reachable, unreachable
from schemas.errors import Halt, Unreachable

POLL_MS = 300
POLL_RECORDS_MAX = 10_000
FETCH_BYTES_MAX = 16 * 1024 * 1024
PATIENCE_POLLS = 100  # without a record or an answer: 30 s


class LogReader:
    """One consumer for many partitions, one after another. A context manager."""

    def __init__(self, bootstrap: str) -> None:
        self._bootstrap = bootstrap
        check_reachable(bootstrap)
        with unreachable(bootstrap):
            self._consumer = KafkaConsumer(
                bootstrap_servers=bootstrap,
                group_id=None,
                client_id="dripline-reader",
                enable_auto_commit=False,
                auto_offset_reset="earliest",
                max_poll_records=POLL_RECORDS_MAX,
                max_partition_fetch_bytes=FETCH_BYTES_MAX,
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._consumer.close()

    def partitions(self, topic: str) -> list[int]:
        """The partitions of a topic, in order. Raises `Halt` when there is none."""
        with unreachable(self._bootstrap):
            found = self._consumer.partitions_for_topic(topic)
        if not found:
            raise Halt(f"topic {topic} is not there: `dripline topics create` makes it")
        return sorted(found)

    def start_of(self, topic: str, partition: int) -> int:
        """The first offset that is still in the log."""
        place = TopicPartition(topic, partition)
        with unreachable(self._bootstrap):
            return int(self._consumer.beginning_offsets([place])[place])

    def read(self, topic: str, partition: int, first: int | None = None) -> Iterator[Any]:
        """Every record from `first` (default: the log's start) to the end of the moment.

        Records are kafka-python's: offset, timestamp, key, value, headers. Raises `Unreachable`.
        """
        place = TopicPartition(topic, partition)
        self._consumer.assign([place])
        if first is None:
            self._consumer.seek_to_beginning(place)
        else:
            self._consumer.seek(place, first)
        end: int | None = None
        silent = 0
        with unreachable(self._bootstrap):
            while end is None or self._consumer.position(place) < end:
                fetched = self._consumer.poll(POLL_MS).get(place, ())
                if end is None:
                    end = self._consumer.highwater(place)
                silent = 0 if fetched else silent + 1
                if silent > PATIENCE_POLLS:
                    raise Unreachable(f"Kafka at {self._bootstrap} gives no more of {topic}")
                for record in fetched:
                    if end is None or record.offset < end:
                        yield record
