"""A flush in flight: states that wait for commands, then for their own acknowledgement.

The states are bytes from the moment the flush begins: what is handled while it waits belongs to
the next one, and no state ever goes out with an effect whose command is not durable yet.
"""

from __future__ import annotations

from msgspec import Struct

from streams.ports import Outgoing


class Flush(Struct):
    """`barrier` is the last ticket given out when it began; `ticket` that of its states, 0 before
    they are produced. `watermark` is what the marker at the end of `records` says."""

    barrier: int
    watermark: int
    records: list[Outgoing]
    ticket: int = 0

    def ready(self, unacknowledged: dict[int, None]) -> bool:
        """Whether all that went out before it began is durable."""
        first = next(iter(unacknowledged), None)
        return first is None or first > self.barrier
