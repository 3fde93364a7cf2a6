"""What lies in `lead-events`: each kind of record's value, and the record as the engine sees it.

The header `schema` names the kind (`interaction/1`, …), the header `id` the record. Values are
JSON. A record without a known `schema` is a dead letter (clarifications Q2). Field names of an
interaction are Segment's.
"""

from __future__ import annotations

from typing import Literal

import msgspec
from msgspec import Raw, Struct

NO_JSON = Raw(b"")


class Interaction(Struct, gc=False, omit_defaults=True):
    """Something a lead did or that was told about it.

    `properties`, `traits` and `context` stay raw JSON until somebody asks. `timestamp` (ISO 8601)
    is the event's own time and only data; a record's time is when it was appended to the log.
    """

    type: Literal["track", "page", "screen", "identify", "alias", "group"]
    event: str | None = None
    userId: str | None = None
    anonymousId: str | None = None
    properties: Raw = NO_JSON
    traits: Raw = NO_JSON
    context: Raw = NO_JSON
    timestamp: str | None = None
    historical: bool = False


class WakeUp(Struct, gc=False, frozen=True):
    """ "Time has come": what of this lead is due at or before the record's time fires.

    `due_ms` is the due time that woke the waker, for people who read the log.
    """

    due_ms: int


class Outcome(Struct, frozen=True, omit_defaults=True):
    """What became of a command. `unknown`: started, then the sink died."""

    command_id: str
    journey_id: str
    campaign: str
    step: str
    channel: str
    result: Literal["delivered", "failed", "bounced", "unknown"]
    detail: str = ""
    address: str | None = None


class ByHand(Struct, frozen=True, omit_defaults=True):
    """A person's word about one lead: `enter` and `remove` name a campaign, `join` and `leave` a
    list, `subscribe` and `unsubscribe` a channel, all in `target`.

    `rules` False lets `enter` pass every rule of entry (scenarios' `given: in`).
    """

    do: Literal["enter", "remove", "join", "leave", "subscribe", "unsubscribe"]
    target: str
    by: str = ""
    rules: bool = True


class ChangeMarker(Struct, frozen=True):
    """From here on the registry is `campaign-changes` up to `number` (an offset)."""

    number: int


Body = Interaction | WakeUp | Outcome | ByHand | ChangeMarker

SCHEMAS: dict[str, type[Struct]] = {
    "interaction/1": Interaction,
    "wake-up/1": WakeUp,
    "outcome/1": Outcome,
    "by-hand/1": ByHand,
    "change-marker/1": ChangeMarker,
}
NAMES: dict[type[Struct], str] = {kind: name for name, kind in SCHEMAS.items()}
DECODERS = {name: msgspec.json.Decoder(kind) for name, kind in SCHEMAS.items()}
ENCODE = msgspec.json.Encoder().encode


class Record(Struct, gc=False):
    """One record of a lead's log as the engine takes it; `time_ms` is its Kafka timestamp."""

    partition: int
    offset: int
    time_ms: int
    lead: str
    id: str
    body: Interaction | WakeUp | Outcome | ByHand
