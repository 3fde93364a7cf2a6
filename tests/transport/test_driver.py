"""The driver with toy objects and a writer in memory: what is handed over when, what is held."""

import asyncio
import time
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import pytest

from schemas.errors import Halt
from schemas.state import FENCE_KEY, MARKER_KEY
from streams.ports import AwaitChanges, Outgoing, StoredRecord
from streams.transport.batches import Hole
from streams.transport.driver import Driver
from streams.transport.settings import TransportSettings
from tests.transport.test_traps import STAGE, records
from tests.transport.toy import STATE, ToyPartition


class WriterInMemory:
    """Appends to lists; acknowledges at once, or when `hold` is set again."""

    def __init__(self, topics: dict[tuple[str, int], list[Outgoing]]) -> None:
        self._topics = topics
        self.hold = asyncio.Event()
        self.hold.set()

    async def start(self) -> None: ...

    async def stop(self) -> None: ...

    async def send(
        self, topic: str, partition: int, outgoing: Sequence[Outgoing]
    ) -> list[tuple[int, asyncio.Future[Any]]]:
        await self.hold.wait()
        log = self._topics.setdefault((topic, partition), [])
        metadata = SimpleNamespace(offset=len(log), timestamp=1, timestamp_type=1)
        log += outgoing
        future = asyncio.get_running_loop().create_future()
        future.set_result(metadata)
        return [(len(outgoing), future)]


class Scene:
    """A driver at work on partition 0 of a toy stage."""

    def __init__(self, **hooks: Any) -> None:
        self.topics: dict[tuple[str, int], list[Outgoing]] = {}
        self.writer = WriterInMemory(self.topics)
        settings = TransportSettings(bootstrap="127.0.0.1:1", partitions=1)
        self.driver: Driver[ToyPartition] = Driver(
            lambda number: ToyPartition(number, STAGE),
            settings,
            name="toys",
            changelog=STAGE.changelog,
            now_ms=lambda: 1,
            restartable=True,
            **hooks,
        )
        self.driver._writers = dict.fromkeys(("commands", "states"), self.writer)  # type: ignore[arg-type]
        self.driver.recovery._states = self.writer  # type: ignore[assignment]
        self.driver.membership.proved(time.monotonic())

    @property
    def changelog(self) -> list[Outgoing]:
        return self.topics.setdefault((STAGE.changelog, 0), [])

    async def begin(self, generation: int = 1, log_end: int = 1_000) -> ToyPartition:
        """What Faust does at an assignment."""
        recovery = self.driver.recovery
        first = recovery.first_offset(0)
        recovery.begin({0})
        offsets = await recovery.fence([0], generation)
        read = [
            StoredRecord(offset, 0, record.key, record.value)
            for offset, record in enumerate(self.changelog)
            if first <= offset <= offsets[0]
        ]
        recovery.take(0, read)
        recovery.start(0, log_start=0, log_end=log_end, topic_id="id", generation=generation)
        self.driver.recovery_ended()
        return self.driver.partitions[0]


async def test_records_go_to_the_object_and_its_words_out() -> None:
    scene = Scene()
    partition = await scene.begin()

    scene.driver.receive(0, records(0, 6))
    await scene.driver.drain("test")

    assert partition.handled == 6
    assert len(scene.topics[f"{STAGE.source}-commands", 0]) == 2
    assert [record.key for record in scene.changelog] == [FENCE_KEY, b"k", MARKER_KEY]
    assert scene.driver.committable() == {0: 6}
    assert not scene.driver.partitions


async def test_holes_are_told_in_their_place() -> None:
    scene = Scene()
    partition = await scene.begin()
    batch = [*records(0, 2), Hole(2, 0), Hole(3, 0), *records(4, 5)]

    scene.driver.receive(0, batch)

    assert partition.absences == [(2, 4)]
    assert partition.next_offset == 5


async def test_full_object_gets_nothing_until_it_has_room() -> None:
    scene = Scene()
    partition = await scene.begin()
    partition.full = True

    scene.driver.receive(0, records(0, 2))
    scene.driver.receive(0, records(2, 4))

    assert partition.handled == 0
    assert scene.driver.blocked() == {0}
    partition.full = False
    scene.driver._tick()
    assert partition.handled == 4
    assert scene.driver.blocked() == set()


async def test_nothing_is_handed_over_while_changes_are_awaited() -> None:
    there = asyncio.Event()

    async def reached(number: int) -> None:
        assert number == 7
        await there.wait()

    scene = Scene(reached=reached)
    partition = await scene.begin()
    scene.driver.perform(partition, [AwaitChanges(7)])

    scene.driver.receive(0, records(0, 2))
    await asyncio.sleep(0.01)
    assert partition.handled == 0

    there.set()
    await asyncio.sleep(0.01)
    assert partition.handled == 2


