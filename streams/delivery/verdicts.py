"""What becomes of a send: decided from its answer, its age and who is blocked. Pure."""

from __future__ import annotations

from msgspec import Struct

from streams.delivery.blocked import BlockedAddresses
from streams.delivery.calls import Answer, Blocked, Delivered, Later, Never, NotCalled, Unsure
from streams.delivery.policy import Policy, retry_delay_ms
from streams.delivery.sends import EXHAUSTED, HELD, REJECTED, OpenSend

EXPIRED = "expired"
TOO_OLD = "too_old"


class Verdict(Struct, frozen=True):
    """The result, or "" for another try at `not_before_ms`.

    `dead` is the reason of a dead letter. `not_called` tells that the outside world never heard
    of it; `unknown` that nobody knows whether it did.
    """

    result: str
    detail: str = ""
    dead: str = ""
    not_before_ms: int = 0
    not_called: bool = False
    unknown: bool = False


def before_start(entry: OpenSend, blocked: BlockedAddresses, now_ms: int) -> Verdict | None:
    """Why this send is not called at all, or None."""
    if entry.expires_ms is not None and now_ms > entry.expires_ms:
        return Verdict("failed", EXPIRED, not_called=True)
    reason = blocked.reason(entry.channel, entry.address, entry.transactional)
    return None if reason is None else Verdict("failed", reason, not_called=True)


def of_answer(
    entry: OpenSend, answer: Answer, policy: Policy, now_ms: int, speed: float
) -> Verdict:
    """What an answer means. `speed` turns real time into the log's."""
    match answer:
        case Delivered(detail):
            return Verdict("delivered", detail)
        case Blocked(reason):
            return Verdict("failed", reason, not_called=True)
        case NotCalled():
            return Verdict("", not_before_ms=now_ms)
        case Never(reason, bounced):
            if bounced:
                return Verdict("bounced", reason)
            return Verdict("failed", reason, REJECTED)
        case Later(reason, after_ms):
            return _again(entry, reason, policy, now_ms, speed, after_ms)
        case Unsure(detail):
            return of_unknown(entry, detail, policy, now_ms, speed)


def of_unknown(entry: OpenSend, detail: str, policy: Policy, now_ms: int, speed: float) -> Verdict:
    """Started, and nobody knows how it ended: the channel's policy says what now."""
    if policy.unknown == "resend":
        again = _again(entry, detail, policy, now_ms, speed, 0)
        return Verdict(again.result, detail, again.dead, again.not_before_ms, unknown=True)
    dead = HELD if policy.unknown == "hold" else ""
    return Verdict("unknown", detail, dead, unknown=True)


def _again(
    entry: OpenSend, reason: str, policy: Policy, now_ms: int, speed: float, after_ms: int
) -> Verdict:
    attempts = entry.send.attempts
    if attempts >= policy.tries:
        return Verdict("failed", reason, EXHAUSTED)
    delay = retry_delay_ms(policy, entry.id, max(attempts, 1), after_ms)
    return Verdict("", reason, not_before_ms=now_ms + int(delay * speed))
