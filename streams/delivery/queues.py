"""Whose turn it is: one queue per channel and destination, shared by all partitions of a process.

A place in line is (priority, due, id). What is open at once is bounded per channel and, where the
destination is known, per server, so that a slow one holds up nothing else. A server that fails
again and again is left alone for a while, instead of every command trying it on its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from heapq import heappop, heappush

from msgspec import Struct

from streams.delivery.policy import Policy

FAILURES_BEFORE_PAUSE = 10
PAUSE_FIRST_MS = 250
PAUSE_LONGEST_MS = 30_000

Order = tuple[int, int, str]  # (-priority, due ms, command id): the smallest goes first


class Turn(Struct, frozen=True, order=True):
    """One waiting send. `owner` is a number that `Queues.join` gave."""

    order: Order
    owner: int
    key: bytes
    channel: str
    destination: str = ""


class Destination(Struct):
    """One server of a channel ("" where the channel has only one, or nobody knows)."""

    waiting: list[Turn] = []
    open: int = 0
    failures: int = 0
    paused_until_ms: int = 0


class Channel(Struct):
    """All destinations of a channel."""

    policy: Policy
    destinations: dict[str, Destination] = {}
    open: int = 0


class Queues:
    """Queues of all channels named in `policies`; times are the log's, `speed` is its clock's."""

    def __init__(self, policies: Mapping[str, Policy], speed: float = 1.0) -> None:
        self._channels = {name: Channel(policy) for name, policy in policies.items()}
        self._speed = speed
        self._owners = 0
        self._granted: dict[int, list[Turn]] = {}

    def join(self) -> int:
        """A new owner's number."""
        self._owners += 1
        self._granted[self._owners] = []
        return self._owners

    def leave(self, owner: int) -> None:
        """The owner is gone: its turns are void. The places it holds, it must free itself."""
        for turn in self._granted.pop(owner, []):
            self.free(turn.channel, turn.destination)

    def put(self, turn: Turn) -> None:
        """Get in line."""
        known = self._channels[turn.channel].destinations
        place = known.get(turn.destination)
        if place is None:
            place = known[turn.destination] = Destination()
        heappush(place.waiting, turn)

    def grant(self, now_ms: int) -> None:
        """Give out free places, the best turns first; each owner fetches its own by `granted`."""
        for channel in self._channels.values():
            while channel.open < channel.policy.open_max:
                best = self._best(channel, now_ms)
                if best is None:
                    break
                turn = heappop(best.waiting)
                best.open += 1
                channel.open += 1
                self._granted[turn.owner].append(turn)

    def granted(self, owner: int) -> list[Turn]:
        """What this owner may start now; each place is its own until `free`."""
        turns = self._granted.get(owner, [])
        if turns:
            self._granted[owner] = []
        return turns

    def owners_granted(self) -> list[int]:
        """Owners that have something to fetch."""
        return [owner for owner, turns in self._granted.items() if turns]

    def free(self, channel: str, destination: str) -> None:
        """A place that was granted is free again."""
        self._channels[channel].open -= 1
        self._channels[channel].destinations[destination].open -= 1

    def went(self, channel: str, destination: str, well: bool, now_ms: int) -> None:
        """How a call went: well is any final answer, a refusal too; else the server may be ill."""
        place = self._channels[channel].destinations[destination]
        if well:
            place.failures = place.paused_until_ms = 0
            return
        place.failures += 1
        over = place.failures - FAILURES_BEFORE_PAUSE
        if over >= 0:
            pause = min(PAUSE_FIRST_MS << min(over, 20), PAUSE_LONGEST_MS)
            place.paused_until_ms = now_ms + int(pause * self._speed)

    def open(self, channel: str) -> int:
        """How many places of the channel are taken."""
        return self._channels[channel].open

    def _best(self, channel: Channel, now_ms: int) -> Destination | None:
        best: Destination | None = None
        idle: list[str] = []
        for name, place in channel.destinations.items():
            while place.waiting and place.waiting[0].owner not in self._granted:
                heappop(place.waiting)
            if not place.waiting:
                if not (place.open or place.failures):
                    idle.append(name)
            elif self._may(channel, place, now_ms) and (
                best is None or place.waiting[0] < best.waiting[0]
            ):
                best = place
        for name in idle:
            del channel.destinations[name]
        return best

    def _may(self, channel: Channel, place: Destination, now_ms: int) -> bool:
        if now_ms < place.paused_until_ms:
            return False
        ill = place.failures >= FAILURES_BEFORE_PAUSE
        return place.open < (1 if ill else channel.policy.destination_max)
