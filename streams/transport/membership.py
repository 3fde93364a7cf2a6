"""Is this process still the owner of its partitions? Asked before anything is sent.

The proof is a successful heartbeat, dated when it was *sent*. An unreachable broker is a reason
to wait; a generation that the broker no longer knows, or `outage_seconds` without a proof, to
end. Seen without it: a process that was stopped for 20 s writes its old states 6 to 20 ms after
it wakes, before any heartbeat can tell it (research, faust-under-fire).
"""

from __future__ import annotations

import asyncio
import logging
import time

from schemas.errors import Halt

POLL_SECONDS = 0.02
log = logging.getLogger(__name__)


class Membership:
    """Written by the consumer's thread, read by the event loop; single assignments only."""

    def __init__(self, lease_seconds: float, outage_seconds: float) -> None:
        self.lease_seconds = lease_seconds
        self.outage_seconds = outage_seconds
        self._proved_at: float | None = None
        self._lost = ""

    def proved(self, sent_at: float) -> None:
        """The group answered to something sent at `sent_at` (monotonic seconds)."""
        self._proved_at = sent_at

    def lose(self, how: str) -> None:
        """The group does not know this member any more."""
        self._lost = how

    @property
    def age_seconds(self) -> float | None:
        """Age of the last proof; None before the first."""
        return None if self._proved_at is None else time.monotonic() - self._proved_at

    def check(self) -> bool:
        """Whether something may be sent now.

        Raises `Halt` when membership is lost, or unproved for longer than `outage_seconds`.
        """
        if self._lost:
            raise Halt(f"membership lost: {self._lost}; the partitions are somebody else's")
        age = self.age_seconds
        if age is None:
            return False
        if age > self.outage_seconds:
            raise Halt(f"no answer from the consumer group for {age:.0f} s")
        return age <= self.lease_seconds

    async def wait(self) -> None:
        """Return as soon as something may be sent; raises as `check` does."""
        if self.check():
            return
        began = time.monotonic()
        said = False
        while not self.check():
            if not said and time.monotonic() - began > 1:
                said = True
                log.warning("the consumer group does not answer: nothing is sent until it does")
            await asyncio.sleep(POLL_SECONDS)
        if said:
            log.warning("the consumer group answers again after %.0f s", time.monotonic() - began)
