"""Where a partition begins after recovery, and when it must not begin at all."""

from __future__ import annotations

from schemas.errors import Halt
from streams.partition.markers import Markers


def first_offset(
    name: str, markers: Markers, log_start: int, topic_id: str, from_log_start: bool
) -> int:
    """The offset behind the marker; `Halt` where going on from there would lose records."""
    if not markers.found:
        if log_start > 0 and not from_log_start:
            raise Halt(
                f"{name}: there is no marker, and the log begins at offset {log_start}: what was "
                f"before is lost to the states; start with --from-log-start if it may be"
            )
        return log_start
    start = markers.durable + 1
    if markers.topic_id != topic_id:
        raise Halt(
            f"{name}: the states were made from the topic with id {markers.topic_id}, this one is "
            f"{topic_id}: it was deleted and made anew; restore it, or begin anew with an empty "
            f"changelog"
        )
    if start < log_start:
        raise Halt(
            f"{name}: offset {start} is next, but the log begins at {log_start}: its retention "
            f"took {log_start - start} records that were never handled; restore them, or begin "
            f"anew with an empty changelog and --from-log-start"
        )
    return start


def check_end(name: str, seen: int, log_end: int) -> None:
    """`seen` is the highest offset that the changelog knows; `Halt` when the log ends before."""
    if seen >= log_end:
        raise Halt(
            f"{name}: the changelog has seen offset {seen}, but the log ends at {log_end}: it lost "
            f"records or is another one; restore it, or begin anew with an empty changelog"
        )
