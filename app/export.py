"""`dripline export`: the log as JSON lines, partition after partition, each in its order."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from app.log_reading import LogReader
from schemas import changes, records, topics
from schemas.errors import UsageError
from schemas.exports import ENCODE, ExportLine, NumberedChange, line_of
from schemas.ids import lead_id_problem, partition_of


def export(bootstrap: str, lead: str | None = None) -> Iterator[bytes]:
    """The lines, without line breaks; of one lead: its records and its partition's markers.

    Raises `Unreachable`, `Halt` without topics, `UsageError` for what cannot be a lead's id.
    """
    if lead is not None and (problem := lead_id_problem(lead)):
        raise UsageError(f"{lead!r} cannot be a lead's id: it {problem}")
    with LogReader(bootstrap) as reader:
        numbered = published(reader)
        partitions = reader.partitions(topics.LEAD_EVENTS)
        wanted = partitions
        if lead is not None:
            wanted = [partition_of(lead, len(partitions))]
        for partition in wanted:
            for line in _lines(reader, partition, numbered, len(partitions)):
                if lead is None or line.marker or line.key == lead:
                    yield ENCODE(line)


def published(reader: LogReader) -> list[NumberedChange]:
    """Everything in `campaign-changes`, by number."""
    return [
        NumberedChange(record.offset, changes.DECODE(record.value))
        for record in reader.read(topics.CAMPAIGN_CHANGES, 0)
    ]


def _lines(
    reader: LogReader, partition: int, numbered: list[NumberedChange], partitions: int
) -> Iterator[ExportLine]:
    in_force = -1
    for record in reader.read(topics.LEAD_EVENTS, partition):
        line = line_of(
            partition, record.offset, record.timestamp, record.key, record.headers, record.value
        )
        if line.marker and (number := _number(record.value)) is not None:
            line.partitions = partitions
            line.changes = tuple(one for one in numbered if in_force < one.number <= number)
            in_force = max(in_force, number)
        yield line


def _number(value: bytes | None) -> int | None:
    """The number of a change marker; None for a broken one, which takes no effect."""
    try:
        return msgspec.json.decode(value or b"", type=records.ChangeMarker).number
    except msgspec.DecodeError:
        return None
