"""A collector on a free port, before a real broker, and what lies in that broker's topics."""

import contextlib
import io
from base64 import b64encode
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import aiohttp
import orjson
from kafka import KafkaConsumer, TopicPartition
from kafka.admin import KafkaAdminClient

from app.clock import system_clock
from app.collector.asgi import Collector
from app.collector.event_log import EventLog
from app.collector.write_keys import WriteKeys
from app.http import listen, serve
from app.tokens import Tokens
from schemas.topics import TOPICS
from tests.kafka.server import KafkaServer

KEY = "wk-test"
SECRET = b"a secret of the tests"
PARTITIONS = 3


def create_topics(server: KafkaServer) -> None:
    with KafkaAdminClient(bootstrap_servers=server.bootstrap) as admin:
        admin.create_topics(
            {
                topic.name: {
                    "num_partitions": topic.partitions or PARTITIONS,
                    "replication_factor": 1,
                    "configs": topic.settings(),
                }
                for topic in TOPICS
            }
        )
        admin.wait_for_topics([topic.name for topic in TOPICS])


@dataclass
class Kept:
    """One record as it lies in a topic."""

    partition: int
    key: str | None
    raw: bytes
    headers: dict[str, str]

    @property
    def value(self) -> Any:
        return orjson.loads(self.raw)


class Topic:
    """The records of a topic from now on."""

    def __init__(self, server: KafkaServer, name: str) -> None:
        self._server = server
        self._name = name
        with self._consumer() as (_, ends):
            self._from = ends

    def records(self) -> list[Kept]:
        """What was appended since this object was made, by partition and offset."""
        found: list[Kept] = []
        with self._consumer() as (consumer, ends):
            for partition, start in self._from.items():
                consumer.seek(partition, start)
            while any(consumer.position(p) < end for p, end in ends.items()):
                for batch in consumer.poll(timeout_ms=1000).values():
                    found += [
                        Kept(
                            record.partition,
                            record.key.decode() if record.key else None,
                            record.value,
                            {name: value.decode() for name, value in record.headers},
                        )
                        for record in batch
                    ]
        return found

    @contextlib.contextmanager
    def _consumer(self) -> Any:
        consumer = KafkaConsumer(bootstrap_servers=self._server.bootstrap, group_id=None)
        try:
            numbers = consumer.partitions_for_topic(self._name)
            partitions = [TopicPartition(self._name, number) for number in sorted(numbers)]
            consumer.assign(partitions)
            yield consumer, consumer.end_offsets(partitions)
        finally:
            consumer.close()


@dataclass
class Running:
    """A collector that answers at `url`."""

    url: str
    log: EventLog
    tokens: Tokens
    http: aiohttp.ClientSession

    async def post(self, path: str, body: Any, **options: Any) -> tuple[int, Any]:
        """Status and JSON of the answer; `body` bytes are posted as they are."""
        status, _, answer = await self.call("POST", path, body, **options)
        return status, answer

    async def call(
        self, method: str, path: str, body: Any = None, key: str | None = KEY, **options: Any
    ) -> tuple[int, Any, Any]:
        """Status, headers, and JSON (bytes, where it is none) of the answer."""
        data: Any = body if isinstance(body, bytes | None) else orjson.dumps(body)
        if data is not None and len(data) > 1_000_000:
            data = io.BytesIO(data)
        headers = dict(options.pop("headers", {}))
        if key is not None:
            headers["Authorization"] = "Basic " + b64encode(f"{key}:".encode()).decode()
        async with self.http.request(
            method, self.url + path, data=data, headers=headers, allow_redirects=False, **options
        ) as answer:
            raw = await answer.read()
            is_json = answer.content_type == "application/json" and raw
            return answer.status, answer.headers, orjson.loads(raw) if is_json else raw


@contextlib.asynccontextmanager
async def running(bootstrap: str, *, wait: bool = True) -> AsyncIterator[Running]:
    clock = system_clock()
    log = EventLog(bootstrap, clock, idempotent=True)
    tokens = Tokens(SECRET)
    listener = listen("127.0.0.1", 0)
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    app = Collector(log, WriteKeys([KEY]), tokens, clock, url)
    await log.start()
    try:
        async with serve(app, listener), aiohttp.ClientSession() as http:
            if wait:
                assert await log.connected(30), log.problem
            yield Running(url, log, tokens, http)
    finally:
        await log.stop()
