"""A broker for each test: topic names are those of every installation. Long tests on request."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.kafka.server import JARS, KafkaServer


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what only `make faults` runs; another run of the same kind is in every run."""
    if os.environ.get("FAULTS_LONG") == "1":
        return
    long = [item for item in items if item.get_closest_marker("long")]
    if long:
        config.hook.pytest_deselected(items=long)
        items[:] = [item for item in items if item not in long]


@pytest.fixture
def own_kafka(tmp_path: Path) -> Iterator[KafkaServer]:
    """Give a broker of the test's own."""
    if not JARS.is_dir():
        pytest.skip("no Kafka jars: run `make test`, or `make .kafka/.jars-done` once")
    with KafkaServer(tmp_path / "kafka") as server:
        yield server
