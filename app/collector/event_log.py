"""Appends records to Kafka for many requests at once, and tells each when all of its are durable.

Every partition has a queue and at most one batch on its way; what comes in meanwhile makes the
next batch, so the busier it is, the more requests share one. What waits is bounded in bytes, how
long a request waits in time; whoever comes while the broker cannot take it is told so at once.
A refused request may still be appended later: the client sends it again, with the same ids.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Sequence
from typing import Any

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError
from msgspec import Struct

from app import logs, metrics
from app.clock import Clock
from app.collector.refusals import Unavailable
from schemas.topics import DEAD_LETTERS, LEAD_EVENTS, SUPPRESSIONS
from streams.ports import Outgoing

_log = logs.log(__name__)

TOPICS = (LEAD_EVENTS, DEAD_LETTERS, SUPPRESSIONS)
IN_FLIGHT_BYTES_MAX = 64 * 1024 * 1024
ACKNOWLEDGED_SECONDS_MAX = 8.0  # Segment's clients give up after 10 and 15
STALLED_SECONDS = 3.0  # a batch on its way for so long: the broker does not take it
_BATCH_BYTES = 1024 * 1024
_RECORD_BYTES = 120  # what a record costs beside key, value and headers
_CONNECT_SECONDS_MAX = 15.0
_PULSE_SECONDS = 0.25
_PING_SECONDS = 3.0


class Append(Struct, frozen=True, gc=False):
    """One record and where it goes."""

    topic: str
    partition: int
    record: Outgoing


class _Request:
    """What one caller waits for."""

    __slots__ = ("abandoned", "done", "waiting")

    def __init__(self, waiting: int, done: asyncio.Future[None]) -> None:
        self.waiting = waiting
        self.done = done
        self.abandoned = False

    def acknowledged(self) -> None:
        self.waiting -= 1
        if self.waiting == 0 and not self.done.done():
            self.done.set_result(None)

    def failed(self, reason: str) -> None:
        if not self.done.done():
            self.done.set_exception(Unavailable(reason, 2))


Queued = tuple[Outgoing, _Request, int]


class _Lane:
    """One partition of a topic: what waits, and what is on its way since `sent_at`."""

    __slots__ = ("partition", "queue", "sent", "sent_at", "task", "topic")

    def __init__(self, topic: str, partition: int) -> None:
        self.topic = topic
        self.partition = partition
        self.queue: deque[Queued] = deque()
        self.sent: list[Queued] = []
        self.sent_at: float | None = None
        self.task: asyncio.Task[None] | None = None


class EventLog:
    """The one producer of a collector.

    `partitions` is the number of partitions of `lead-events`, 0 before the first connection.
    `in_flight_bytes` is what is not yet acknowledged. `problem` says why it is not ready, or "".
    """

    def __init__(self, bootstrap: str, clock: Clock, *, idempotent: bool) -> None:
        self.partitions = 0
        self.in_flight_bytes = 0
        self.problem = "not yet connected to the broker"
        self._bootstrap = bootstrap
        self._clock = clock
        self._idempotent = idempotent
        self._producer: AIOKafkaProducer | None = None
        self._connected = asyncio.Event()
        self._broken = False
        self._lanes: dict[tuple[str, int], _Lane] = {}
        self._supervisor: asyncio.Task[None] | None = None
        self._refusals = 0
        self._pinged_at = 0.0

    @property
    def ready(self) -> bool:
        """Records are taken: connected, and the broker acknowledges."""
        return not self.problem

    async def start(self) -> None:
        """Begin to connect, and to stay connected, in the background; returns at once."""
        metrics.BROKER_UNREACHABLE.set_function(lambda: bool(self.problem))
        self._supervisor = asyncio.create_task(self._supervise())

    async def connected(self, seconds: float) -> bool:
        """Wait until records are taken, at most so long; whether they are."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._connected.wait()
        return self.ready

    async def stop(self, drain_seconds: float = 5.0) -> None:
        """Let what is on its way arrive, then disconnect."""
        tasks = [lane.task for lane in self._lanes.values() if lane.task is not None]
        if tasks:
            await asyncio.wait(tasks, timeout=drain_seconds)
        self.problem = "stopped"
        if self._supervisor is not None:
            self._supervisor.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._supervisor
        await self._disconnect("the collector stops")

    async def append(self, appends: Sequence[Append]) -> None:
        """Return when the broker has acknowledged every one of them, with acks=all.

        Raises `Unavailable` when it did not in time or cannot now; then each of them may have been
        appended, or may be still.
        """
        if self.problem:
            raise Unavailable(self.problem, self._come_again())
        if self.in_flight_bytes > IN_FLIGHT_BYTES_MAX:
            raise Unavailable("too much waits for the broker", self._come_again())
        loop = asyncio.get_running_loop()
        request = _Request(len(appends), loop.create_future())
        for item in appends:
            self._queue(item, request)
        late = "the broker did not acknowledge in time"
        deadline = loop.call_later(ACKNOWLEDGED_SECONDS_MAX, request.failed, late)
        try:
            await request.done
        finally:
            deadline.cancel()
            request.abandoned = True

    def _queue(self, item: Append, request: _Request) -> None:
        place = (item.topic, item.partition)
        lane = self._lanes.get(place)
        if lane is None:
            lane = self._lanes[place] = _Lane(*place)
        size = _size(item.record)
        self.in_flight_bytes += size
        lane.queue.append((item.record, request, size))
        if lane.task is None:
            lane.task = asyncio.create_task(self._pump(lane))

    async def _pump(self, lane: _Lane) -> None:
        """Send what waits, batch after batch, until nothing does."""
        try:
            while lane.queue and self._producer is not None:
                await self._send(lane, self._producer)
        finally:
            lane.task = None
            if self._producer is None:
                self._fail(lane, self.problem)

    async def _send(self, lane: _Lane, producer: AIOKafkaProducer) -> None:
        batch = producer.create_batch()
        self._fill(lane, batch)
        if not lane.sent:
            return
        lane.sent_at = self._clock.monotonic()
        try:
            future = await producer.send_batch(batch, lane.topic, partition=lane.partition)
            await future
        except KafkaError as error:
            # The sequence numbers of an idempotent producer have a hole now: it is replaced.
            self._broken = self._broken or self._idempotent
            reason = f"the broker refused: {type(error).__name__}"
            _log.warning("batch failed", topic=lane.topic, partition=lane.partition, error=reason)
            for _, request, _ in lane.sent:
                request.failed(reason)
        else:
            for _, request, _ in lane.sent:
                request.acknowledged()
        self._sent(lane)

    def _fill(self, lane: _Lane, batch: Any) -> None:
        """Move records from the queue into the batch; those that nobody waits for are dropped."""
        stamp = self._clock.now_ms()
        queue, sent = lane.queue, lane.sent
        while queue:
            record, request, size = queue[0]
            if request.abandoned:
                self.in_flight_bytes -= size
            elif (
                batch.append(
                    timestamp=stamp,
                    key=record.key,
                    value=record.value,
                    headers=list(record.headers),
                )
                is None
            ):
                return
            else:
                sent.append(queue[0])
            queue.popleft()

    def _sent(self, lane: _Lane) -> None:
        self.in_flight_bytes -= sum(size for _, _, size in lane.sent)
        lane.sent = []
        lane.sent_at = None

    def _fail(self, lane: _Lane, reason: str) -> None:
        for _, request, size in lane.queue:
            self.in_flight_bytes -= size
            request.failed(reason)
        lane.queue.clear()
        for _, request, _ in lane.sent:
            request.failed(reason)
        self._sent(lane)

    def _come_again(self) -> int:
        """Seconds for `Retry-After`, spread so that clients do not come back all at once."""
        self._refusals += 1
        return 1 + self._refusals % 4

    async def _supervise(self) -> None:
        """Connect, watch, and connect anew after a fatal error of the producer."""
        pause = 0.5
        while True:
            if self._producer is None:
                try:
                    await self._connect()
                    pause = 0.5
                except (KafkaError, TimeoutError, OSError) as error:
                    self.problem = f"the broker at {self._bootstrap} cannot be used: {error!r}"
                    _log.warning("cannot connect", error=type(error).__name__, detail=str(error))
                    await asyncio.sleep(pause)
                    pause = min(pause * 2, 5.0)
                    continue
            await asyncio.sleep(_PULSE_SECONDS)
            if self._broken or self._sender_ended():
                await self._disconnect("the producer failed and is replaced")
            else:
                await self._check()

    async def _connect(self) -> None:
        producer = AIOKafkaProducer(
            bootstrap_servers=self._bootstrap,
            client_id="dripline-collector",
            acks="all",
            enable_idempotence=self._idempotent,
            max_batch_size=_BATCH_BYTES,
            request_timeout_ms=10_000,
        )
        try:
            async with asyncio.timeout(_CONNECT_SECONDS_MAX):
                await producer.start()
                known = await producer.client.fetch_all_metadata()
                missing = [name for name in TOPICS if known.partitions_for_topic(name) is None]
                if missing:
                    raise KafkaError(f"no topic {', '.join(missing)}: `dripline topics create`")
                for name in TOPICS:
                    await producer.partitions_for(name)
        except BaseException:
            await _close(producer)
            raise
        self.partitions = len(known.partitions_for_topic(LEAD_EVENTS))
        self._producer, self._broken, self.problem = producer, False, ""
        self._pinged_at = self._clock.monotonic()
        self._connected.set()
        _log.info("connected", broker=self._bootstrap, partitions=self.partitions)

    async def _disconnect(self, why: str) -> None:
        producer, self._producer = self._producer, None
        if producer is None:
            return
        self.problem = why
        self._connected.clear()
        for lane in self._lanes.values():
            if lane.task is not None:
                lane.task.cancel()
            self._fail(lane, why)
        await _close(producer)

    def _sender_ended(self) -> bool:
        task = self._producer._sender.sender_task if self._producer is not None else None
        return task is not None and task.done()

    async def _check(self) -> None:
        """Stalled while a batch is on its way for too long; where none is, ask for a sign."""
        now = self._clock.monotonic()
        sent = [lane.sent_at for lane in self._lanes.values() if lane.sent_at is not None]
        if sent:
            stalled = now - min(sent) > STALLED_SECONDS
            self.problem = "the broker does not acknowledge" if stalled else ""
            self._pinged_at = now
            return
        if now - self._pinged_at < (1.0 if self.problem else _PING_SECONDS):
            return
        self._pinged_at = now
        assert self._producer is not None
        alive = False
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(STALLED_SECONDS):
                alive = await self._producer.client.force_metadata_update()
        self.problem = "" if alive else "the broker does not answer"


def _size(record: Outgoing) -> int:
    return _RECORD_BYTES + len(record.key or b"") + len(record.value or b"")


async def _close(producer: AIOKafkaProducer) -> None:
    """Disconnect without waiting for a broker that may be gone (aiokafka's `stop` does)."""
    producer._closed = True
    sender: asyncio.Task[None] | None = producer._sender.sender_task
    await producer.client.close()
    if sender is not None:
        sender.cancel()
        await asyncio.wait({sender}, timeout=1.0)
