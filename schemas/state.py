"""The lead's state as it lies in the changelog of `leads`, and the partition's marker.

A stored value is a 24-byte prefix (next due time, watermark, number of the last change taken in,
last seen) and the lead as msgpack arrays. The prefix answers most questions without decoding.
New fields go to the end of a Struct, with a default, so that older states decode for ever.
"""

from __future__ import annotations

import struct
from typing import Any

import msgspec
from msgspec import Struct

NEVER = (1 << 63) - 1  # "next due" of a lead without timers
QUARANTINED = 0xFFFFFFFF  # stands for `change` in the prefix of a quarantined lead
QUARTER_MS = 900_000
MARKER_KEY = b"\0marker"
FENCE_KEY = b"\0fence"
PREFIX = struct.Struct(">qqII")


class Prefix(Struct, gc=False, frozen=True):
    """The first 24 bytes: times in ms, `watermark` an offset of `lead-events`."""

    next_due: int
    watermark: int
    change: int
    quarter: int


class Entry(Struct, array_like=True):
    """Of the record that let a lead in: its name and the paths its version names."""

    name: str
    properties: dict[str, Any]
    context: dict[str, Any]


class Token(Struct, array_like=True):
    """A place where a journey waits: step id, when it came there, deadline (0: none).

    `generation` counts up when the timer is computed anew: an old wake-up means nothing. `mode` is
    `held` for a message that may not go out yet, `outcome` for one whose outcome is awaited;
    `after` names the wait whose window a held message honours too.
    """

    step: str
    arrived_at: int
    due: int = 0
    generation: int = 0
    mode: str = ""
    after: str = ""


class Sent(Struct, array_like=True):
    """A message of this journey: step, template, command id, when issued, outcome."""

    step: str
    template: str
    command: str
    at: int
    outcome: str = ""


class Journey(Struct, array_like=True):
    """One lead's way through one campaign, sorted by (offset, n) within the lead.

    `status` is "active", or "completed" for one that is kept only until its goal's `within` ends.
    `per` is the value's JSON or "". Times are ms, 0 meaning none. `seen` maps a trigger's key to
    when it last fired; `timed_out` holds (step, deadline) of waits that ran out. `ends_at` is the
    end of the campaign's `active` where that ends journeys too. `forks` maps a `parallel` to its
    branches that still run.
    """

    id: str
    campaign: str
    version: int
    run: int
    per: str
    entered_at: int
    offset: int
    n: int
    entry: Entry
    status: str = "active"
    tokens: list[Token] = []
    splits: dict[str, str] = {}
    occurrences: dict[str, int] = {}
    sent: list[Sent] = []
    seen: dict[str, int] = {}
    timed_out: list[tuple[str, int]] = []
    expires_at: int = 0
    goal_until: int = 0
    converted: bool = False
    change: int = 0
    jumps: dict[str, int] = {}
    held_out: bool = False
    ends_at: int = 0
    forks: dict[str, list[int]] = {}


class EntryTimer(Struct, array_like=True):
    """A date on which the lead may enter a campaign; `key` is the trigger's position in it."""

    campaign: str
    key: str
    due: int


class Past(Struct, array_like=True):
    """What re-entry must know of one campaign (and value): times in ms, 0 meaning never."""

    runs: int = 0
    entered_at: int = 0
    exited_at: int = 0
    completed: bool = False
    removed_by_hand: bool = False


class Session(Struct, array_like=True):
    """The running visit. `spent` maps a pattern of `spends_time` to ms, "" being the whole site;
    `proved` are those that have fired."""

    started_at: int
    last_at: int
    path: str = ""
    url: str = ""
    spent: dict[str, int] = {}
    proved: list[str] = []


class Lead(Struct, array_like=True):
    """All the engine knows of a lead. `lists` and `tags` are in order of joining, unique.

    `clock` is the time of the last record that had an effect. `blocked` maps a channel to
    `unsubscribed`, or to `bounced` with the address as `bounced:<address>`. `zone` is the
    browser's. `change` counts the changes of campaigns and lists it has taken in. `sends` are
    the times of its newest messages by channel, `once` the templates sent that are to go out once.
    `past` is keyed by campaign id, and `campaign␟per` where there is a value.
    """

    clock: int = 0
    created_at: int = 0
    quarter: int = 0
    traits: dict[str, Any] = {}
    points: int | float = 0
    tags: list[str] = []
    lists: list[str] = []
    blocked: dict[str, str] = {}
    zone: str = ""
    journeys: list[Journey] = []
    past: dict[str, Past] = {}
    ids: bytes = b""
    session: Session | None = None
    counters: dict[str, dict[int, int]] = {}
    change: int = 0
    quarantined: str = ""
    sends: dict[str, list[int]] = {}
    entries: list[EntryTimer] = []
    once: list[str] = []


class Marker(Struct, array_like=True):
    """The partition's own record, written after the states of a flush.

    `changes` maps a change's number to its time in this partition, ms; `change` is the newest
    number (-1: none).
    """

    watermark: int
    topic_id: str
    change: int = -1
    changes: dict[int, int] = {}
    generation: int = 0


_encode_lead = msgspec.msgpack.Encoder().encode
_decode_lead = msgspec.msgpack.Decoder(Lead).decode
_encode_marker = msgspec.msgpack.Encoder().encode
_decode_marker = msgspec.msgpack.Decoder(Marker).decode


def prefix_of(value: bytes) -> Prefix:
    """Read the prefix of a stored value."""
    return Prefix(*PREFIX.unpack_from(value))


def next_due(lead: Lead) -> int:
    """The earliest timer of the lead, or `NEVER`."""
    due = NEVER
    for timer in lead.entries:
        if timer.due < due:
            due = timer.due
    for journey in lead.journeys:
        if journey.status != "active":
            continue
        if 0 < journey.expires_at < due:
            due = journey.expires_at
        if 0 < journey.ends_at < due:
            due = journey.ends_at
        for token in journey.tokens:
            if 0 < token.due < due:
                due = token.due
    return due


def prefix(lead: Lead, watermark: int) -> Prefix:
    """The prefix of a lead whose last record lies at `watermark`.

    A quarantined lead is never due and takes no changes in.
    """
    if lead.quarantined:
        return Prefix(NEVER, watermark, QUARANTINED, lead.quarter)
    return Prefix(next_due(lead), watermark, lead.change, lead.quarter)


def encode(lead: Lead, watermark: int) -> bytes:
    """The stored value of a lead whose last record lies at `watermark`."""
    head = prefix(lead, watermark)
    return PREFIX.pack(head.next_due, watermark, head.change, head.quarter) + _encode_lead(lead)


def decode(value: bytes) -> Lead:
    """The lead of a stored value; its watermark is in `prefix_of`."""
    return _decode_lead(memoryview(value)[PREFIX.size :])


def encode_marker(marker: Marker) -> bytes:
    """The marker's value in the changelog."""
    return _encode_marker(marker)


def decode_marker(value: bytes) -> Marker:
    """The marker of a value in the changelog."""
    return _decode_marker(value)
