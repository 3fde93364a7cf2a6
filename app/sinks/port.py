"""What a sink is to delivery."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from schemas.commands import Command
from streams.delivery.calls import Delivered, Unsure

Check = Callable[[str | None], None]
"""Called with the address at the last instant before it is written to; raises `AddressBlocked`."""


class AddressBlocked(Exception):
    """The address must not be written to any more, for `reason`."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Sink(Protocol):
    """One channel. `send` may be called many times at once."""

    async def send(self, command: Command, check: Check) -> Delivered | Unsure:
        """Carry the command out.

        `Unsure` when the other side may or may not have taken it. Raises `schemas.errors.Retry`
        or `Reject`; `AddressBlocked` from `check`; `asyncio.CancelledError` only when the other
        side surely has not taken it. The first word of every reason, up to a colon, is from a
        small closed set: it becomes a label of a metric.
        """

    async def close(self) -> None:
        """Let go of kept connections."""
