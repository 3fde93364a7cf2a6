"""Topics of toy stages on the shared broker."""

import uuid
from collections.abc import Callable
from pathlib import Path

import pytest
from kafka.admin import KafkaAdminClient

from streams.topology import Stage
from streams.transport.settings import TransportSettings
from tests.kafka.server import KafkaServer
from tests.transport.toy import commands_of, stage_of

APPEND = {"message.timestamp.type": "LogAppendTime", "max.message.bytes": "9437184"}


@pytest.fixture
def stage(kafka: KafkaServer) -> Stage:
    """A stage with two partitions and names of its own."""
    return make_stage(kafka, 2)


def make_stage(kafka: KafkaServer, partitions: int) -> Stage:
    stage = stage_of(uuid.uuid4().hex[:8])
    names = (stage.source, commands_of(stage), stage.changelog)
    with KafkaAdminClient(bootstrap_servers=kafka.bootstrap) as admin:
        admin.create_topics(
            {
                name: {
                    "num_partitions": partitions,
                    "replication_factor": 1,
                    "configs": dict(APPEND),
                }
                for name in names
            }
        )
        admin.wait_for_topics(list(names))
    return stage


@pytest.fixture
def settings_of(kafka: KafkaServer, tmp_path: Path) -> Callable[..., TransportSettings]:
    def make(**changes: object) -> TransportSettings:
        options = {
            "bootstrap": kafka.bootstrap,
            "partitions": 2,
            "data_dir": tmp_path / "data",
            "session_timeout_seconds": 3.0,
            "tick_seconds": 0.05,
        } | changes
        return TransportSettings(**options)  # type: ignore[arg-type]

    return make
