"""What delivery says to others: the outcome into the lead's log, and dead letters."""

from __future__ import annotations

from schemas import commands, records
from schemas.ids import record_id
from schemas.records import Outcome
from schemas.topics import COMMANDS
from streams.delivery.sends import OpenSend
from streams.ports import Headers, LogRecord, Outgoing

MAX_BYTES = 4 * 1024 * 1024
"""Longer records are told of, not copied: with our headers they would not fit into the topic."""


def outcome(entry: OpenSend) -> Outgoing:
    """The record for `lead-events`; its id comes from the command and result, so repeats show.

    After a retry by hand the round is part of it: what comes then is news.
    """
    send = entry.send
    command = commands.DECODE(send.value)
    result: Outcome = Outcome(
        command_id=command.id,
        journey_id=command.journey_id,
        campaign=command.campaign,
        step=command.step,
        channel=command.channel,
        result=send.result,  # type: ignore[arg-type]  # only `Sending.finish` writes it
        detail=send.detail,
        address=command.address if send.result == "bounced" else None,
    )
    again = (send.round,) if send.round else ()
    own_id = record_id("outcome", command.id, send.result, *again)
    headers = [("schema", records.NAMES[Outcome].encode()), ("id", own_id.encode())]
    return Outgoing(command.lead.encode(), records.ENCODE(result), headers)


def dead_letter(entry: OpenSend, partition: int) -> Outgoing:
    """The command's record as it came, with why it could not be carried out."""
    send = entry.send
    return _letter(
        send.key or None, send.value, send.headers, send.dead, send.detail,
        partition, send.offset, send.time_ms,
    )  # fmt: skip


def dead_letter_of_record(record: LogRecord, partition: int, reason: str, detail: str) -> Outgoing:
    """A record that is no command, as it came."""
    return _letter(
        record.key, record.value, record.headers, reason, detail,
        partition, record.offset, record.timestamp,
    )  # fmt: skip


def _letter(
    key: bytes | None,
    value: bytes | None,
    headers: Headers,
    reason: str,
    detail: str,
    partition: int,
    offset: int,
    time_ms: int,
) -> Outgoing:
    ours = {
        "dripline-reason": reason,
        "dripline-detail": detail[:1000],
        "dripline-topic": COMMANDS,
        "dripline-partition": str(partition),
        "dripline-offset": str(offset),
        "dripline-time-ms": str(time_ms),
    }
    kept = [(name, content or b"") for name, content in headers if name not in ours]
    size = len(value or b"") + sum(len(name) + len(content) for name, content in kept)
    if size > MAX_BYTES:
        ours["dripline-cut-bytes"] = str(size)
        key, value, kept = None, None, []
    return Outgoing(
        key,
        value,
        kept + [(name, text.encode(errors="backslashreplace")) for name, text in ours.items()],
    )
