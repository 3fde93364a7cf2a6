"""Lanes and the durable writer on a real broker."""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest

from app.log_reading import LogReader
from streams.ports import Outgoing, Produce
from streams.topology import Stage
from streams.transport import ending
from streams.transport.changelog import read_range
from streams.transport.lane import Lane
from streams.transport.log_clock import LogClock
from streams.transport.membership import Membership
from streams.transport.writer import Writer
from tests.kafka.server import KafkaServer
from tests.transport.toy import commands_of

STAMP_MS = 1_700_000_000_000


@pytest.fixture
async def writer(kafka: KafkaServer) -> AsyncIterator[Writer]:
    made = Writer(kafka.bootstrap, "test", lambda: STAMP_MS, idempotent=True)
    await made.start()
    yield made
    await made.stop()


class Acknowledgements:
    def __init__(self, writer: Writer, *, member: bool = True) -> None:
        self.came: list[tuple[int, int]] = []
        self.foreign: list[tuple[int, int]] = []
        self.membership = Membership(10.0, 120.0)
        if member:
            self.membership.proved(time.monotonic())
        self.clock = LogClock(lambda: 0, follow=True)
        self.lane = Lane(writer, self.membership, self.clock, self._acknowledged)

    def _acknowledged(
        self, produce: Produce, base_offset: int, foreign: Sequence[tuple[int, int]]
    ) -> None:
        self.came.append((produce.ticket, base_offset))
        self.foreign += foreign

    async def all(self) -> list[tuple[int, int]]:
        while not self.lane.idle:  # noqa: ASYNC110 - lanes tell nobody but the driver
            await asyncio.sleep(0.01)
        return self.came


def outgoing(count: int, size: int = 10) -> list[Outgoing]:
    return [Outgoing(b"k%d" % i, b"v" * size, (("schema", b"x/1"),)) for i in range(count)]


async def test_produces_are_carried_out_in_order(stage: Stage, writer: Writer) -> None:
    told = Acknowledgements(writer)
    for ticket, count in ((1, 3), (2, 1), (3, 2)):
        told.lane.put(Produce(ticket, "commands", stage.source, 0, outgoing(count)))
    told.lane.put(Produce(4, "commands", stage.source, 1, outgoing(1)))

    assert await told.all() == [(1, 0), (2, 3), (3, 4), (4, 0)]
    told.lane.put(Produce(5, "commands", stage.source, 0, outgoing(1)))
    assert await told.all() == [(1, 0), (2, 3), (3, 4), (4, 0), (5, 6)]


async def test_more_than_a_batch_lies_one_after_another(
    kafka: KafkaServer, stage: Stage, writer: Writer
) -> None:
    """Also a record that is larger than a batch: poison goes to the dead letters as it came."""
    told = Acknowledgements(writer)
    records = [*outgoing(900, 1_000), *outgoing(1, 6_000_000), *outgoing(2)]
    told.lane.put(Produce(1, "states", stage.source, 0, records))
    told.lane.put(Produce(2, "states", stage.source, 0, outgoing(1)))

    assert await told.all() == [(1, 0), (2, 903)]
    read = await read_range(kafka.bootstrap, stage.source, 0, 898, 903)
    assert [(record.offset, len(record.value)) for record in read] == [
        (898, 1_000), (899, 1_000), (900, 6_000_000), (901, 10), (902, 10),
    ]  # fmt: skip


async def test_what_somebody_else_wrote_in_between_is_told(stage: Stage, writer: Writer) -> None:
    """A zombie in the midst of a flush: else its stale states could outlive ours."""
    told = Acknowledgements(writer)
    send = writer._submit
    batches = 0

    async def submit(batch: Any, topic: str, partition: int) -> Any:
        nonlocal batches
        batches += 1
        future = await send(batch, topic, partition)
        if batches == 1:
            await future
            ((_, other),) = await writer.send(topic, partition, outgoing(3))
            await other
        return future

    writer._submit = submit  # type: ignore[method-assign]
    told.lane.put(Produce(1, "states", stage.changelog, 0, outgoing(1_000, 1_000)))

    ((ticket, base),) = await told.all()

    assert (ticket, base) == (1, 0)
    ((first, last),) = told.foreign
    assert last - first == 3


async def test_record_without_key_and_value_goes_as_it_came(
    kafka: KafkaServer, stage: Stage, writer: Writer
) -> None:
    told = Acknowledgements(writer)
    told.lane.put(Produce(1, "commands", stage.source, 0, [Outgoing(None, None, ())]))

    assert await told.all() == [(1, 0)]
    (read,) = await read_range(kafka.bootstrap, stage.source, 0, 0, 1)
    assert (read.key, read.value, read.headers) == (None, None, ())


async def test_append_time_sets_the_logs_clock(stage: Stage, writer: Writer) -> None:
    told = Acknowledgements(writer)
    assert told.clock.now_ms() is None

    told.lane.put(Produce(1, "commands", stage.source, 0, outgoing(1)))
    await told.all()

    now_ms = told.clock.now_ms()
    assert now_ms is not None
    with_reader = now_ms - STAMP_MS
    assert with_reader > 1_000_000  # the broker's time, not the stamp of ours


async def test_nothing_is_sent_without_proof_of_membership(
    kafka: KafkaServer, stage: Stage, writer: Writer
) -> None:
    told = Acknowledgements(writer, member=False)
    told.lane.put(Produce(1, "states", stage.changelog, 0, outgoing(1)))
    await asyncio.sleep(0.3)
    with LogReader(kafka.bootstrap) as reader:
        assert list(reader.read(stage.changelog, 0)) == []

    told.membership.proved(time.monotonic())

    assert await told.all() == [(1, 0)]


async def test_closed_lane_sends_nothing_more(
    kafka: KafkaServer, stage: Stage, writer: Writer
) -> None:
    told = Acknowledgements(writer, member=False)
    told.lane.put(Produce(1, "states", stage.changelog, 0, outgoing(1)))

    told.lane.close()
    told.membership.proved(time.monotonic())

    await asyncio.sleep(0.3)
    with LogReader(kafka.bootstrap) as reader:
        assert list(reader.read(stage.changelog, 0)) == []
    assert told.came == []


async def test_send_that_fails_ends_the_process(
    stage: Stage, writer: Writer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Faust's producer only logs it, and the offset is committed."""
    ended: list[str] = []

    def end(error: BaseException, doing: str) -> None:
        ended.append(f"{type(error).__name__} {doing}")

    monkeypatch.setattr(ending, "end_for", end)
    told = Acknowledgements(writer)
    told.lane.put(Produce(1, "commands", stage.source, 0, outgoing(1, 9_600_000)))
    while not ended:  # noqa: ASYNC110 - it is the end that we wait for
        await asyncio.sleep(0.01)

    assert ended == ["MessageSizeTooLargeError producing"]
    assert told.came == []


@pytest.mark.parametrize("first", [0, 7])
async def test_stretch_of_a_partition_is_read(
    kafka: KafkaServer, stage: Stage, writer: Writer, first: int
) -> None:  # fmt: skip
    told = Acknowledgements(writer)
    told.lane.put(Produce(1, "commands", commands_of(stage), 1, outgoing(12)))
    await told.all()

    read = await read_range(kafka.bootstrap, commands_of(stage), 1, first, 11)

    assert [record.offset for record in read] == list(range(first, 11))
