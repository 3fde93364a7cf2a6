"""The durable writer: whole batches through an own producer; every acknowledgement is awaited.

Faust's producer is not idempotent, its `flush` gives up after 0.1 s without progress, and a
failed send is only logged: nothing durable goes through it (research, reliability 1).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

import aiokafka
from aiokafka.errors import KafkaTimeoutError

from streams.ports import Outgoing
from streams.transport import ending

BATCH_BYTES = 512 * 1024
# A dead letter is a record as large as a topic takes (8 MiB), and its reason.
REQUEST_BYTES = 10 * 1024 * 1024
REQUEST_TIMEOUT_MS = 30_000


class Writer:
    """One producer; `acks=all`, idempotent but on the embedded broker, which cannot."""

    def __init__(
        self, bootstrap: str, client_id: str, now_ms: Callable[[], int], *, idempotent: bool
    ) -> None:
        self._now_ms = now_ms
        self._options: dict[str, Any] = {
            "bootstrap_servers": bootstrap,
            "client_id": client_id,
            "acks": "all",
            "enable_idempotence": idempotent,
            "max_batch_size": BATCH_BYTES,
            "max_request_size": REQUEST_BYTES,
            "request_timeout_ms": REQUEST_TIMEOUT_MS,
        }
        self._producer: Any = None

    async def start(self) -> None:
        """Connect; the end of the producer's own task ends the process."""
        self._producer = aiokafka.AIOKafkaProducer(**self._options)
        await self._producer.start()
        self._producer._sender.sender_task.add_done_callback(_end_with_sender)

    async def stop(self) -> None:
        """Disconnect; whatever was written is acknowledged already."""
        if self._producer is not None:
            await self._producer.stop()

    async def send(
        self, topic: str, partition: int, records: Sequence[Outgoing]
    ) -> list[tuple[int, asyncio.Future[Any]]]:
        """Hand records over, in order, as batches: how many records, and the future of aiokafka's
        RecordMetadata, which the caller awaits.

        Records lie in the log one after another when nobody else writes there in between. The
        records' time is the log's clock; a broker with LogAppendTime puts its own.
        """
        waiting: list[tuple[int, asyncio.Future[Any]]] = []
        stamp = self._now_ms()
        batch = self._producer.create_batch()
        for record in records:
            headers = list(record.headers)
            if _append(batch, stamp, record, headers) is None:
                waiting.append((batch.record_count(), await self._submit(batch, topic, partition)))
                batch = self._producer.create_batch()
                # The first record of a batch is always taken, whatever its size.
                _append(batch, stamp, record, headers)
        if batch.record_count():
            waiting.append((batch.record_count(), await self._submit(batch, topic, partition)))
        return waiting

    async def _submit(self, batch: Any, topic: str, partition: int) -> asyncio.Future[Any]:
        """Queue one batch; waits for a free place as long as it takes.

        aiokafka has one place a partition and gives up on it after the request's time-out, which
        an outage outlasts. How long is too long is decided by the membership check.
        """
        while True:
            try:
                future: asyncio.Future[Any] = await self._producer.send_batch(
                    batch, topic, partition=partition
                )
                return future
            except KafkaTimeoutError:
                continue


def _append(batch: Any, stamp: int, record: Outgoing, headers: list[tuple[str, bytes]]) -> Any:
    return batch.append(timestamp=stamp, key=record.key, value=record.value, headers=headers)


def _end_with_sender(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and (error := task.exception()) is not None:
        ending.end_for(error, "producing")
