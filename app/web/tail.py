"""Reads facts, campaign changes and the leads' states from Kafka into the `View`, on and on.

A plain consumer without a group, from the beginning of each topic. Trouble with the broker is a
reason to wait and try again; what was read stays.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

import msgspec
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from app import logs
from app.web.view import View
from schemas import changes
from schemas.topics import CAMPAIGN_CHANGES, JOURNEY_FACTS, LEADS_CHANGELOG

_log = logs.log(__name__)

TOPICS = (CAMPAIGN_CHANGES, JOURNEY_FACTS, LEADS_CHANGELOG)
POLL_MS = 500
RECORDS_MAX = 2_000  # at once: the collector runs in the same loop
PAUSE_SECONDS = 2.0


class Tail:
    """Feeds a view. `caught_up` once everything was read that was there at the start.

    `problem` says why nothing new comes, or "".
    """

    def __init__(self, bootstrap: str, view: View) -> None:
        self.caught_up = False
        self.problem = ""
        self._bootstrap = bootstrap
        self._view = view
        self._next: dict[TopicPartition, int] = {}
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begin to read in the background."""
        self._task = asyncio.create_task(self._run())
        self._task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            self.problem = f"{type(error).__name__}: what the pages show stands still"
            _log.error("the pages read no more", exc_info=error)

    async def stop(self) -> None:
        """Read no more."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    async def _run(self) -> None:
        while True:
            consumer = AIOKafkaConsumer(
                bootstrap_servers=self._bootstrap,
                group_id=None,
                client_id="dripline-pages",
                enable_auto_commit=False,
                auto_offset_reset="earliest",
                fetch_max_wait_ms=POLL_MS,
            )
            try:
                await consumer.start()
                await self._follow(consumer)
            except (KafkaError, OSError, TimeoutError) as error:
                self.problem = f"the broker cannot be read: {error}"
                _log.warning("cannot read for the pages", error=type(error).__name__)
            finally:
                await consumer.stop()
            await asyncio.sleep(PAUSE_SECONDS)

    async def _follow(self, consumer: AIOKafkaConsumer) -> None:
        places = await self._places(consumer)
        self.problem = ""
        consumer.assign(places)
        for place in places:
            if place in self._next:
                consumer.seek(place, self._next[place])
            else:
                await consumer.seek_to_beginning(place)
        while True:
            fetched = await consumer.getmany(timeout_ms=POLL_MS, max_records=RECORDS_MAX)
            for place, found in fetched.items():
                for record in found:
                    self._take(place, record)
                    self._next[place] = record.offset + 1
            if not self.caught_up and not fetched:
                self.caught_up = await _at_the_end(consumer, places)

    async def _places(self, consumer: AIOKafkaConsumer) -> list[TopicPartition]:
        """Every partition of our topics. Raises `KafkaError` while one is missing."""
        known = await consumer._client.fetch_all_metadata()
        places: list[TopicPartition] = []
        for topic in TOPICS:
            numbers = known.partitions_for_topic(topic)
            if not numbers:
                raise KafkaError(f"topic {topic} is not there: `dripline topics create` makes it")
            places += [TopicPartition(topic, number) for number in sorted(numbers)]
        return places

    def _take(self, place: TopicPartition, record: Any) -> None:
        if place.topic == JOURNEY_FACTS:
            self._view.take_facts(place.partition, record.value)
        elif place.topic == LEADS_CHANGELOG:
            self._view.take_state(place.partition, record.key or b"", record.value)
        else:
            try:
                change = changes.DECODE(record.value or b"")
            except msgspec.DecodeError:
                self._view.unreadable += 1
                return
            self._view.take_change(record.offset, change)


async def _at_the_end(consumer: AIOKafkaConsumer, places: list[TopicPartition]) -> bool:
    for place in places:
        end = consumer.highwater(place)
        if end is None or await consumer.position(place) < end:
            return False
    return True
