"""Topics in memory, as the crash simulator's processes see them."""

from __future__ import annotations

from schemas import topics
from schemas.state import FENCE_KEY, MARKER_KEY, decode_marker
from streams.ports import Outgoing, StoredRecord


class Log:
    """One partition of one topic; offsets go on where compaction took records away."""

    def __init__(self) -> None:
        self.records: list[StoredRecord] = []
        self.end = 0

    def append(self, record: Outgoing, now_ms: int) -> int:
        """The record's offset; its time is now, whatever the producer's clock says."""
        offset = self.end
        self.records.append(StoredRecord(offset, now_ms, record.key, record.value, record.headers))
        self.end += 1
        return offset

    def between(self, first: int, last: int) -> list[StoredRecord]:
        """The records with offsets in [first, last)."""
        if len(self.records) == self.end:
            return self.records[first:last]
        return [record for record in self.records if first <= record.offset < last]

    def compact(self, before_ms: int) -> None:
        """Of what is older, keep only the newest of each key, as the broker's cleaner does."""
        old = [record for record in self.records if record.timestamp < before_ms]
        newest = {record.key: record.offset for record in old}
        kept = [record for record in old if newest[record.key] == record.offset]
        self.records = kept + self.records[len(old) :]


class Broker:
    """All logs by topic and partition, the time of the log, and what was committed."""

    def __init__(self, now_ms: int) -> None:
        self.now_ms = now_ms
        self.committed: dict[int, int] = {}
        self.durable: dict[int, int] = {}  # highest watermark of a marker, by partition
        self._logs: dict[tuple[str, int], Log] = {}

    def log(self, topic: str, partition: int) -> Log:
        """One partition of a topic; it is made when it is first named."""
        return self._logs.setdefault((topic, partition), Log())

    def append(self, topic: str, partition: int, record: Outgoing) -> int:
        """Append at the broker's time."""
        if topic == topics.LEADS_CHANGELOG and record.key == MARKER_KEY:
            watermark = decode_marker(record.value or b"").watermark
            self.durable[partition] = max(self.durable.get(partition, -1), watermark)
        return self.log(topic, partition).append(record, self.now_ms)

    def fence(self, partition: int) -> int:
        """A new owner's fence in the changelog; what lies before it is all there is."""
        return self.append(topics.LEADS_CHANGELOG, partition, Outgoing(FENCE_KEY, b""))
