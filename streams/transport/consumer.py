"""Faust's consumer, told to lose nothing: batches, promised offsets, our own ends and commits.

What each override closes is listed in docs/adr/0005-what-we-use-of-faust.md; every one has a test
in tests/transport. Faust 0.15.3, aiokafka 0.14.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any

from aiokafka.errors import IllegalStateError
from faust.exceptions import ConsumerNotStarted
from faust.transport.drivers import aiokafka as faust_aiokafka
from faust.types import TP
from faust.types.tuples import ConsumerMessage

from schemas.errors import Halt
from streams.transport import ending
from streams.transport.driver import Driver
from streams.transport.settings import UNKNOWN_END, TransportSettings
from streams.transport.thread import Thread
from streams.transport.topic_ids import topic_id

REBALANCING_PAUSE_SECONDS = 0.02
log = logging.getLogger(__name__)


class Consumer(faust_aiokafka.Consumer):
    """`_want[tp]` is the next offset promised to whoever handles this partition.

    Records that are fetched and not delivered are given back by seeking to it. `_epoch` is odd
    while somebody seeks, and counts the seeks: what was fetched across one is given back too.
    """

    mundane_level = "debug"

    driver: Driver[Any]
    settings: TransportSettings
    source: str
    _thread: Thread

    def __post_init__(self) -> None:
        super().__post_init__()
        stage: Any = self.app
        self.driver, self.settings, self.source = stage.driver, stage.settings, stage.source
        self._want: dict[TP, int] = {}
        self._epoch = 0
        self.driver.log_end = self._log_end

    def _new_consumer_thread(self) -> Thread:
        return Thread(self, loop=self.loop, beacon=self.beacon)

    # --- recovery and start

    async def highwaters(self, *partitions: TP) -> Mapping[TP, int]:
        """The end of a changelog is a fence record, written now; of all else what the broker says.

        Faust asks first of all when it recovers: a new set of objects begins here.
        """
        changelogs = {tp.partition: tp for tp in partitions if self._is_changelog_tp(tp)}
        ends: dict[TP, int] = {}
        others = [tp for tp in partitions if not self._is_changelog_tp(tp)]
        if others:
            ends.update(await self._thread.highwaters(*others))
        self._want.clear()
        self.driver.recovery.begin(set(changelogs))
        fence = partial(
            self.driver.recovery.fence, sorted(changelogs), self.app.consumer_generation_id
        )
        fences = await ending.or_end(fence, "fencing")
        ends.update({changelogs[number]: offset + 1 for number, offset in fences.items()})
        return ends

    async def _seek(self, partition: TP, offset: int) -> None:
        """In the thread that the client lives in; Faust calls it from this one.

        Seen: a fetch that is under way there ends with a KeyError. aiokafka also wakes its own
        fetching from here, which a future of another loop's thread may never hear of.
        """
        await self._thread.call_thread(self._thread.seek_if_assigned, partition, offset)

    async def seek_wait(self, partitions: Mapping[TP, int]) -> None:
        """Seek, and promise what lies there next."""
        self._want.update({TP(*tp): offset for tp, offset in partitions.items()})
        self._epoch += 1
        try:
            await super().seek_wait(partitions)
        finally:
            self._epoch += 1

    async def perform_seek(self) -> None:
        """Begin each partition where its object says, never at the committed offset."""
        self._epoch += 1
        try:
            await super().perform_seek()
            await self._start_partitions()
        except Halt as halt:
            ending.end_process(str(halt))
        finally:
            self._epoch += 1

    async def _start_partitions(self) -> None:
        sources = sorted(tp for tp in self.assignment() if tp.topic == self.source)
        if not sources:
            return
        identity = await asyncio.to_thread(topic_id, self.settings.bootstrap, self.source)
        starts = await self._thread.earliest_offsets(*sources)
        ends: Mapping[TP, int] = {}
        if not self.settings.embedded:
            ends = await self._thread.highwaters(*sources)
        for tp in sources:
            begin = self.driver.recovery.start(
                tp.partition,
                log_start=starts[tp],
                log_end=ends.get(tp, UNKNOWN_END),
                topic_id=identity,
                generation=self.app.consumer_generation_id,
            )
            self._want[tp] = begin
            await self.seek(tp, begin)

    # --- delivery

    async def _drain_messages(self, fetcher: Any) -> None:
        """Fetch and deliver until stopped; one message per poll and partition."""
        try:
            while not (self._stopped.is_set() or fetcher._stopped.is_set()):
                epoch, generation = self._epoch, self.app.consumer_generation_id
                fetched, _ = await self._wait_next_records(1.0)
                await asyncio.sleep(0)
                for place, records in (fetched or {}).items():
                    tp = TP(place.topic, place.partition)
                    stale = epoch != self._epoch or generation != self.app.consumer_generation_id
                    await self._take(tp, records, stale=stale or bool(epoch & 1))
        except self.consumer_stopped_errors:
            if not self.app.should_stop:
                raise
        except asyncio.CancelledError:
            if not self.app.should_stop:
                raise
        except Exception as error:
            ending.end_for(error, "fetching")

    async def _take(self, tp: TP, records: Sequence[Any], *, stale: bool) -> None:
        """Deliver what was fetched, or give it back; nothing is ever dropped.

        While rebalancing nothing of the log is delivered: after a recovery Faust resumes, seeks,
        and only then clears the queues that it has filled by then.
        """
        if not self._owed(tp):
            return
        if stale or not self.flow_active:
            await self._give_back(tp)
        elif tp.topic == self.source and self.app.rebalancing:
            await self._give_back(tp)
            await asyncio.sleep(REBALANCING_PAUSE_SECONDS)
        elif tp.topic == self.source and records[0].offset != self._want[tp]:
            await self._displaced(tp, records[0].offset)
        else:
            await self._deliver(tp, records)

    def _owed(self, tp: TP) -> bool:
        return tp in self._want and tp in self.assignment()

    async def _deliver(self, tp: TP, records: Any) -> None:
        epoch, last = self._epoch, records[-1]
        message = ConsumerMessage(
            tp.topic, tp.partition, last.offset, last.timestamp / 1000.0, 0, None, None, records,
            None, 0, 0, tp, generation_id=self.app.consumer_generation_id,
        )  # fmt: skip
        await self.wait_first(self.callback(message), self.suspend_flow.wait())
        if self._epoch == epoch and self.flow_active:
            self._want[tp] = last.offset + 1

    async def _give_back(self, tp: TP) -> None:
        await self._seek(tp, self._want[tp])

    async def _displaced(self, tp: TP, found: int) -> None:
        """aiokafka stands elsewhere than it was told to: it met the log's start or end.

        Raises `Halt` when what is owed is not in the log any more; else it is sought again.
        """
        want = self._want[tp]
        start = (await self._thread.earliest_offsets(tp))[tp]
        if found < want:
            raise Halt(
                f"{tp.topic}-{tp.partition}: read up to {want}, and the broker goes on at {found}: "
                "the topic was made anew or cut off at its end"
            )
        if start > want:
            raise Halt(
                f"{tp.topic}-{tp.partition}: {want} is the next offset to be handled, and the log "
                f"now starts at {start}: records were deleted before they were handled"
            )
        log.warning("%s-%d: fetched from %d, owed from %d", tp.topic, tp.partition, found, want)
        await self._give_back(tp)

    # --- commits: for lag displays only

    def _filter_tps_with_pending_acks(self, topics: Any = None) -> Iterator[TP]:
        """All partitions of which something is durable."""
        return (TP(self.source, number) for number in self.driver.committable())

    def _new_offset(self, tp: TP) -> int | None:
        """What our marker says, never Faust's acks: it acks messages that it skips, too."""
        return self.driver.committable().get(tp.partition)

    # --- what Faust watches and we watch better

    def on_buffer_full(self, tp: TP) -> None:
        """The queue itself holds the fetcher up."""

    async def verify_all_partitions_active(self) -> None:
        """Nothing: recovery, membership and contiguity have their own watchers."""

    def _log_end(self, number: int) -> int | None:
        try:
            return self._thread.highwater(TP(self.source, number))
        except (ConsumerNotStarted, IllegalStateError, AssertionError, AttributeError):
            return None  # not assigned, at this very moment: it is read from another thread


class Transport(faust_aiokafka.Transport):
    """Faust's aiokafka transport with our consumer."""

    Consumer = Consumer
