"""What the demo's leads have come to, counted from the facts in `journey-facts`."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from typing import Any

import aiokafka
import msgspec
from aiokafka.errors import KafkaError

from app import logs
from schemas import facts
from schemas.topics import JOURNEY_FACTS

_log = logs.log(__name__)
# What ends a wait; `branched` and the like come in the record that goes on from it.
_MOVES = frozenset({"timer_fired", "branched", "step_taken", "completed", "left", "action_issued"})


class Tally:
    """Counts, by campaign, reason or list; `waiting` is how many journeys wait right now."""

    def __init__(self) -> None:
        self.entered: Counter[str] = Counter()
        self.left: Counter[str] = Counter()
        self.branched = 0
        self.issued: Counter[str] = Counter()
        self.suppressed: Counter[str] = Counter()
        self.lists: Counter[str] = Counter()
        self.points = 0.0
        self.converted = 0
        self.completed = 0
        self.leads: Counter[str] = Counter()
        self._waiting: set[str] = set()

    @property
    def waiting(self) -> int:
        """Journeys that wait now."""
        return len(self._waiting)

    def busiest(self) -> str | None:
        """The lead to whom most went out: one worth looking at."""
        return self.leads.most_common(1)[0][0] if self.leads else None

    def take(self, told: facts.FactList) -> None:
        """Count the facts of one record."""
        for row in told.facts:
            self._take(row)
        self.leads[told.lead] += sum(row.fact == "action_issued" for row in told.facts)

    def _take(self, row: facts.FactRow) -> None:
        detail = row.detail
        match row.fact:
            case "waiting" | "message_held":
                self._waiting.add(row.journey)
            case "entered":
                self.entered[row.campaign] += 1
            case "branched":
                self.branched += 1
            case "action_issued":
                self.issued[str(detail.get("verb"))] += 1
            case "action_suppressed":
                self.suppressed[str(detail.get("reason"))] += 1
            case "completed":
                self.completed += 1
            case "left":
                self.left[str(detail.get("reason"))] += 1
            case "converted":
                self.converted += 1
            case "lead_changed":
                self._changed(str(detail.get("what")), detail)
        if row.fact in _MOVES:
            self._waiting.discard(row.journey)

    def _changed(self, what: str, detail: dict[str, Any]) -> None:
        if what == "points":
            self.points += float(detail.get("after") or 0) - float(detail.get("before") or 0)
        elif what.startswith("lists.") and detail.get("after"):
            self.lists[what.removeprefix("lists.")] += 1


async def follow(bootstrap: str, tally: Tally) -> None:
    """Read `journey-facts` from its beginning, on and on; without a group."""
    consumer = aiokafka.AIOKafkaConsumer(
        bootstrap_servers=bootstrap, group_id=None, auto_offset_reset="earliest"
    )
    try:
        await consumer.start()
        partitions = consumer.partitions_for_topic(JOURNEY_FACTS) or ()
        places = [aiokafka.TopicPartition(JOURNEY_FACTS, number) for number in partitions]
        consumer.assign(places)
        await consumer.seek_to_beginning(*places)
        async for record in consumer:
            with contextlib.suppress(msgspec.DecodeError):
                tally.take(facts.DECODE(record.value or b""))
    except KafkaError as error:
        _log.warning("the demo no longer sees the facts", error=type(error).__name__)
    finally:
        async with asyncio.timeout(5):
            await consumer.stop()
