"""Dead letters: key and value as they came, and beside the source's headers where from and why."""

from __future__ import annotations

from schemas.topics import LEAD_EVENTS
from streams.ports import LogRecord, Outgoing

MAX_BYTES = 4 * 1024 * 1024
"""Longer ones are told of, not copied: with our headers they would not fit into the topic."""


def dead_letter(record: LogRecord, partition: int, reason: str, detail: str) -> Outgoing:
    """The record for `dead-letters`.

    Beyond `MAX_BYTES` key, value and headers are left out and `dripline-cut-bytes` tells the
    size; the record itself lies in the log where `dripline-partition` and `-offset` say.
    """
    about = (
        ("dripline-reason", reason.encode()),
        ("dripline-detail", detail[:1000].encode(errors="backslashreplace")),
        ("dripline-topic", LEAD_EVENTS.encode()),
        ("dripline-partition", b"%d" % partition),
        ("dripline-offset", b"%d" % record.offset),
        ("dripline-time-ms", b"%d" % record.timestamp),
    )
    size = _size(record)
    if size > MAX_BYTES:
        return Outgoing(None, None, (*about, ("dripline-cut-bytes", b"%d" % size)))
    return Outgoing(record.key, record.value, (*record.headers, *about))


def _size(record: LogRecord) -> int:
    headers = sum(len(name) + len(value or b"") for name, value in record.headers)
    return len(record.key or b"") + len(record.value or b"") + headers
