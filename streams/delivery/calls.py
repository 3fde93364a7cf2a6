"""What delivery and its sinks say to each other: a call to carry out, and how it ended.

A `Call` is an output of `DeliveryPartition`; whoever carries it out hands exactly one answer to
`DeliveryPartition.called`. Data only.
"""

from __future__ import annotations

from msgspec import Struct

from schemas.commands import Command


class Call(Struct, frozen=True):
    """Carry this command out now: its start is durable. `attempt` counts from 1.

    `key` names the send to `DeliveryPartition.called`.
    """

    key: bytes
    command: Command
    attempt: int


class Delivered(Struct, frozen=True):
    """The other side has taken it."""

    detail: str = ""


class Unsure(Struct, frozen=True):
    """The connection died where the other side may or may not have taken it."""

    detail: str


class Blocked(Struct, frozen=True):
    """Not called: the address was blocked meanwhile, for `reason`."""

    reason: str


class NotCalled(Struct, frozen=True):
    """Surely not called, and nobody's fault (a drain): as if it had never been started."""


class Later(Struct, frozen=True):
    """Failed, and may succeed later; `after_ms` (real time) is the other side's wish."""

    reason: str
    after_ms: int = 0


class Never(Struct, frozen=True):
    """Failed for good; `bounced` tells that the address itself is bad."""

    reason: str
    bounced: bool = False


Answer = Delivered | Unsure | Blocked | NotCalled | Later | Never
