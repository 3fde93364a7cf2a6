"""The role `worker`: folds `lead-events` into states, facts and commands, on Faust.

Composition root: settings → topics checked → changes read → partition objects → the stage.
"""

from __future__ import annotations

import asyncio
import contextlib
from functools import partial

from app import child, logs, metrics, topics
from app.clock import Clock, clock_of
from app.settings import Settings
from app.status import StatusServer
from app.worker_metrics import Publisher, WorkerWatch
from schemas import changes
from schemas import topics as names
from streams.engine.registry import Registries
from streams.partition.bounds import Bounds
from streams.partition.partition import LeadPartition
from streams.ports import LogRecord
from streams.topology import WORKER, run_stage
from streams.transport import ending
from streams.transport.driver import Driver
from streams.transport.settings import TransportSettings
from streams.transport.tail import Tail

PUBLISH_SECONDS = 1.0
TICK_SECONDS = 0.1
FAST_TICK_SECONDS = 0.05  # under a fast clock a tick is minutes


def main(settings: Settings, *, from_log_start: bool = False) -> int:
    """Run the role; the exit status. SIGTERM and SIGINT drain and stop.

    Raises `UsageError` for settings that are missing, `Unreachable` when the broker does not
    answer at the start, `Halt` on missing or wrong topics.
    """
    logs.configure("worker", settings.log_level, settings.log_format)
    metrics.says_who("worker")
    child.end_with_parent()
    settings.signing_secret()
    partitions = topics.require(settings)
    return asyncio.run(_run(settings, transport_settings(settings, partitions, from_log_start)))


def transport_settings(
    settings: Settings, partitions: int, from_log_start: bool = False
) -> TransportSettings:
    """What the transport of a role is told, from the settings of the process."""
    clock = clock_of(settings.clock)
    producer_time = settings.record_time == "producer"
    return TransportSettings(
        bootstrap=settings.bootstrap(),
        partitions=partitions,
        embedded=settings.embedded,
        producer_time=producer_time,
        from_log_start=from_log_start,
        instance_id=settings.instance_id,
        session_timeout_seconds=settings.session_timeout_seconds,
        # With producers' times on a real broker the times of wake-ups are the test's business.
        wake=settings.embedded or not producer_time,
        tick_seconds=TICK_SECONDS if clock.speed == 1 else FAST_TICK_SECONDS,
    )


async def _run(settings: Settings, transport: TransportSettings) -> int:
    clock = clock_of(settings.clock)
    registries = Registries()

    def changed(record: LogRecord) -> None:
        registries.append(record.offset, changes.DECODE(record.value or b""))

    tail = Tail(transport.bootstrap, names.CAMPAIGN_CHANGES, changed)
    driver = _driver(settings, transport, registries, tail, clock)
    publisher = Publisher(driver)
    driver.on_lost(publisher.forget)
    status = _status_server(settings, driver)
    await tail.start()
    if status is not None:
        await status.start()
    publishing = asyncio.create_task(
        ending.or_end(partial(_publish, publisher), "publishing metrics")
    )
    try:
        return await run_stage(WORKER, transport, driver)
    finally:
        publishing.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await publishing
        await tail.stop()
        if status is not None:
            await status.stop()


def _driver(
    settings: Settings,
    transport: TransportSettings,
    registries: Registries,
    tail: Tail,
    clock: Clock,
) -> Driver[LeadPartition]:
    secret = settings.signing_secret()
    bounds = Bounds(flush_ms=int(settings.flush_seconds * 1000))

    def new_partition(number: int) -> LeadPartition:
        return LeadPartition(number, transport.partitions, registries, secret=secret, bounds=bounds)

    return Driver(
        new_partition,
        transport,
        name=WORKER.app,
        changelog=WORKER.changelog,
        now_ms=clock.now_ms,
        reached=tail.reached,
        watch=WorkerWatch(),
        restartable=True,
    )


def _status_server(settings: Settings, driver: Driver[LeadPartition]) -> StatusServer | None:
    if settings.metrics_port is None:
        return None

    def ready() -> str | None:
        return None if driver.ready else "partitions are being recovered or moved"

    return StatusServer(settings.host, settings.metrics_port, ready)


async def _publish(publisher: Publisher) -> None:
    while True:
        await asyncio.sleep(PUBLISH_SECONDS)
        publisher.publish()
