"""Carries out the calls that partitions ask for, side by side, and tells them the answers."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from app import metrics
from app.clock import Clock
from app.sinks.port import AddressBlocked, Check, Sink
from schemas.errors import Reject, Retry
from streams.delivery.blocked import BlockedAddresses
from streams.delivery.calls import Answer, Blocked, Call, Later, Never, NotCalled
from streams.delivery.partition import DeliveryPartition
from streams.delivery.queues import Queues
from streams.transport import ending
from streams.transport.driver import Driver

# An unsubscribe that was acknowledged is in force a second later: so old may what we know be.
FRESH_MS = 1_000
FRESH_PATIENCE_SECONDS = 5.0


class NotFresh(Exception):
    """The broker has not answered for a while: somebody may have unsubscribed."""


class Caller:
    """The sinks at work. `heard_ms` tells when `suppressions` were last asked for, wall clock.

    In a drain, open calls get `grace_seconds`; then they are given up, and say whether they may
    have had an effect.
    """

    def __init__(
        self,
        sinks: Mapping[str, Sink],
        blocked: BlockedAddresses,
        queues: Queues,
        *,
        heard_ms: Callable[[], int],
        wall: Clock,
        grace_seconds: float,
    ) -> None:
        self._sinks = sinks
        self._blocked = blocked
        self._queues = queues
        self._heard_ms = heard_ms
        self._wall = wall
        self._grace_seconds = grace_seconds
        self._driver: Driver[DeliveryPartition] | None = None
        self._tasks: dict[DeliveryPartition, set[asyncio.Task[None]]] = {}

    def drive(self, driver: Driver[DeliveryPartition]) -> None:
        """Whom to tell the answers."""
        self._driver = driver

    # What the driver calls

    def call(self, partition: DeliveryPartition, call: Any) -> None:
        """Begin one call."""
        assert isinstance(call, Call)
        work = partial(self._carry_out, partition, call)
        task = asyncio.create_task(ending.or_end(work, f"calling {call.command.channel}"))
        tasks = self._tasks.setdefault(partition, set())
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    def draining(self, partition: DeliveryPartition) -> None:
        """Begin nothing new; what is open gets its time."""
        partition.drain()
        asyncio.get_running_loop().call_later(self._grace_seconds, self._give_up, partition)

    def lost(self, partition: DeliveryPartition) -> None:
        """The partition is somebody else's: nothing that still comes counts."""
        partition.lost()
        self._give_up(partition)
        self._tasks.pop(partition, None)
        self._poke()

    # Inside

    def _give_up(self, partition: DeliveryPartition) -> None:
        for task in self._tasks.get(partition, ()):
            task.cancel()

    async def _carry_out(self, partition: DeliveryPartition, call: Call) -> None:
        answer = await self._answer(call)
        assert self._driver is not None
        now_ms = self._driver.clock.now_ms() or 0
        self._driver.perform(partition, partition.called(call.key, answer, now_ms))
        self._poke()

    async def _answer(self, call: Call) -> Answer:
        command = call.command
        began = self._wall.monotonic()
        try:
            await self._fresh()
            return await self._sinks[command.channel].send(command, self._check_of(call))
        except AddressBlocked as error:
            return Blocked(error.reason)
        except Retry as error:
            return Later(error.reason, int((error.after_seconds or 0) * 1000))
        except Reject as error:
            return Never(error.reason, bounced=error.bounced)
        except (NotFresh, asyncio.CancelledError):
            return NotCalled()
        finally:
            metrics.SINK_LATENCY.labels(command.channel).observe(self._wall.monotonic() - began)

    def _check_of(self, call: Call) -> Check:
        command = call.command

        def check(address: str | None) -> None:
            if not self._is_fresh:
                raise NotFresh
            reason = self._blocked.reason(command.channel, address, command.transactional)
            if reason is not None:
                raise AddressBlocked(reason)

        return check

    @property
    def _is_fresh(self) -> bool:
        return self._wall.now_ms() - self._heard_ms() <= FRESH_MS

    async def _fresh(self) -> None:
        """Wait until we know who is blocked; a broker that is away also takes no results."""
        until = self._wall.monotonic() + FRESH_PATIENCE_SECONDS
        while not self._is_fresh:
            if self._wall.monotonic() > until:
                raise NotFresh
            await asyncio.sleep(0.02)

    def _poke(self) -> None:
        """A place that came free may have gone to another partition."""
        driver = self._driver
        owners = self._queues.owners_granted()
        if driver is None or not owners:
            return
        for partition in driver.partitions.values():
            if partition.owner in owners:
                now_ms = driver.clock.now_ms() or 0
                driver.perform(partition, partition.begin(now_ms))
