"""What the collector appends, as records with their headers and places."""

from __future__ import annotations

from functools import lru_cache

from msgspec import Struct

from app.collector.event_log import Append
from app.collector.refusals import BadInput
from schemas.commands import Suppression
from schemas.ids import partition_of, record_id
from schemas.records import ENCODE, NAMES, Interaction
from schemas.topics import DEAD_LETTERS, LEAD_EVENTS, SUPPRESSIONS
from streams.ports import Outgoing

REJECTED = "rejected-event/1"
SUPPRESSION = "suppression/1"
_INTERACTION = ("schema", NAMES[Interaction].encode())

# murmur2 in Python takes longer than all the rest of an event, and leads come back.
_partition = lru_cache(maxsize=50_000)(partition_of)


def interaction(lead: str, id: str, value: bytes, partitions: int) -> Append:
    """An interaction, `value` being its JSON."""
    record = Outgoing(lead.encode(), value, (_INTERACTION, ("id", id.encode())))
    return Append(LEAD_EVENTS, _partition(lead, partitions), record)


def body(lead: str, id: str, value: Struct, partitions: int) -> Append:
    """Any record of a lead's log, from its struct in `schemas.records`."""
    headers = (("schema", NAMES[type(value)].encode()), ("id", id.encode()))
    record = Outgoing(lead.encode(), ENCODE(value), headers)
    return Append(LEAD_EVENTS, _partition(lead, partitions), record)


def suppression(address_key: str, channel: str, at_ms: int) -> Append:
    """The word that an address must not be written to, read by every delivery worker."""
    value = ENCODE(Suppression(channel, "unsubscribed", at_ms))
    id = record_id("suppression", address_key, channel)
    headers = (("schema", SUPPRESSION.encode()), ("id", id.encode()))
    return Append(SUPPRESSIONS, 0, Outgoing(address_key.encode(), value, headers))


def dead_letter(raw: bytes, refusal: BadInput, path: str, id: str, at_ms: int) -> Append:
    """A refused event of a batch, as it came.

    It came over HTTP and lies in no topic: `dripline-topic` is `http` and `dripline-path` the
    address it was posted to, so it can be sent to the collector again, but not appended.
    """
    headers = (
        ("schema", REJECTED.encode()),
        ("id", id.encode()),
        ("dripline-reason", refusal.reason.encode()),
        ("dripline-detail", f"{refusal.field} {refusal.detail}".encode(errors="replace")),
        ("dripline-topic", b"http"),
        ("dripline-path", path.encode(errors="replace")),
        ("dripline-time-ms", b"%d" % at_ms),
    )
    return Append(DEAD_LETTERS, 0, Outgoing(None, raw, headers))
