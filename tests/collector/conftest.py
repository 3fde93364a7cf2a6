"""A broker of our own: the collector's topics have fixed names."""

from collections.abc import AsyncIterator, Callable, Iterator

import pytest

from tests.collector.running import Running, Topic, create_topics, running
from tests.kafka.server import JARS, KafkaServer


@pytest.fixture(scope="session")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KafkaServer]:
    """A real broker with the topics of an installation; a test that stops it starts it again."""
    if not JARS.is_dir():
        pytest.skip("no Kafka jars: run `make test`, or `make .kafka/.jars-done` once")
    with KafkaServer(tmp_path_factory.mktemp("collector-kafka")) as server:
        create_topics(server)
        yield server


@pytest.fixture
async def collector(broker: KafkaServer) -> AsyncIterator[Running]:
    async with running(broker.bootstrap) as collector:
        yield collector


@pytest.fixture
def topic(broker: KafkaServer) -> Callable[[str], Topic]:
    """Make the view on what is appended to a topic from now on."""
    return lambda name: Topic(broker, name)
