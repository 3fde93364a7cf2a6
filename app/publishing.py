"""Publishing: changes into `campaign-changes`, then a change marker into every partition.

Only what differs, by its digest, from what was published last is appended, so that publishing a
directory again changes nothing. All of it is acknowledged before this returns.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError
from msgspec import Struct

from app import topics as broker_topics
from app.clock import clock_of
from app.export import published
from app.log_reading import LogReader
from app.settings import Settings
from schemas import changes as change_records
from schemas import records
from schemas.changes import Change
from schemas.errors import Unreachable
from schemas.ids import record_id
from schemas.topics import CAMPAIGN_CHANGES, LEAD_EVENTS

REQUEST_SECONDS = 20.0


class Published(Struct, frozen=True):
    """What became of one document; `number` is its place in campaign-changes, -1 if unchanged.

    `version` counts a campaign's (list's, template's) publishes from 1.
    """

    kind: str
    id: str
    version: int
    number: int

    @property
    def changed(self) -> bool:
        """Whether something was appended."""
        return self.number >= 0


def publish(settings: Settings, wanted: Sequence[Change]) -> list[Published]:
    """Append what is new among `wanted`, in order; one result for each.

    Raises `Unreachable`; `Halt` when the topics are not there.
    """
    bootstrap = settings.bootstrap()
    partitions = broker_topics.partition_count(settings)
    newest: dict[str, str] = {}
    versions: Counter[str] = Counter()
    with LogReader(bootstrap) as reader:
        for one in published(reader):
            newest[one.change.key] = one.change.digest
            versions[one.change.key] += 1
    new = [change for change in wanted if newest.get(change.key) != change.digest]
    appended = asyncio.run(_append(settings, new, partitions))
    numbers = dict(zip((change.key for change in new), appended, strict=True))
    versions.update(change.key for change in new)
    return [
        Published(change.kind, change.id, versions[change.key], numbers.get(change.key, -1))
        for change in wanted
    ]


async def _append(settings: Settings, new: Sequence[Change], partitions: int) -> list[int]:
    """The changes' numbers; the markers are appended too."""
    if not new:
        return []
    producer = AIOKafkaProducer(
        bootstrap_servers=settings.bootstrap(),
        client_id="dripline-publish",
        acks="all",
        enable_idempotence=not settings.embedded,
        request_timeout_ms=int(REQUEST_SECONDS * 1000),
        max_request_size=8 * 1024 * 1024,
    )
    clock = clock_of(settings.clock)
    try:
        await producer.start()
        numbers = []
        for change in new:
            # One after the other: a later change may need an earlier one.
            sent = await producer.send_and_wait(
                CAMPAIGN_CHANGES,
                change_records.ENCODE(change),
                key=change.key.encode(),
                partition=0,
                timestamp_ms=clock.now_ms(),
                headers=_headers(change_records.SCHEMA, record_id("change", change.key,
                                                                  change.digest)),
            )  # fmt: skip
            numbers.append(sent.offset)
        marker = records.ChangeMarker(max(numbers))
        sends = [
            await producer.send(
                LEAD_EVENTS,
                records.ENCODE(marker),
                partition=partition,
                timestamp_ms=clock.now_ms(),
                headers=_headers(
                    records.NAMES[records.ChangeMarker],
                    record_id("marker", partition, marker.number),
                ),
            )
            for partition in range(partitions)
        ]
        await asyncio.gather(*sends)
    except KafkaError as error:
        raise Unreachable(
            f"Kafka at {settings.bootstrap()} did not take the changes ({type(error).__name__}): "
            "publish again, what was taken is not appended twice"
        ) from error
    finally:
        await producer.stop()
    return numbers


def _headers(schema: str, id: str) -> list[tuple[str, bytes]]:
    return [("schema", schema.encode()), ("id", id.encode())]
