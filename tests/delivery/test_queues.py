"""Turns: order, bounds per channel and server, pauses of ill servers, leaving."""

from __future__ import annotations

from streams.delivery.policy import Policy
from streams.delivery.queues import FAILURES_BEFORE_PAUSE, Queues, Turn

POLICIES = {
    "email": Policy(unknown="drop", open_max=3, destination_max=3),
    "webhook": Policy(unknown="resend", open_max=4, destination_max=2),
}


def turn(owner: int, n: int, channel: str = "webhook", destination: str = "a") -> Turn:
    return Turn((-5, n, str(n)), owner, str(n).encode(), channel, destination)


def granted(queues: Queues, owner: int, now_ms: int = 0) -> list[int]:
    queues.grant(now_ms)
    return [int(turn.key) for turn in queues.granted(owner)]


def test_one_slow_server_does_not_take_all_places() -> None:
    queues = Queues(POLICIES)
    owner = queues.join()
    for n in range(6):
        queues.put(turn(owner, n))
    queues.put(turn(owner, 100, destination="b"))
    queues.put(turn(owner, 200, channel="email", destination=""))

    assert granted(queues, owner) == [200, 0, 1, 100]
    assert granted(queues, owner) == []


def test_turns_go_by_order_over_all_partitions() -> None:
    queues = Queues(POLICIES)
    first, second = queues.join(), queues.join()
    for n in (5, 3, 1):
        queues.put(turn(first, n, "email", ""))
    for n in (4, 2):
        queues.put(turn(second, n, "email", ""))

    queues.grant(0)

    assert [int(turn.key) for turn in queues.granted(first)] == [1, 3]
    assert [int(turn.key) for turn in queues.granted(second)] == [2]
    queues.free("email", "")
    queues.grant(0)
    assert queues.owners_granted() == [second]


def test_an_ill_server_is_left_alone_and_probed() -> None:
    queues = Queues(POLICIES)
    owner = queues.join()
    for n in range(100):
        queues.put(turn(owner, n, "email", ""))

    for _ in range(FAILURES_BEFORE_PAUSE):
        (*_, last) = granted(queues, owner)
        for _ in range(queues.open("email")):
            queues.free("email", "")
        queues.went("email", "", False, 0)
    assert last < 30
    assert granted(queues, owner, 100) == []
    assert len(granted(queues, owner, 300)) == 1  # one probe, not three
    queues.went("email", "", True, 300)
    queues.free("email", "")

    assert len(granted(queues, owner, 300)) == 3


def test_who_leaves_holds_no_places() -> None:
    queues = Queues(POLICIES)
    gone, staying = queues.join(), queues.join()
    for n in range(5):
        queues.put(turn(gone, n, "email", ""))
    queues.put(turn(staying, 9, "email", ""))
    queues.grant(0)

    queues.leave(gone)

    assert granted(queues, staying) == [9]
    assert queues.open("email") == 1
