"""What a channel does when a call fails, or when nobody knows whether it happened.

Back-off has no chance in it: its jitter comes from the command's id, so that a recovered delivery
waits exactly as long as the one that died would have.
"""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from schemas.ids import share

Unknown = Literal["resend", "hold", "drop"]

SECOND_MS = 1_000
HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS

LONGEST_RETRY_AFTER_MS = DAY_MS  # a server that asks for more is asked again after a day


class Policy(Struct, frozen=True):
    """How one channel is treated. Times are milliseconds of real time.

    `unknown`: a call was started and its result is not known. `resend` calls again with the same
    id (the other side must tell repeats apart), `drop` never does, `hold` keeps it as a dead
    letter until a person decides. `tries` counts calls, the first one included. `open_max` bounds
    the calls that are open at once in one process, `destination_max` those to one server.
    `expires_ms` is how long after it was due (log time) a command that names no expiry is too old;
    None: never. It does not hold for what a person retries.
    """

    unknown: Unknown
    tries: int = 30
    first_ms: int = 5 * SECOND_MS
    longest_ms: int = HOUR_MS
    open_max: int = 50
    destination_max: int = 50
    expires_ms: int | None = None


# 30 tries take about 20 hours: an outage over night costs nothing but time.
POLICIES: dict[str, Policy] = {
    "email": Policy(unknown="drop", expires_ms=3 * DAY_MS),
    "webhook": Policy(unknown="resend", destination_max=10),
}


def retry_delay_ms(policy: Policy, command: str, attempts: int, asked_ms: int = 0) -> int:
    """Real milliseconds until the next call, after `attempts` (1 or more) have failed.

    Doubles from `first_ms` up to `longest_ms`, less a jitter of up to a half that the command's
    id and the attempt fix. `asked_ms` is the other side's `Retry-After`: never called sooner.
    """
    full = min(policy.first_ms << min(attempts - 1, 40), policy.longest_ms)
    delay = round(full * (1 - share(f"retry/{command}/{attempts}") / 2))
    return max(delay, min(asked_ms, LONGEST_RETRY_AFTER_MS))
