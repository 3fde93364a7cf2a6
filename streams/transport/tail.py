"""Reading one partition of a small topic whole, and then on and on: changes, suppressions.

Without a consumer group and outside Faust. The end of the first read is the high watermark that
the first fetch tells; ListOffsets is short of it on the embedded broker (clarifications 3d).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import aiokafka

from schemas.errors import Halt
from streams.ports import LogRecord
from streams.transport import ending

POLL_MS = 500


class Tail:
    """Calls `on_record` for every record of `topic`, partition 0, from its beginning, in order.

    An error that it raises, or a topic that was cut off behind us, ends the process.
    """

    def __init__(self, bootstrap: str, topic: str, on_record: Callable[[LogRecord], None]) -> None:
        self._bootstrap = bootstrap
        self._place = aiokafka.TopicPartition(topic, 0)
        self._on_record = on_record
        self._consumer: Any = None
        self._task: asyncio.Task[None] | None = None
        self._moved = asyncio.Event()
        self.next_offset = 0

    async def start(self) -> None:
        """Return when everything is read that was there at the first fetch."""
        self._consumer = aiokafka.AIOKafkaConsumer(
            bootstrap_servers=self._bootstrap,
            group_id=None,
            auto_offset_reset="earliest",
            fetch_max_wait_ms=POLL_MS,
        )
        await self._consumer.start()
        self._consumer.assign([self._place])
        await self._consumer.seek_to_beginning(self._place)
        end = None
        while end is None or self.next_offset < end:
            await self._poll()
            if end is None:
                end = self._consumer.highwater(self._place)
        self._task = asyncio.create_task(
            ending.or_end(self._follow, f"reading {self._place.topic}")
        )

    async def stop(self) -> None:
        """Read no more."""
        if self._task is not None:
            self._task.cancel()
        if self._consumer is not None:
            await self._consumer.stop()

    def heard_ms(self) -> int:
        """When the broker last answered a fetch, wall clock; idle, it does twice a second."""
        last = None if self._consumer is None else self._consumer.last_poll_timestamp(self._place)
        return last or 0

    async def reached(self, offset: int) -> None:
        """Return when the record at `offset` was handed over."""
        while self.next_offset <= offset:
            self._moved.clear()
            await self._moved.wait()

    async def _follow(self) -> None:
        while True:
            await self._poll()

    async def _poll(self) -> None:
        fetched = await self._consumer.getmany(self._place, timeout_ms=POLL_MS)
        for record in fetched.get(self._place, ()):
            if record.offset < self.next_offset:
                raise Halt(f"{self._place.topic} was made anew behind us: start again")
            self._on_record(record)
            self.next_offset = record.offset + 1
        self.next_offset = max(self.next_offset, await self._consumer.position(self._place))
        self._moved.set()
