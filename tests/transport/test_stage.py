"""A stage as a process: how it stops, what it listens on, how partitions go from one to another."""

from collections.abc import Callable
from pathlib import Path

from streams.topology import Stage
from tests.kafka.server import KafkaServer
from tests.transport.processes import ToyWorker, eventually, numbered, produce, wait_agreed

Toys = Callable[..., ToyWorker]
LISTENING = "0A"


def listening(pid: int) -> list[str]:
    """The TCP sockets that a process listens on, as /proc has them."""
    inodes = {
        link.readlink().name.removeprefix("socket:[").removesuffix("]")
        for link in Path(f"/proc/{pid}/fd").iterdir()
        if link.readlink().name.startswith("socket:[")
    }
    lines = [
        line.split()
        for name in ("tcp", "tcp6")
        for line in Path(f"/proc/{pid}/net/{name}").read_text().splitlines()[1:]
    ]
    return [line[1] for line in lines if line[3] == LISTENING and line[9] in inodes]


def test_worker_listens_on_nothing(stage: Stage, toys: Toys) -> None:
    """Faust's own command binds 0.0.0.0:6066, whatever the settings say."""
    worker = toys(stage)
    worker.wait_ready(2)

    assert listening(worker.process.pid) == []
    assert worker.stop() == 0


def test_stop_makes_everything_durable(kafka: KafkaServer, stage: Stage, toys: Toys) -> None:
    worker = toys(stage)
    worker.wait_ready(2)
    produce(kafka.bootstrap, stage.source, numbered(1_000))

    assert worker.stop() == 0

    again = toys(stage)
    again.wait_ready(2)
    found = wait_agreed(kafka.bootstrap, stage)
    assert found.agrees
    assert found.repeated == 0
    assert again.stop() == 0


def test_partitions_move_without_a_loss(kafka: KafkaServer, stage: Stage, toys: Toys) -> None:
    """What stays is kept as it is, what goes is dropped, what comes is recovered."""
    first = toys(stage)
    first.wait_ready(2)
    produce(kafka.bootstrap, stage.source, numbered(300))

    second = toys(stage)
    eventually(lambda: len(first.partitions()) == len(second.partitions()) == 1)
    assert sorted(first.partitions() + second.partitions()) == [0, 1]
    lost = [line["lost"] for line in first.said if "lost" in line]
    assert lost == second.partitions()

    produce(kafka.bootstrap, stage.source, numbered(300, begin=300))
    assert second.stop() == 0
    eventually(lambda: len(first.partitions()) == 2)
    produce(kafka.bootstrap, stage.source, numbered(300, begin=600))

    found = wait_agreed(kafka.bootstrap, stage)
    assert found.agrees
    assert found.records == 900
    assert found.repeated == 0
    assert first.stop() == 0
    assert [line["rereads"] for line in first.said if "lost" in line] == [0, 0, 0]


def test_static_member_comes_back_without_a_rebalance(
    kafka: KafkaServer, stage: Stage, toys: Toys
) -> None:
    other = toys(stage, instance_id="other", session_timeout_seconds=30.0)
    other.wait_ready(2)
    member = toys(stage, instance_id="member", session_timeout_seconds=30.0)
    eventually(lambda: len(other.partitions()) == len(member.partitions()) == 1)
    had = member.partitions()
    moves = len(other.said)

    member.process.kill()
    member.wait_end()
    produce(kafka.bootstrap, stage.source, numbered(100))
    back = toys(stage, instance_id="member", session_timeout_seconds=30.0)
    back.wait_ready()

    assert back.partitions() == had
    assert len(other.said) == moves
    assert wait_agreed(kafka.bootstrap, stage).agrees
    assert back.stop() == other.stop() == 0
