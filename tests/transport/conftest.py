"""Topics of toy stages on the shared broker."""

import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NoReturn

import pytest
from kafka.admin import KafkaAdminClient

from streams.topology import Stage
from streams.transport import ending
from tests.kafka.server import KafkaServer
from tests.transport.processes import ToyWorker
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
def toys(kafka: KafkaServer, tmp_path: Path) -> Iterator[Callable[..., ToyWorker]]:
    """Start toy workers: `toys(stage, partitions=2, **settings)`; all are gone at the end."""
    started: list[ToyWorker] = []

    def start(stage: Stage, partitions: int = 2, **settings: Any) -> ToyWorker:
        folder = tmp_path / f"toy{len(started)}"
        started.append(ToyWorker(stage, kafka.bootstrap, partitions, folder, **settings))
        return started[-1]

    yield start
    for one in started:
        one.close()


class Ended(BaseException):
    """In place of the process's end."""


@pytest.fixture
def endings(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> list[str]:
    """Why the process would have ended; `Ended` is raised instead."""
    reasons: list[str] = []

    def leave(status: int) -> NoReturn:
        assert status == ending.STATUS
        reasons.append(caplog.records[-1].getMessage())
        raise Ended

    monkeypatch.setattr(ending, "_exit", leave)
    return reasons
