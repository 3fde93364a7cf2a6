"""How many journeys are active, by campaign: a slow walk through the stored states.

A running count would have to know every state from the start, and recovery decodes none. So each
call decodes a bounded number of stored values, and the gauge changes when all were seen: as old as
a walk takes, and without any cost for the records.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Mapping

from app import metrics
from schemas.state import decode
from streams.partition.states import States

LEADS_A_CALL = 500  # a few milliseconds
CAMPAIGNS_MAX = 100
OTHER = "other"


class JourneyCensus:
    """Walks all partitions of one process, again and again."""

    def __init__(self) -> None:
        self._waiting: deque[tuple[int, int]] = deque()  # partition, next slot
        self._found: Counter[str] = Counter()
        self._shown: set[str] = set()

    def walk(self, partitions: Mapping[int, States]) -> None:
        """Decode some more; publish when the last partition is through.

        A partition that went in the meantime counts with what was seen of it until the next walk.
        """
        left = LEADS_A_CALL
        while self._waiting and left > 0:
            number, first = self._waiting.popleft()
            states = partitions.get(number)
            if states is None:
                continue
            values = states.values[first : first + left]
            self._count(values)
            left -= len(values)
            if first + len(values) < len(states.values):
                self._waiting.appendleft((number, first + len(values)))
        if not self._waiting:
            self._publish()
            self._waiting.extend((number, 0) for number in partitions)

    def _count(self, values: list[bytes]) -> None:
        for value in values:
            if value:
                self._found.update(
                    journey.campaign
                    for journey in decode(value).journeys
                    if journey.status == "active"
                )

    def _publish(self) -> None:
        shown = dict(self._found.most_common(CAMPAIGNS_MAX))
        rest = self._found.total() - sum(shown.values())
        if rest:
            shown[OTHER] = rest
        for campaign in self._shown - shown.keys():
            metrics.JOURNEYS.remove(campaign)
        for campaign, journeys in shown.items():
            metrics.JOURNEYS.labels(campaign).set(journeys)
        self._shown, self._found = set(shown), Counter()
