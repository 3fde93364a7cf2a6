"""Identifiers, and how they are derived from the log.

A replay after a crash derives the same ids again, so whoever carries an action out can tell
(architecture, Ids). All hashes are blake2b; ids of journeys and commands are 32 hex digits.
"""

from __future__ import annotations

from hashlib import blake2b

MAX_LEAD_ID_BYTES = 256


def _hash(*parts: str | int) -> str:
    text = "\x1f".join(map(str, parts))
    return blake2b(text.encode(), digest_size=16).hexdigest()


def journey_id(campaign: str, per: str, lead: str, partition: int, offset: int, n: int) -> str:
    """Id of the n-th journey (from 0) that one record began; `per` is "" without a value."""
    return _hash("journey", campaign, per, lead, partition, offset, n)


def command_id(journey: str, step: str, occurrence: int) -> str:
    """Id of the occurrence-th (from 1) command that a step issued in one journey.

    The version is no part of it: a replay that met another version must not send twice.
    """
    return _hash("command", journey, step, occurrence)


def record_id(*parts: str | int) -> str:
    """Id of a record that we append ourselves (wake-up, outcome, marker): same cause, same id."""
    return _hash("record", *parts)


def short_hash(text: str) -> bytes:
    """8 bytes by which a lead remembers a client's message id."""
    return blake2b(text.encode(), digest_size=8).digest()


def share(text: str) -> float:
    """Sticky number in [0, 1) for splits and hold-outs: blake2b-64 / 2**64 (language, `split`)."""
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), "big") / 2**64


def lead_id_problem(lead: str) -> str | None:
    """Why this cannot be a lead's id, or None: 1..256 bytes of UTF-8, no control characters."""
    if not lead:
        return "is empty"
    try:
        size = len(lead.encode())
    except UnicodeEncodeError:
        return "is not valid Unicode"
    if size > MAX_LEAD_ID_BYTES:
        return f"is {size} bytes long, at most {MAX_LEAD_ID_BYTES} are allowed"
    if any(ord(c) < 32 or 127 <= ord(c) < 160 for c in lead):
        return "holds a control character"
    return None


def murmur2(data: bytes) -> int:
    """Kafka's murmur2 (32 bits, unsigned), as in the Java client's default partitioner."""
    mask = 0xFFFFFFFF
    m = 0x5BD1E995
    length = len(data)
    h = (0x9747B28C ^ length) & mask
    whole = length & ~3
    for i in range(0, whole, 4):
        k = int.from_bytes(data[i : i + 4], "little") * m & mask
        k = (k ^ (k >> 24)) * m & mask
        h = (h * m & mask) ^ k
    rest = data[whole:]
    if rest:
        h = (h ^ int.from_bytes(rest, "little")) * m & mask
    h = (h ^ (h >> 13)) * m & mask
    return h ^ (h >> 15)


def partition_of(lead: str, partitions: int) -> int:
    """The partition of `lead-events` where this lead's records lie."""
    return (murmur2(lead.encode()) & 0x7FFFFFFF) % partitions
