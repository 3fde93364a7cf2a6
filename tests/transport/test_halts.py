"""What ends a worker, with status 70 and a message, rather than lose or invent something."""

import signal
from collections.abc import Callable

from kafka import TopicPartition
from kafka.admin import ConfigResource, ConfigResourceType, KafkaAdminClient

from streams.topology import Stage
from tests.kafka.server import KafkaServer
from tests.transport.checking import verdict
from tests.transport.processes import (
    ToyWorker,
    eventually,
    numbered,
    produce,
    wait_agreed,
)

Toys = Callable[..., ToyWorker]


def _remake(kafka: KafkaServer, topic: str) -> None:
    """Delete the topic and make another one under the same name."""
    with KafkaAdminClient(bootstrap_servers=kafka.bootstrap) as admin:
        admin.delete_topics([topic])
        eventually(lambda: topic not in admin.list_topics())
        admin.create_topics(
            {
                topic: {
                    "num_partitions": 2,
                    "replication_factor": 1,
                    "configs": {"message.timestamp.type": "LogAppendTime"},
                }
            }
        )
        admin.wait_for_topics([topic])


def test_handling_that_raises_ends_before_anything_is_acknowledged(
    kafka: KafkaServer, stage: Stage, toys: Toys
) -> None:
    """Stock Faust restarts the agent and goes on behind the batch."""
    worker = toys(stage)
    worker.wait_ready(2)
    produce(kafka.bootstrap, stage.source, [*numbered(10), (b"k0", b"raise"), *numbered(50)])

    assert worker.wait_end() == 70
    assert "RuntimeError while handling" in worker.log
    assert "toy bug" not in worker.log  # an error's text may hold a lead's data
    assert verdict(kafka.bootstrap, stage).lag > 0

    again = toys(stage)
    assert again.wait_end() == 70


def test_topic_made_anew_while_we_were_away(kafka: KafkaServer, stage: Stage, toys: Toys) -> None:
    first = toys(stage)
    first.wait_ready(2)
    produce(kafka.bootstrap, stage.source, numbered(20))
    wait_agreed(kafka.bootstrap, stage)
    assert first.stop() == 0
    _remake(kafka, stage.source)
    produce(kafka.bootstrap, stage.source, numbered(500))

    second = toys(stage)

    assert second.wait_end() == 70
    assert "the topic was made anew" in second.log


def test_topic_made_anew_under_a_running_worker(
    kafka: KafkaServer, stage: Stage, toys: Toys
) -> None:
    worker = toys(stage)
    worker.wait_ready(2)
    produce(kafka.bootstrap, stage.source, numbered(200))
    wait_agreed(kafka.bootstrap, stage)

    _remake(kafka, stage.source)
    produce(kafka.bootstrap, stage.source, numbered(20))

    assert worker.wait_end() == 70
    assert "made anew" in worker.log


def test_log_deleted_before_it_was_handled(kafka: KafkaServer, stage: Stage, toys: Toys) -> None:
    """Stock Faust silently goes on at the log's start."""
    first = toys(stage)
    first.wait_ready(2)
    produce(kafka.bootstrap, stage.source, numbered(20))
    wait_agreed(kafka.bootstrap, stage)
    assert first.stop() == 0
    produce(kafka.bootstrap, stage.source, numbered(100))
    with KafkaAdminClient(bootstrap_servers=kafka.bootstrap) as admin:
        admin.delete_records({TopicPartition(stage.source, number): 30 for number in (0, 1)})

    second = toys(stage)

    assert second.wait_end() == 70
    assert "before the log's start 30" in second.log


def test_producers_time_is_refused(kafka: KafkaServer, stage: Stage, toys: Toys) -> None:
    with KafkaAdminClient(bootstrap_servers=kafka.bootstrap) as admin:
        resource = ConfigResource(
            ConfigResourceType.TOPIC, stage.source, {"message.timestamp.type": "CreateTime"}
        )
        admin.alter_configs([resource])
    worker = toys(stage)
    worker.wait_ready(2)
    produce(kafka.bootstrap, stage.source, numbered(2))

    assert worker.wait_end() == 70
    assert "LogAppendTime" in worker.log


def test_member_that_was_frozen_sends_nothing_when_it_wakes(
    kafka: KafkaServer, stage: Stage, toys: Toys
) -> None:
    """Seen without the check: a zombie writes its old states before its heartbeat can fail."""
    frozen = toys(stage)
    frozen.wait_ready(2)
    produce(kafka.bootstrap, stage.source, numbered(200))
    frozen.process.send_signal(signal.SIGSTOP)
    other = toys(stage)
    other.wait_ready(2)
    produce(kafka.bootstrap, stage.source, numbered(200, begin=200))
    wait_agreed(kafka.bootstrap, stage)

    frozen.process.send_signal(signal.SIGCONT)

    assert frozen.wait_end() == 70
    assert "membership lost" in frozen.log
    produce(kafka.bootstrap, stage.source, numbered(200, begin=400))
    assert wait_agreed(kafka.bootstrap, stage).agrees
    assert other.stop() == 0
    assert [line["rereads"] for line in other.said if "lost" in line] == [0, 0]
