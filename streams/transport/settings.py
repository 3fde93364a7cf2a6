"""What the transport is told once, at the start of a role."""

from __future__ import annotations

from msgspec import Struct

# The end of a log that cannot be known: the embedded broker's ListOffsets is short of it.
UNKNOWN_END = 2**63 - 1


class TransportSettings(Struct, frozen=True):
    """Bounds and addresses; all durations are real seconds, whatever the log's clock does.

    `embedded` (a shared clock is set): producers are not idempotent, the log's end is not taken
    from ListOffsets, records keep the producer's time. `producer_time` alone: the topic keeps the
    producers' times (`DRIPLINE_RECORD_TIME=producer`). `from_log_start`: a partition without a
    marker may begin at a log start above 0 (what lay before is given up).
    """

    bootstrap: str
    partitions: int
    embedded: bool = False
    producer_time: bool = False
    from_log_start: bool = False
    instance_id: str | None = None
    session_timeout_seconds: float = 10.0
    wake: bool = True
    tick_seconds: float = 0.25
    drain_seconds: float = 8.0
    outage_seconds: float = 120.0
    recovery_stall_seconds: float = 60.0
    fetch_min_bytes: int = 1
    fetch_max_wait_ms: int = 100
    poll_records_max: int = 5_000

    @property
    def lease_seconds(self) -> float:
        """A proof of membership older than this lets nothing be sent."""
        return 0.6 * self.session_timeout_seconds

    @property
    def heartbeat_seconds(self) -> float:
        """Time between two heartbeats: several fit into the lease."""
        return min(1.0, self.session_timeout_seconds / 6)

    @property
    def rebalance_timeout_seconds(self) -> float:
        """How long the group waits for a member that drains: longer than our own deadline."""
        return max(20.0, 2 * self.drain_seconds)

    @property
    def request_timeout_seconds(self) -> float:
        """For single requests; Faust wants it above the session timeout."""
        return max(30.0, self.session_timeout_seconds + 5)

    @property
    def broker_stamps(self) -> bool:
        """Whether a record's time must be the broker's (LogAppendTime)."""
        return not (self.embedded or self.producer_time)
