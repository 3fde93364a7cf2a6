"""Topics, tables and agents joined: the Faust app of a stage, and how it runs.

A *stage* is one source topic, one table and one agent, all partitioned alike: `WORKER` folds
`lead-events` into `leads`, `DELIVERY` carries `commands` out and remembers `sends`. Names are
explicit: Faust derives a changelog's from the app's and the table's.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import signal
from functools import partial
from typing import Any

import faust
from faust.tables.manager import TableManager
from msgspec import Struct

from schemas import topics
from schemas.errors import Halt
from streams.transport import batches, ending
from streams.transport.batches import BatchSchema
from streams.transport.consumer import Transport
from streams.transport.driver import Driver
from streams.transport.settings import TransportSettings
from streams.transport.store import StateTable

COMMIT_SECONDS = 2.0
SHUTDOWN_SECONDS = 30.0


class Stage(Struct, frozen=True):
    """Names of one stage; the consumer group is the app's id."""

    app: str
    source: str
    table: str
    agent: str

    @property
    def changelog(self) -> str:
        """The topic that Faust makes of the names of app and table."""
        return f"{self.app}-{self.table}-changelog"


WORKER = Stage(topics.WORKER_GROUP, topics.LEAD_EVENTS, "leads", "journeys")
DELIVERY = Stage(topics.DELIVERY_GROUP, topics.COMMANDS, "sends", "deliveries")


class StageTables(TableManager):
    """Begins at once: Faust sleeps a second first, in which no partition has an owner."""

    async def on_start(self) -> None:
        """As in Faust, without the sleep: tables are declared before the app starts."""
        if not self.should_stop:
            await self._update_channels()
            await self.recovery.start()


class StageApp(faust.App):
    """A Faust app that knows its driver."""

    mundane_level = "debug"

    driver: Driver[Any]
    settings: TransportSettings
    source: str

    async def on_start(self) -> None:
        """Producers first: the recovery begins with a fence."""
        await self.driver.start()
        await super().on_start()

    async def _producer_flush(self, logger: Any) -> None:
        """Nothing goes through Faust's producer."""

    async def on_stop(self) -> None:
        """An orderly stop that takes too long is ended."""
        with ending.Deadline(SHUTDOWN_SECONDS, "shutdown"):
            await super().on_stop()

    def _create_directories(self) -> None:
        """Nothing of ours lies on the disk."""

    def on_rebalance_end(self) -> None:
        """The recovery is over, or so Faust says."""
        super().on_rebalance_end()
        try:
            self.driver.recovery_ended()
        except Halt as halt:
            ending.end_process(str(halt))


def build(stage: Stage, settings: TransportSettings, driver: Driver[Any]) -> StageApp:
    """The app of a stage; nothing is connected yet."""
    app = StageApp(
        stage.app,
        broker=[f"kafka://{server.strip()}" for server in settings.bootstrap.split(",")],
        **_options(settings),
    )
    app.driver, app.settings, app.source = driver, settings, stage.source
    app.transport = Transport(app.conf.broker_consumer, app)
    batches.install({stage.source: settings.broker_stamps, stage.changelog: False})
    source = app.topic(
        stage.source,
        schema=BatchSchema(key_type=bytes, value_type=bytes),
        partitions=settings.partitions,
    )
    table: Any = app.Table(
        stage.table, partitions=settings.partitions, key_type=bytes, value_type=bytes
    )
    if table.changelog_topic_name != stage.changelog:
        raise Halt(f"Faust calls the changelog {table.changelog_topic_name}, not {stage.changelog}")
    table.read_into(driver)

    async def hand_over(stream: Any) -> None:
        """Never lets an exception out: Faust would restart the agent and go on behind it."""
        try:
            async for event in stream.noack().events():
                driver.receive(event.message.partition, event.value)
        except Exception as error:
            ending.end_for(error, "handling")

    app.agent(source, name=stage.agent)(hand_over)
    signals: Any = app
    signals.on_partitions_revoked.connect(_revoked, weak=False)
    signals.on_before_shutdown.connect(_stopping, weak=False)
    return app


async def run_stage(stage: Stage, settings: TransportSettings, driver: Driver[Any]) -> int:
    """Run until SIGTERM or SIGINT; drain, and give the exit status: 0, or 70 after a crash."""
    gc.set_threshold(200_000, 50, 1_000)
    app = build(stage, settings, driver)
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    app.in_worker = True
    started = asyncio.ensure_future(app.start())
    stopped = asyncio.ensure_future(stop.wait())
    crashed = asyncio.ensure_future(app._crashed.wait())
    try:
        await asyncio.wait({started, stopped, crashed}, return_when=asyncio.FIRST_COMPLETED)
        if started.done() and not started.cancelled() and started.exception() is None:
            gc.collect()
            gc.freeze()
            await asyncio.wait({stopped, crashed}, return_when=asyncio.FIRST_COMPLETED)
        failed = app.crash_reason or (started.exception() if started.done() else None)
        if failed is not None:
            ending.end_for(failed, "running")
        await app.stop()
        await driver.stop()
    finally:
        for task in (started, stopped, crashed):
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
    return 0


async def _revoked(app: Any, *_: Any, **__: Any) -> None:
    """The partitions are still ours: make durable what was handled, then let go."""
    await ending.or_end(partial(app.driver.drain, "revocation"), "draining")
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(app.consumer.commit(), COMMIT_SECONDS)


async def _stopping(app: Any, *_: Any, **__: Any) -> None:
    await ending.or_end(partial(app.driver.drain, "stop"), "draining")


def _options(settings: TransportSettings) -> dict[str, Any]:
    return {
        "store": "memory://",
        "Table": StateTable,
        "TableManager": StageTables,
        "autodiscover": False,
        "web_enabled": False,
        "topic_partitions": settings.partitions,
        "topic_allow_declare": False,
        "topic_disable_leader": True,
        "table_standby_replicas": 0,
        "consumer_auto_offset_reset": "earliest",
        "consumer_group_instance_id": settings.instance_id,
        "broker_session_timeout": settings.session_timeout_seconds,
        "broker_heartbeat_interval": settings.heartbeat_seconds,
        "broker_rebalance_timeout": settings.rebalance_timeout_seconds,
        "broker_request_timeout": settings.request_timeout_seconds,
        "producer_request_timeout": settings.request_timeout_seconds,
        "broker_max_poll_interval": 600.0,
        "broker_max_poll_records": settings.poll_records_max,
        "broker_commit_interval": 1.0,
        "stream_buffer_maxsize": 16,
        "stream_wait_empty": False,
        "stream_recovery_delay": 0.0,
        "producer_acks": -1,
    }
