"""Traps of Faust 0.15.3 and aiokafka 0.14 (research, faust-under-fire), each closed by an override.

Where it is cheap, a test shows first that the stock class does fall into the trap: when that part
fails after an upgrade, the override may go.
"""

import asyncio
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from faust.transport.consumer import Consumer as StockConsumer
from faust.transport.drivers import aiokafka as stock
from faust.types import TP

from schemas.errors import Halt
from schemas.state import MARKER_KEY
from streams.ports import Commit, StoredRecord
from streams.topology import Stage, build
from streams.transport import ending
from streams.transport.consumer import Consumer
from streams.transport.driver import Driver
from streams.transport.membership import Membership
from streams.transport.settings import TransportSettings
from streams.transport.store import Store
from streams.transport.thread import Thread
from tests.transport.conftest import Ended
from tests.transport.toy import MARK, ToyPartition, stage_of

STAGE = stage_of("traps")
SOURCE = TP(STAGE.source, 0)


def driver_of(tmp_path: Path, **hooks: Any) -> Driver[ToyPartition]:
    settings = TransportSettings(bootstrap="127.0.0.1:1", partitions=1)
    return Driver(
        lambda number: ToyPartition(number, STAGE),
        settings,
        name="traps",
        changelog=STAGE.changelog,
        now_ms=lambda: time.time_ns() // 1_000_000,
        **hooks,
    )


def recovered(driver: Driver[ToyPartition], watermark: int = -1) -> ToyPartition:
    """One partition that is at work behind `watermark`."""
    driver.recovery.begin({0})
    slot = driver.slots[0]
    slot.end = 1
    marker = StoredRecord(0, 0, MARKER_KEY, MARK.pack(watermark, b"id"))
    driver.recovery.take(0, [marker])
    driver.recovery.start(0, log_start=0, log_end=100, topic_id="id", generation=1)
    return slot.partition


def records(first: int, last: int) -> list[StoredRecord]:
    return [StoredRecord(offset, 0, b"k", b"v") for offset in range(first, last)]


class ThreadInMemory:
    """What the consumer asks of its thread, without one: seeks are noted."""

    def __init__(self, start: int = 0) -> None:
        self.seeks: list[tuple[TP, int]] = []
        self.start = start

    async def call_thread(self, call: Any, *arguments: Any) -> Any:
        return await call(*arguments)

    async def seek_if_assigned(self, tp: TP, offset: int) -> None:
        self.seeks.append((tp, offset))

    async def earliest_offsets(self, *tps: TP) -> dict[TP, int]:
        return dict.fromkeys(tps, self.start)


def consumer_of(driver: Driver[ToyPartition], **app: Any) -> Any:
    """Our consumer's own methods on Faust's class, without a broker behind it."""
    consumer = Consumer.__new__(Consumer)
    consumer.app = SimpleNamespace(rebalancing=False, consumer_generation_id=1, **app)
    consumer.driver, consumer.source = driver, STAGE.source
    consumer._want, consumer._epoch = {SOURCE: 0}, 0
    consumer._thread = ThreadInMemory()
    consumer.flow_active = True
    consumer.suspend_flow = asyncio.Event()
    consumer.assignment = lambda: {SOURCE}
    delivered: list[Any] = []

    async def callback(message: Any) -> None:
        delivered.append(message)

    async def wait_first(work: Any, other: Any) -> None:
        other.close()
        await work

    consumer.callback, consumer.wait_first, consumer.delivered = callback, wait_first, delivered
    return consumer


# --- trap 1: after a recovery the queues are cleared once more, behind the seek


async def test_nothing_is_delivered_while_rebalancing(tmp_path: Path) -> None:
    consumer = consumer_of(driver_of(tmp_path))
    consumer.app.rebalancing = True

    await consumer._take(SOURCE, records(0, 5), stale=False)

    assert consumer.delivered == []
    assert consumer._thread.seeks == [(SOURCE, 0)]
    consumer.app.rebalancing = False
    await consumer._take(SOURCE, records(0, 5), stale=False)
    assert [message.value for message in consumer.delivered] == [records(0, 5)]
    assert consumer._want[SOURCE] == 5


async def test_what_was_fetched_across_a_seek_is_given_back(tmp_path: Path) -> None:
    consumer = consumer_of(driver_of(tmp_path))

    await consumer._take(SOURCE, records(3, 5), stale=True)

    assert consumer.delivered == []
    assert consumer._thread.seeks == [(SOURCE, 0)]


async def test_position_behind_what_is_owed_is_sought_again(tmp_path: Path) -> None:
    consumer = consumer_of(driver_of(tmp_path))

    await consumer._take(SOURCE, records(3, 5), stale=False)

    assert consumer.delivered == []
    assert consumer._thread.seeks == [(SOURCE, 0)]


async def test_owed_records_that_were_deleted_end_the_worker(tmp_path: Path) -> None:
    consumer = consumer_of(driver_of(tmp_path))
    consumer._thread.start = 3

    with pytest.raises(Halt, match="now starts at 3"):
        await consumer._take(SOURCE, records(3, 5), stale=False)


