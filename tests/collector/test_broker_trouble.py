"""Nothing that was answered 200 is ever lost; what cannot be taken is refused in time."""

import asyncio
import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from app.collector import event_log
from app.collector.event_log import EventLog
from tests.collector.running import Running, Topic, create_topics, running
from tests.kafka.server import KafkaServer, free_ports

Topics = Callable[[str], Topic]


class Flood:
    """Clients that post single events and batches, each id once, until they are stopped."""

    def __init__(self, collector: Running) -> None:
        self.statuses: list[int] = []
        self.kept: set[str] = set()
        self.retry_after: list[str | None] = []
        self._collector = collector
        self._stop = False
        self._answered = asyncio.Event()

    async def run(self, clients: int = 8) -> None:
        await asyncio.gather(*(self._client(number) for number in range(clients)))

    def stop(self) -> None:
        self._stop = True

    async def until(self, status: int, times: int = 1) -> None:
        """Wait for `times` more answers with this status."""
        wanted = self.statuses.count(status) + times
        async with asyncio.timeout(60):
            while self.statuses.count(status) < wanted:
                await self._answered.wait()

    async def _client(self, number: int) -> None:
        count = 0
        while not self._stop:
            size = 1 if number % 2 else 5
            ids = [f"{number}-{count + n}" for n in range(size)]
            count += size
            batch = [
                {"type": "track", "userId": f"lead-{id}", "event": "E", "messageId": id}
                for id in ids
            ]
            path = "/v1/batch" if size > 1 else "/v1/track"
            status, headers, answer = await self._collector.call(
                "POST", path, {"batch": batch} if size > 1 else batch[0]
            )
            self.statuses.append(status)
            self._answered.set()
            self._answered.clear()
            if status == 200:
                assert answer == {"success": True}
                self.kept.update(ids)
            else:
                assert status == 503
                self.retry_after.append(headers.get("Retry-After"))
                await asyncio.sleep(0.05)


async def test_nothing_answered_200_is_lost_when_the_broker_is_killed(
    broker: KafkaServer, topic: Topics, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event_log, "ACKNOWLEDGED_SECONDS_MAX", 3.0)
    events = topic("lead-events")
    async with running(broker.bootstrap) as collector:
        flood = Flood(collector)
        flooding = asyncio.create_task(flood.run())
        await flood.until(200, 100)
        await asyncio.to_thread(broker.kill)
        try:
            await flood.until(503, 20)
            ready, _, _ = await collector.call("GET", "/readyz")
            alive, _, _ = await collector.call("GET", "/healthz")
        finally:
            await asyncio.to_thread(broker.start)
        await flood.until(200, 100)
        flood.stop()
        await flooding

    assert (ready, alive) == (503, 200)
    assert all(text is not None and 1 <= int(text) <= 10 for text in flood.retry_after)
    assert flood.kept <= {record.headers["id"] for record in events.records()}


async def test_frozen_broker_is_refused_after_a_bounded_time(
    broker: KafkaServer, topic: Topics, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A broker that takes connections and says nothing must not keep clients hanging."""
    monkeypatch.setattr(event_log, "ACKNOWLEDGED_SECONDS_MAX", 1.0)
    monkeypatch.setattr(event_log, "STALLED_SECONDS", 0.3)
    events = topic("lead-events")
    async with running(broker.bootstrap) as collector:
        flood = Flood(collector)
        flooding = asyncio.create_task(flood.run(clients=2))
        await flood.until(200, 20)
        os.kill(broker.pid, signal.SIGSTOP)
        try:
            await flood.until(503, 20)
            assert collector.log.problem
        finally:
            os.kill(broker.pid, signal.SIGCONT)
        await flood.until(200, 20)
        flood.stop()
        await flooding
        await asyncio.sleep(0.5)
        assert collector.log.in_flight_bytes == 0

    assert flood.kept <= {record.headers["id"] for record in events.records()}


async def test_what_waits_is_bounded(broker: KafkaServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_log, "ACKNOWLEDGED_SECONDS_MAX", 2.0)
    monkeypatch.setattr(event_log, "STALLED_SECONDS", 60.0)  # the bound in bytes must hold alone
    monkeypatch.setattr(event_log, "IN_FLIGHT_BYTES_MAX", 100_000)
    body = {"userId": "ana", "event": "E", "properties": {"x": "x" * 20_000}}
    async with running(broker.bootstrap) as collector:
        os.kill(broker.pid, signal.SIGSTOP)
        try:
            answers = await asyncio.gather(*(collector.post("/v1/track", body) for _ in range(50)))
            most = collector.log.in_flight_bytes
        finally:
            os.kill(broker.pid, signal.SIGCONT)

    assert {status for status, _ in answers} == {503}
    reasons = [answer["message"] for _, answer in answers]
    assert reasons.count("too much waits for the broker") >= 40
    assert most < 150_000


async def test_started_before_its_broker_it_waits_for_it(tmp_path: Path) -> None:
    server = KafkaServer(tmp_path)
    try:
        async with running(server.bootstrap, wait=False) as collector:
            before, answer = await collector.post("/v1/track", {"userId": "ana", "event": "E"})
            unready, _, _ = await collector.call("GET", "/readyz")
            await asyncio.to_thread(server.start)
            await asyncio.sleep(1)
            no_topics, _, said = await collector.call("GET", "/readyz")
            await asyncio.to_thread(create_topics, server)
            assert await collector.log.connected(30)
            after, _ = await collector.post("/v1/track", {"userId": "ana", "event": "E"})
    finally:
        server.stop()

    assert (before, unready, no_topics, after) == (503, 503, 503, 200)
    assert answer["reason"] == "unavailable"
    assert said["problem"]


async def test_nobody_listens_at_the_brokers_address() -> None:
    (port,) = free_ports(1)
    async with running(f"127.0.0.1:{port}", wait=False) as collector:
        status, headers, _ = await collector.call("POST", "/v1/batch", {"batch": [{"type": "x"}]})

    assert status == 503
    assert int(headers["Retry-After"]) >= 1


async def test_producer_that_lost_its_place_is_replaced(collector: Running, topic: Topics) -> None:
    """A fatal error of the idempotent producer ends its sender; the collector makes a new one."""
    events = topic("lead-events")
    log: EventLog = collector.log
    sender = log._producer._sender.sender_task
    sender.cancel()
    await asyncio.wait({sender})

    flood = Flood(collector)
    flooding = asyncio.create_task(flood.run(clients=1))
    await flood.until(503)
    await flood.until(200, 3)
    flood.stop()
    await flooding

    assert flood.kept <= {record.headers["id"] for record in events.records()}
    assert log._producer._sender.sender_task is not sender
