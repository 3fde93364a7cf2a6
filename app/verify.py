"""`dripline verify`: folds the log again and compares with the changelog, lead by lead.

As of the newest partition marker (clarifications Q11). Needs the broker, no worker.
"""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Struct

from app.export import published
from app.log_reading import LogReader
from schemas import topics
from schemas.errors import UsageError
from streams.engine.registry import Registries
from streams.partition.verifying import Verdict, verify


class Verified(Struct, frozen=True):
    """What became of one partition; `log_start` is the first offset still in the log."""

    partition: int
    log_start: int
    verdict: Verdict


def verified(bootstrap: str, secret: bytes, partition: int | None = None) -> Iterator[Verified]:
    """Each partition's verdict, or that of one.

    Raises `Unreachable`, `Halt` without topics, `UsageError` for a partition that is not there.
    """
    with LogReader(bootstrap) as reader:
        registries = Registries()
        for one in published(reader):
            registries.append(one.number, one.change)
        partitions = reader.partitions(topics.LEAD_EVENTS)
        if partition is not None and partition not in partitions:
            raise UsageError(f"there is no partition {partition}: 0 to {partitions[-1]} are there")
        for number in partitions if partition is None else [partition]:
            yield _verified(reader, registries, number, len(partitions), secret)


def _verified(
    reader: LogReader, registries: Registries, number: int, partitions: int, secret: bytes
) -> Verified:
    log_start = reader.start_of(topics.LEAD_EVENTS, number)
    # The changelog first: what it holds was in the log before.
    changelog = [
        (record.key, record.value) for record in reader.read(topics.LEADS_CHANGELOG, number)
    ]
    verdict = verify(
        changelog,
        reader.read(topics.LEAD_EVENTS, number),
        registries,
        number=number,
        partitions=partitions,
        secret=secret,
        log_start=log_start,
    )
    return Verified(number, log_start, verdict)