async def test_log_that_goes_on_before_what_was_read_ends_the_worker(tmp_path: Path) -> None:
    consumer = consumer_of(driver_of(tmp_path))
    consumer._want[SOURCE] = 10

    with pytest.raises(Halt, match="made anew"):
        await consumer._take(SOURCE, records(0, 5), stale=False)


async def test_agent_refuses_a_gap(tmp_path: Path, endings: list[str]) -> None:
    """Whatever loses a batch on its way (a queue cleared, a message skipped), the next tells."""
    driver = driver_of(tmp_path)
    recovered(driver)
    settings = TransportSettings(bootstrap="127.0.0.1:1", partitions=1)
    app = build(STAGE, settings, driver)
    events = [
        SimpleNamespace(message=SimpleNamespace(partition=0), value=batch)
        for batch in (records(0, 3), records(5, 7))
    ]

    class Stream:
        def noack(self) -> "Stream":
            return self

        async def events(self) -> Any:
            for event in events:
                yield event

    with pytest.raises(Ended):
        await app.agents["toys"].fun(Stream())

    assert "gap: 3 expected, 5 came" in endings[0]


# --- trap 3: Faust acknowledges messages that it skips


async def test_commit_is_what_the_marker_says_not_what_was_acked(tmp_path: Path) -> None:
    driver = driver_of(tmp_path)
    partition = recovered(driver, watermark=4)
    consumer = consumer_of(driver)
    for offset in range(10):
        consumer_acks(consumer, offset)
    assert StockConsumer._new_offset(consumer, SOURCE) == 10

    assert consumer._new_offset(SOURCE) is None
    driver.perform(partition, [Commit(5)])
    assert consumer._new_offset(SOURCE) == 5
    assert list(consumer._filter_tps_with_pending_acks()) == [SOURCE]


def consumer_acks(consumer: Any, offset: int) -> None:
    if not hasattr(consumer, "_acked"):
        consumer._acked, consumer._acked_index, consumer._gap = {SOURCE: []}, {SOURCE: set()}, {}
        consumer._gap[SOURCE] = None
        consumer._committed_offset = {SOURCE: None}
    consumer._acked[SOURCE].append(offset)


# --- trap 5: an empty set of partitions means all of them


class FetcherInMemory:
    """Stands for aiokafka's: notes the set it was given, as it is when the call waits."""

    _closed = False

    def __init__(self, live: set[TP]) -> None:
        self.live = live
        self.asked: list[frozenset[TP]] = []
        self._subscriptions = SimpleNamespace(fetch_context=_nothing)

    async def fetched_records(self, partitions: Any, **_: Any) -> dict[Any, Any]:
        self.live.clear()  # Faust pauses the partitions while the call waits
        self.asked.append(frozenset(partitions))
        return {}


class _nothing:
    def __enter__(self) -> None: ...

    def __exit__(self, *_: object) -> None: ...


def thread_of(cls: type, driver: Driver[ToyPartition]) -> Any:
    thread = cls.__new__(cls)
    thread.consumer = SimpleNamespace(driver=driver, source=STAGE.source, flow_active=True)
    return thread


@pytest.mark.parametrize(
    ("cls", "asked"),
    [(stock.AIOKafkaConsumerThread, frozenset()), (Thread, frozenset({SOURCE}))],
    ids=["stock", "ours"],
)
async def test_fetch_keeps_the_set_it_was_asked_for(
    tmp_path: Path, cls: type, asked: frozenset[TP]
) -> None:
    live = {SOURCE}
    fetcher = FetcherInMemory(live)
    aiokafka = SimpleNamespace(_fetcher=fetcher, _closed=False)

    await thread_of(cls, driver_of(tmp_path))._fetch_records(aiokafka, live)

    assert fetcher.asked == [asked]


async def test_fetch_of_nothing_asks_for_nothing(tmp_path: Path) -> None:
    fetcher = FetcherInMemory(set())
    aiokafka = SimpleNamespace(_fetcher=fetcher, _closed=False)

    found = await thread_of(Thread, driver_of(tmp_path))._fetch_records(aiokafka, set())

    assert found == {}
    assert fetcher.asked == []


async def test_blocked_partition_is_not_fetched(tmp_path: Path) -> None:
    driver = driver_of(tmp_path)
    recovered(driver).full = True
    other = TP(STAGE.changelog, 0)
    fetcher = FetcherInMemory(set())
    aiokafka = SimpleNamespace(_fetcher=fetcher, _closed=False)

    await thread_of(Thread, driver)._fetch_records(aiokafka, {SOURCE, other})

    assert fetcher.asked == [frozenset({other})]


# --- the client lives in a thread of its own


