"""A broker of our own: the collector's topics have fixed names."""

from collections.abc import AsyncIterator, Callable, Iterator

import pytest

from tests.collector.pages import Site, Writer, site
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


@pytest.fixture
async def pages(broker: KafkaServer) -> AsyncIterator[Site]:
    """Give pages and collector on one port, without a token."""
    async with site(broker.bootstrap) as pages:
        yield pages


@pytest.fixture
def writer(broker: KafkaServer) -> Iterator[Writer]:
    """Give what writes facts, changes and states."""
    writer = Writer(broker.bootstrap)
    yield writer
    writer.close()
