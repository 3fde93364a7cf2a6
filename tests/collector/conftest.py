"""A broker of our own: the collector's topics have fixed names."""

import shutil
from collections.abc import AsyncIterator, Callable, Iterator

import pytest
from playwright.async_api import Browser, async_playwright

from tests.collector.pages import Site, Writer, site
from tests.collector.running import Running, Topic, create_topics, running
from tests.kafka.server import JARS, KafkaServer

CHROMIUM = shutil.which("chromium")
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


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


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    """Give Debian's Chromium, headless."""
    if CHROMIUM is None:
        pytest.skip("no chromium: apt-get install chromium")
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        await browser.close()