async def test_seeks_are_made_where_the_client_lives(tmp_path: Path) -> None:
    """Faust seeks from the event loop's thread, under the feet of a fetch."""
    consumer = consumer_of(driver_of(tmp_path))
    consumer._read_offset = {}
    consumer.log = SimpleNamespace(dev=lambda *_: None)

    await consumer.seek(SOURCE, 7)

    assert consumer._thread.seeks == [(SOURCE, 7)]  # by call_thread; `seek` itself is not there


# --- errors that Faust swallows while it recovers


def test_error_while_recovering_ends_the_worker(tmp_path: Path, endings: list[str]) -> None:
    driver = driver_of(tmp_path)
    driver.recovery.begin({0})
    store = Store.__new__(Store)
    store.driver = driver
    broken = StoredRecord(0, 0, b"k", b"not a state")
    event = SimpleNamespace(message=SimpleNamespace(partition=0), value=[broken])

    with pytest.raises(Ended):
        store.apply_changelog_batch([event], bytes, bytes)

    assert "error while recovering" in endings[0]


def test_recovery_that_ended_too_early_is_refused(tmp_path: Path) -> None:
    """Faust takes a step that ran into its time-out for one that is done."""
    driver = driver_of(tmp_path)
    driver.recovery.begin({0})
    driver.slots[0].end = 50
    driver.recovery.take(0, [StoredRecord(0, 0, MARKER_KEY, MARK.pack(1, b"id"))])

    with pytest.raises(Halt, match="read up to 1 of 50"):
        driver.recovery.start(0, log_start=0, log_end=9, topic_id="id", generation=1)


def test_interrupted_recovery_begins_from_the_beginning(tmp_path: Path) -> None:
    """Its objects are gone; stock stores without a file answer None: Faust goes on in between."""
    store = Store.__new__(Store)
    store.driver = driver_of(tmp_path)
    store.driver.recovery.begin({0})
    store.driver.slots[0].tail = 50
    assert store.persisted_offset(TP(STAGE.changelog, 0)) == -1


# --- membership


async def test_lost_generation_ends_the_process(tmp_path: Path, endings: list[str]) -> None:
    driver = driver_of(tmp_path)
    driver.membership.proved(time.monotonic())
    coordinator = coordinator_of()
    thread_of(Thread, driver)._watch(coordinator)

    coordinator._performed_join_prepare = True
    coordinator.reset_generation()
    assert driver.membership.check()

    coordinator._performed_join_prepare = False
    with pytest.raises(Ended):
        coordinator.reset_generation()
    with pytest.raises(Halt, match="membership lost"):
        driver.membership.check()
    assert endings == ["ended to stay correct: membership lost: the partitions are somebody else's"]


def coordinator_of() -> Any:
    async def answered(*_: Any) -> bool:
        return True

    return SimpleNamespace(
        _do_heartbeat=answered,
        _do_rejoin_group=answered,
        reset_generation=lambda: None,
        _performed_join_prepare=False,
        _closing=asyncio.get_running_loop().create_future(),
    )


async def test_proof_is_dated_when_the_heartbeat_was_sent(tmp_path: Path) -> None:
    driver = driver_of(tmp_path)
    coordinator = coordinator_of()
    sent_at: list[float] = []

    async def slow() -> bool:
        sent_at.append(time.monotonic())
        await asyncio.sleep(0.2)
        return True

    coordinator._do_heartbeat = slow
    thread_of(Thread, driver)._watch(coordinator)

    await coordinator._do_heartbeat()

    assert driver.membership._proved_at is not None
    assert driver.membership._proved_at <= sent_at[0]


async def test_broker_that_does_not_answer_is_waited_for() -> None:
    membership = Membership(lease_seconds=1.0, outage_seconds=120.0)
    assert not membership.check()  # not joined yet: nothing may be sent
    membership.proved(time.monotonic() - 60)
    assert not membership.check()
    waiting = asyncio.create_task(membership.wait())
    await asyncio.sleep(0.1)
    assert not waiting.done()

    membership.proved(time.monotonic())

    await waiting


def test_broker_that_never_answers_ends_the_worker() -> None:
    membership = Membership(lease_seconds=1.0, outage_seconds=120.0)
    membership.proved(time.monotonic() - 121)

    with pytest.raises(Halt, match="no answer"):
        membership.check()


# --- endings


def test_deadline_ends_a_stuck_process(endings: list[str], monkeypatch: Any) -> None:
    ended: list[str] = []
    monkeypatch.setattr(ending, "end_process", ended.append)
    with ending.Deadline(0.05, "drain"):
        while not ended:
            time.sleep(0.01)  # the loop is stuck: only a thread can help
    assert ended == ["drain was not done in 0 s"]


def test_names_that_faust_makes_are_those_of_the_contract(tmp_path: Path) -> None:
    stage = Stage("dripline-x", "lead-events", "leads", "journeys")
    settings = TransportSettings(bootstrap="127.0.0.1:1", partitions=6)

    app = build(stage, settings, driver_of(tmp_path))

    assert stage.changelog == "dripline-x-leads-changelog"
    assert app.tables.changelog_topics == {stage.changelog}
    assert not app.conf.web_enabled
    assert not app.conf.autodiscover