async def test_drain_does_not_wait_for_changes() -> None:
    async def never(number: int) -> None:
        await asyncio.Event().wait()

    scene = Scene(reached=never)
    partition = await scene.begin()
    scene.driver.receive(0, records(0, 2))
    scene.driver.perform(partition, [AwaitChanges(7)])
    scene.driver.receive(0, records(2, 4))

    await scene.driver.drain("test")

    assert partition.watermark == 1
    assert await scene.begin() is not partition  # it holds records that nobody owes it again


async def test_drain_waits_for_what_is_under_way() -> None:
    scene = Scene()
    partition = await scene.begin()
    scene.writer.hold.clear()
    scene.driver.receive(0, records(0, 3))
    draining = asyncio.create_task(scene.driver.drain("test"))
    await asyncio.sleep(0.05)
    assert not draining.done()

    scene.driver.receive(0, records(3, 6))  # comes too late: whoever owns it next reads it
    scene.writer.hold.set()
    await draining

    assert partition.watermark == 2


async def test_output_of_the_roles_own_goes_to_the_role() -> None:
    came: list[Any] = []
    scene = Scene(other=lambda partition, output: came.append((partition, output)))
    partition = await scene.begin()

    scene.driver.perform(partition, ["call"])

    assert came == [(partition, "call")]


async def test_output_that_nobody_takes_is_a_bug() -> None:
    scene = Scene()
    partition = await scene.begin()

    with pytest.raises(TypeError):
        scene.driver.perform(partition, ["call"])


async def test_object_that_was_drained_is_kept() -> None:
    """Else every rebalance reads every state of every worker again."""
    lost: list[ToyPartition] = []
    scene = Scene(lost=lost.append)
    partition = await scene.begin()
    scene.driver.receive(0, records(0, 6))
    await scene.driver.drain("rebalance")
    assert scene.driver.recovery.first_offset(0) == len(scene.changelog)

    assert await scene.begin(generation=2) is partition

    assert lost == []
    scene.driver.receive(0, records(6, 9))
    await scene.driver.drain("stop")
    assert partition.watermark == 8
    assert partition.rereads == 0  # the fence moved the end, and the object was told


async def test_what_somebody_else_wrote_meanwhile_is_written_again() -> None:
    scene = Scene()
    partition = await scene.begin()
    scene.driver.receive(0, records(0, 6))
    await scene.driver.drain("rebalance")
    scene.changelog.append(Outgoing(b"k", STATE.pack(2, 3, b"0" * 16)))  # a zombie's

    assert await scene.begin(generation=2) is partition
    await scene.driver.drain("stop")

    newest = [record for record in scene.changelog if record.key == b"k"][-1]
    assert newest.value is not None
    assert STATE.unpack(newest.value)[0] == 5


async def test_recovery_that_is_interrupted_reads_again_what_it_needs() -> None:
    scene = Scene()
    partition = await scene.begin()
    scene.driver.receive(0, records(0, 3))
    await scene.driver.drain("rebalance")
    known = len(scene.changelog)
    scene.driver.recovery.begin({0})
    await scene.driver.recovery.fence([0], 2)

    assert scene.driver.recovery.first_offset(0) == known
    assert await scene.begin(generation=3) is partition


async def test_object_whose_partition_went_elsewhere_is_not_kept() -> None:
    lost: list[ToyPartition] = []
    scene = Scene(lost=lost.append)
    partition = await scene.begin()
    await scene.driver.drain("rebalance")

    scene.driver.recovery.begin(set())

    assert lost == [partition]
    assert scene.driver.recovery.first_offset(0) == 0
    scene.driver.perform(partition, ["nobody takes this"])  # no more the owner's: left out


async def test_partition_that_was_not_started_is_noticed() -> None:
    scene = Scene()
    scene.driver.recovery.begin({0})

    with pytest.raises(Halt, match="not started"):
        scene.driver.recovery_ended()


async def test_recovery_that_reads_nothing_ends_the_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    scene = Scene()
    scene.driver.recovery.begin({0})
    scene.driver.recovery.check()
    now = time.monotonic()
    monkeypatch.setattr(time, "monotonic", lambda: now + 61)

    with pytest.raises(Halt, match="read nothing for 61 s"):
        scene.driver.recovery.check()


async def test_wake_ups_wait_while_the_log_lags() -> None:
    scene = Scene()
    partition = await scene.begin()
    ticks: list[bool] = []

    def tick(now_ms: int, *, real_ms: int | None = None, wake: bool = True) -> list[Any]:
        ticks.append(wake)
        return []

    partition.tick = tick  # type: ignore[method-assign]
    scene.driver._tick()
    scene.driver.log_end = lambda number: 50_000
    scene.driver._tick()

    assert ticks == [True, False]
