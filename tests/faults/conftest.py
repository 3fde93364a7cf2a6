"""A broker for each test: topic names are those of every installation."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.kafka.server import JARS, KafkaServer


@pytest.fixture
def own_kafka(tmp_path: Path) -> Iterator[KafkaServer]:
    """Give a broker of the test's own."""
    if not JARS.is_dir():
        pytest.skip("no Kafka jars: run `make test`, or `make .kafka/.jars-done` once")
    with KafkaServer(tmp_path / "kafka") as server:
        yield server
