"""The thread in which aiokafka's consumer lives: its settings, and the proof of membership."""

from __future__ import annotations

import asyncio
import time
from typing import Any, cast

from aiokafka.errors import KafkaError
from faust.transport.drivers import aiokafka as faust_aiokafka
from faust.types import TP

from streams.transport import ending

NOTHING_TO_FETCH_SECONDS = 0.05


class Thread(faust_aiokafka.AIOKafkaConsumerThread):
    """Reaches the driver and the settings through its consumer."""

    mundane_level = "debug"

    @property
    def _ours(self) -> Any:
        return self.consumer

    def _create_worker_consumer(self, transport: Any) -> Any:
        consumer = super()._create_worker_consumer(transport)
        settings = self._ours.settings
        # Faust fixes these at 1 byte and 1.5 s; aiokafka reads them when it starts.
        consumer._fetch_min_bytes = settings.fetch_min_bytes
        consumer._fetch_max_wait_ms = settings.fetch_max_wait_ms
        return consumer

    async def on_start(self) -> None:
        """Start aiokafka's consumer; from then on every sign of the group is noted."""
        await super().on_start()
        self._watch(self._ensure_consumer()._coordinator)

    def _watch(self, coordinator: Any) -> None:
        membership = self._ours.driver.membership
        heartbeat = coordinator._do_heartbeat
        rejoin = coordinator._do_rejoin_group
        reset = coordinator.reset_generation

        async def do_heartbeat() -> Any:
            sent_at = time.monotonic()
            try:
                answered = await heartbeat()
            except KafkaError as error:
                # Only what cannot be mended comes out here: refused, or unheard of.
                ending.end_process(f"the consumer group refuses us: {type(error).__name__}")
            if answered:
                membership.proved(sent_at)
            return answered

        async def do_rejoin(subscription: Any) -> Any:
            joined = await rejoin(subscription)
            if joined:
                membership.proved(time.monotonic())
            return joined

        def reset_generation() -> None:
            # Before a join our partitions are drained and given up; else they were taken from us.
            joining = coordinator._performed_join_prepare or coordinator._closing.done()
            reset()
            if not joining:
                membership.lose("the group does not know this generation or member")
                ending.end_process("membership lost: the partitions are somebody else's")

        coordinator._do_heartbeat = do_heartbeat
        coordinator._do_rejoin_group = do_rejoin
        coordinator.reset_generation = reset_generation

    async def _fetch_records(
        self,
        consumer: Any,
        active_partitions: set[TP],
        timeout: float | None = None,  # noqa: ASYNC109 - Faust's signature
        max_records: int | None = None,
    ) -> Any:
        """Fetch of a frozen set without the blocked partitions.

        Faust hands its live set over and empties it while the call waits; aiokafka takes an empty
        set for all partitions, and what it then gives is dropped with its position moved on.
        """
        source, blocked = self._ours.source, self._ours.driver.blocked()
        wanted = frozenset(
            tp for tp in active_partitions if not (tp.topic == source and tp.partition in blocked)
        )
        if not wanted:
            await asyncio.sleep(NOTHING_TO_FETCH_SECONDS)
            return {}
        return await super()._fetch_records(
            consumer, cast("set[TP]", wanted), timeout=timeout, max_records=max_records
        )

    async def seek_if_assigned(self, tp: TP, offset: int) -> None:
        """Seek; nothing when the partition has left meanwhile (whoever has it, seeks itself)."""
        if tp in self.assignment():
            self.seek(tp, offset)
