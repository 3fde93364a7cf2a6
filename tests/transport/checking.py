"""The oracle of toy stages: the fold of the log, the states and the commands must agree."""

from collections import Counter
from typing import NamedTuple

from app.log_reading import LogReader
from schemas.state import FENCE_KEY, MARKER_KEY
from streams.topology import Stage
from tests.transport.toy import MARK, STATE, commands_of, fold


class Verdict(NamedTuple):
    records: int
    wrong: int
    lost: int
    invented: int
    repeated: int
    lag: int

    @property
    def agrees(self) -> bool:
        return not (self.wrong or self.lost or self.invented or self.lag)


def verdict(bootstrap: str, stage: Stage) -> Verdict:
    """Read everything; `lag` is how many records no durable marker covers."""
    folded: dict[bytes, tuple[int, int, bytes]] = {}
    stored: dict[bytes, tuple[int, int, bytes]] = {}
    expected: set[bytes] = set()
    issued: Counter[bytes] = Counter()
    records = lag = 0
    with LogReader(bootstrap) as reader:
        for partition in reader.partitions(stage.source):
            last = -1
            for record in reader.read(stage.source, partition):
                records += 1
                last = record.offset
                _, count, chain = folded.get(record.key, (-1, 0, b""))
                count, chain, command = fold((count, chain), record.key, record.value)
                folded[record.key] = (record.offset, count, chain)
                if command is not None:
                    expected.add(command)
            marker = -1
            for record in reader.read(stage.changelog, partition):
                if record.key == MARKER_KEY:
                    marker = max(marker, MARK.unpack(record.value)[0])
                elif record.key != FENCE_KEY:
                    state = STATE.unpack(record.value)
                    if record.key not in stored or state[0] >= stored[record.key][0]:
                        stored[record.key] = state
            lag += max(last - marker, 0)
            issued.update(r.value for r in reader.read(commands_of(stage), partition))
    wrong = sum(stored.get(key) != state for key, state in folded.items())
    wrong += sum(key not in folded for key in stored)
    return Verdict(
        records=records,
        wrong=wrong,
        lost=len(expected - issued.keys()),
        invented=len(issued.keys() - expected),
        repeated=issued.total() - len(issued),
        lag=lag,
    )
