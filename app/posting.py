"""Events posted to a collector in batches: paced as they happened, or as fast as it takes them."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import orjson

from app.clock import Clock, system_clock
from app.instance import Instance
from schemas.errors import Unreachable, UsageError

Event = dict[str, Any]

BATCH_EVENTS = 100
BATCH_BYTES = 400_000  # the collector takes 500 kB
# Events due within this real time go out together.
TOGETHER_SECONDS = 0.02


@dataclass
class Posted:
    """What the collector said: events accepted and rejected (by reason), per kind of event."""

    accepted: Counter[str] = field(default_factory=Counter)
    rejected: Counter[str] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)


class Pace:
    """Spreads events over the instance's clock as they were spread over theirs.

    The first event is due now; one that happened 3 days later is due 3 days later by the clock of
    the instance, which runs at `speed`.
    """

    def __init__(self, clock: Clock, sleep: Callable[[float], None] = time.sleep) -> None:
        self._clock = clock
        self._sleep = sleep
        self._shift_ms: int | None = None

    def seconds_until(self, happened_ms: int) -> float:
        """Real seconds until an event is due; 0 when it is."""
        now = self._clock.now_ms()
        if self._shift_ms is None:
            self._shift_ms = now - happened_ms
        return max(0.0, self._clock.real_seconds((happened_ms + self._shift_ms - now) / 1000))

    def wait(self, seconds: float) -> None:
        """Sleep."""
        self._sleep(seconds)


def clock_of(instance: Instance) -> Clock:
    """The instance's clock, as `GET /api/clock` tells it; real time where nobody tells it.

    A collector without pages has no API: it is one on a real broker, whose clock is the wall's.
    """
    told = instance.get("/api/clock")
    if told is None:
        return system_clock()
    if not isinstance(told, dict) or "now_ms" not in told:
        raise Unreachable(f"{instance.url}/api/clock does not tell the time: is it Dripline?")
    return Clock(time.monotonic_ns(), int(told["now_ms"]), float(told.get("speed", 1.0)))


def write_key_of(instance: Instance, given: str | None, known: Iterable[str]) -> str:
    """The key to post with: the one given, one of the settings', or what the instance tells."""
    for key in (given, *sorted(known)):
        if key:
            return key
    told = instance.get("/api/instance") or {}
    keys = told.get("write_keys") or []
    if not keys:
        raise UsageError("no write key: give --write-key, or set DRIPLINE_WRITE_KEYS")
    return str(keys[0])


class Poster:
    """Collects events into batches and posts them, one request at a time, in order."""

    def __init__(self, instance: Instance, write_key: str, pace: Pace | None = None) -> None:
        self.posted = Posted()
        self._instance = instance
        self._write_key = write_key
        self._pace = pace
        self._batch: list[Event] = []
        self._bytes = 0

    def send(self, event: Event, happened_ms: int) -> None:
        """Take one event; returns when it is due and what had to go before it has gone."""
        if self._pace is not None:
            wait = self._pace.seconds_until(happened_ms)
            if wait > TOGETHER_SECONDS:
                self.flush()
                self._pace.wait(wait)
        size = len(orjson.dumps(event))
        if len(self._batch) >= BATCH_EVENTS or self._bytes + size > BATCH_BYTES:
            self.flush()
        self._batch.append(event)
        self._bytes += size

    def flush(self) -> None:
        """Post what is collected; raises `UsageError` for a key or a batch that is refused."""
        batch, self._batch, self._bytes = self._batch, [], 0
        if not batch:
            return
        answer = self._instance.request(
            "POST", "/v1/batch", {"batch": batch}, write_key=self._write_key
        )
        if answer.status == 401:
            raise UsageError(f"{self._instance.url} does not know this write key")
        if answer.status != 200:
            raise UsageError(
                f"{self._instance.url}/v1/batch answered {answer.status}: {answer.complaint()}"
            )
        refused = {int(entry["index"]): entry for entry in (answer.body or {}).get("rejected", [])}
        for index, event in enumerate(batch):
            if index in refused:
                self.posted.rejected[event["type"]] += 1
                self.posted.reasons[str(refused[index].get("reason", "unknown"))] += 1
            else:
                self.posted.accepted[event["type"]] += 1
