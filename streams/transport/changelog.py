"""Reading a known stretch of a partition, outside Faust."""

from __future__ import annotations

from typing import Any

import aiokafka


async def read_range(
    bootstrap: str, topic: str, partition: int, first: int, last: int
) -> list[Any]:
    """The records at [first, last), fewer where the log was compacted.

    Waits until the log has come so far, which for something already acknowledged it has.
    """
    consumer = aiokafka.AIOKafkaConsumer(
        bootstrap_servers=bootstrap, group_id=None, auto_offset_reset="none"
    )
    place = aiokafka.TopicPartition(topic, partition)
    records: list[Any] = []
    await consumer.start()
    try:
        consumer.assign([place])
        consumer.seek(place, first)
        while await consumer.position(place) < last:
            fetched = await consumer.getmany(place, timeout_ms=1_000)
            records += [record for record in fetched.get(place, ()) if record.offset < last]
    finally:
        await consumer.stop()
    return records
