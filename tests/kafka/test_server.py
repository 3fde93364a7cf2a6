"""The broker of the tests is a real one: what was acknowledged survives it."""

import subprocess
import sys
import time
from pathlib import Path

import pytest
from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import KafkaAdminClient
from kafka.errors import KafkaError

from tests.kafka.server import KafkaServer


def create_topic(server: KafkaServer, name: str, partitions: int = 1) -> None:
    with KafkaAdminClient(bootstrap_servers=server.bootstrap) as admin:
        admin.create_topics({name: {"num_partitions": partitions, "replication_factor": 1}})
        admin.wait_for_topics([name])


def produce(server: KafkaServer, topic: str, values: list[bytes]) -> None:
    producer = KafkaProducer(bootstrap_servers=server.bootstrap, acks="all")
    try:
        for sent in [producer.send(topic, value, partition=0) for value in values]:
            sent.get(timeout=30)
    finally:
        producer.close()


def consume(server: KafkaServer, topic: str) -> list[bytes]:
    consumer = KafkaConsumer(bootstrap_servers=server.bootstrap, group_id=None)
    try:
        partition = TopicPartition(topic, 0)
        consumer.assign([partition])
        consumer.seek_to_beginning(partition)
        end = consumer.end_offsets([partition])[partition]
        values: list[bytes] = []
        while consumer.position(partition) < end:
            values += [
                record.value
                for records in consumer.poll(timeout_ms=1000).values()
                for record in records
            ]
        return values
    finally:
        consumer.close()


def test_topic_that_nobody_created_is_refused(kafka: KafkaServer) -> None:
    with KafkaAdminClient(bootstrap_servers=kafka.bootstrap) as admin:
        assert "nobody-created-me" not in admin.list_topics()
    producer = KafkaProducer(bootstrap_servers=kafka.bootstrap, max_block_ms=2000)
    try:
        with pytest.raises(KafkaError):
            producer.send("nobody-created-me", b"x").get(timeout=30)
    finally:
        producer.close()
    with KafkaAdminClient(bootstrap_servers=kafka.bootstrap) as admin:
        assert "nobody-created-me" not in admin.list_topics()


@pytest.mark.parametrize("how", ["restart", "kill"])
def test_acknowledged_records_survive_the_broker(kafka: KafkaServer, how: str) -> None:
    topic = f"survives-{how}"
    create_topic(kafka, topic)
    produce(kafka, topic, [b"before"])
    address = kafka.bootstrap

    if how == "kill":
        kafka.kill()
    kafka.restart()

    assert kafka.bootstrap == address
    produce(kafka, topic, [b"after"])
    assert consume(kafka, topic) == [b"before", b"after"]


def test_broker_that_cannot_start_says_why(tmp_path: Path, kafka: KafkaServer) -> None:
    broken = KafkaServer(tmp_path / "broken", {"num.io.threads": "none"})

    with pytest.raises(RuntimeError, match=r"num\.io\.threads"):
        broken.start()


def test_broker_ends_when_its_starter_is_killed(tmp_path: Path, kafka: KafkaServer) -> None:
    program = (
        "import pathlib, sys, time\n"
        "from tests.kafka.server import KafkaServer\n"
        "server = KafkaServer(pathlib.Path(sys.argv[1]))\n"
        "server.start()\n"
        "print(server.pid, flush=True)\n"
        "time.sleep(600)\n"
    )
    starter = subprocess.Popen(
        [sys.executable, "-c", program, str(tmp_path / "orphan")],
        stdout=subprocess.PIPE,
        cwd=Path(__file__).parents[2],
    )
    assert starter.stdout is not None
    broker = int(starter.stdout.readline())
    assert Path(f"/proc/{broker}").exists()

    starter.kill()
    starter.communicate()

    deadline = time.monotonic() + 30
    while Path(f"/proc/{broker}").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not Path(f"/proc/{broker}").exists()
