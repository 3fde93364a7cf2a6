"""Which records were handled again, and when: their facts lie in `journey-facts` twice."""

import threading
import time
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from kafka import KafkaConsumer, TopicPartition

from schemas.topics import JOURNEY_FACTS


class Kill(NamedTuple):
    """When a worker was killed, and the partitions that it had."""

    time_ms: int
    partitions: frozenset[int]


class Repeats:
    """Follows `journey-facts` in a thread; a context manager."""

    def __init__(self, bootstrap: str) -> None:
        self._bootstrap = bootstrap
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._follow, daemon=True)
        self.found: list[tuple[int, int]] = []  # partition, time
        self.seen = 0

    def __enter__(self) -> "Repeats":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def after(self, kills: Sequence[Kill]) -> Counter[int]:
        """Per kill (its place in the list) the records of its partitions that were handled again
        before the next kill that concerns them."""
        counted: Counter[int] = Counter()
        for partition, time_ms in list(self.found):
            causes = [
                index
                for index, kill in enumerate(kills)
                if kill.time_ms <= time_ms and partition in kill.partitions
            ]
            if causes:
                counted[causes[-1]] += 1
        return counted

    def _follow(self) -> None:
        consumer = KafkaConsumer(bootstrap_servers=self._bootstrap, group_id=None)
        places = [
            TopicPartition(JOURNEY_FACTS, n) for n in consumer.partitions_for_topic(JOURNEY_FACTS)
        ]
        consumer.assign(places)
        consumer.seek_to_beginning(*places)
        known: set[bytes] = set()
        while not self._stop.is_set():
            for records in consumer.poll(500, max_records=5_000).values():
                for record in records:
                    id = dict(record.headers)["id"]
                    if id in known:
                        self.found.append((record.partition, record.timestamp))
                    known.add(id)
            self.seen = len(known)
            time.sleep(0.2)
        consumer.close()
