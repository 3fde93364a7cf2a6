"""Appending to `lead-events` from outside, as the collector and other producers do."""

import json
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from aiokafka import AIOKafkaProducer

from schemas.ids import partition_of
from schemas.records import NAMES as SCHEMA_NAMES
from schemas.records import Interaction
from schemas.topics import LEAD_EVENTS

SCHEMA = SCHEMA_NAMES[Interaction].encode()


class Raw(NamedTuple):
    """A record as bytes."""

    key: bytes | None
    value: bytes | None
    headers: list[tuple[str, bytes]]
    partition: int


def track(lead: str, event: str, number: int = 0, partitions: int = 6, **properties: Any) -> Raw:
    """A tracked event."""
    body = {"type": "track", "userId": lead, "event": event, "properties": properties}
    return raw(lead, body, f"{lead}-{event}-{number}", partitions)


def identify(lead: str, traits: Mapping[str, Any], number: int = 0, partitions: int = 6) -> Raw:
    """Traits of a lead."""
    body = {"type": "identify", "userId": lead, "traits": dict(traits)}
    return raw(lead, body, f"{lead}-identify-{number}", partitions)


def raw(lead: str, body: Mapping[str, Any], id: str, partitions: int) -> Raw:
    """An interaction in its place."""
    headers = [("schema", SCHEMA), ("id", id.encode())]
    value = json.dumps(body).encode()
    return Raw(lead.encode(), value, headers, partition_of(lead, partitions))


async def append(bootstrap: str, records: Iterable[Raw]) -> list[tuple[int, int]]:
    """Append in order, acknowledged; partition and offset of each."""
    producer = AIOKafkaProducer(
        bootstrap_servers=bootstrap, acks="all", linger_ms=5, max_request_size=8 * 1024 * 1024
    )
    await producer.start()
    try:
        sent = [await _send(producer, record) for record in records]
        metadata = [await one for one in sent]
        return [(one.partition, one.offset) for one in metadata]
    finally:
        await producer.stop()


async def _send(producer: AIOKafkaProducer, record: Raw) -> Any:
    if record.key is None and record.value is None:  # `send` refuses it, other clients do not
        batch = producer.create_batch()
        batch.append(timestamp=None, key=None, value=None, headers=record.headers)
        return await producer.send_batch(batch, LEAD_EVENTS, partition=record.partition)
    return await producer.send(
        LEAD_EVENTS,
        record.value,
        key=record.key,
        partition=record.partition,
        headers=record.headers,
    )
