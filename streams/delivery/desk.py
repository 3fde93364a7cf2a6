"""The desk of one partition: starts sends, hears their answers, tells the outcomes.

Each decision changes a send in the book; what a decision entitles to (a call, an outcome, a free
place in the queue) follows only when the book says that it is written.
"""

from __future__ import annotations

from collections.abc import Mapping
from heapq import heappop, heappush

from schemas import commands
from schemas.topics import DEAD_LETTERS, LEAD_EVENTS
from streams.delivery import tellings, verdicts
from streams.delivery.blocked import BlockedAddresses
from streams.delivery.book import Book, Group
from streams.delivery.calls import Answer, Blocked, Call, Later, NotCalled, Unsure
from streams.delivery.counts import DeliveryCounts, count
from streams.delivery.policy import Policy
from streams.delivery.queues import Queues, Turn
from streams.delivery.sends import (
    DETAIL_CHARS,
    FINISHED,
    NO_SINK,
    STARTED,
    TAKEN,
    OpenSend,
)
from streams.delivery.verdicts import Verdict
from streams.ports import Outgoing, Produce

PLACE_HELD_MS = 50  # a try that comes due before the last one's end is durable looks again then


class Desk:
    """`now_ms` is the log's time, moved by the partition; `speed` turns real time into it."""

    def __init__(
        self,
        number: int,
        book: Book,
        queues: Queues,
        blocked: BlockedAddresses,
        policies: Mapping[str, Policy],
        counts: DeliveryCounts,
        *,
        speed: float,
    ) -> None:
        self.number = number
        self.now_ms = 0
        self.calls = 0
        self.draining = False
        self.owner = queues.join()
        self._book = book
        self._queues = queues
        self._blocked = blocked
        self._policies = policies
        self._counts = counts
        self._speed = speed
        self._ticket = 0
        self._alarms: list[tuple[int, int, OpenSend]] = []
        self._alarms_set = 0
        self._to_tell: list[OpenSend] = []
        self._telling: dict[int, list[OpenSend]] = {}

    @property
    def silent(self) -> bool:
        """No call is open and no outcome is on its way."""
        return not (self.calls or self._to_tell or self._telling)

    def next_ticket(self) -> int:
        """A number for a `Produce`."""
        self._ticket += 1
        return self._ticket

    # Coming in

    def enter(self, entry: OpenSend, horizon_ms: int) -> None:
        """A send that was taken in now; one older than the horizon may have been sent before."""
        policy = self._policies.get(entry.channel)
        if policy is None:
            self.decide(entry, Verdict("failed", f"no sink for {entry.channel}", NO_SINK))
        elif (
            policy.unknown != "resend"
            and not entry.send.letter
            and entry.issued_ms < self.now_ms - horizon_ms
        ):
            self.decide(entry, Verdict("failed", verdicts.TOO_OLD, not_called=True))
        else:
            self._wait(entry)
            self._expire(entry, policy)

    def resume(self, entry: OpenSend) -> None:
        """A send that a former owner left open."""
        policy = self._policies.get(entry.channel)
        if entry.send.status == FINISHED:
            self._to_tell.append(entry)
        elif policy is None:
            self.decide(entry, Verdict("failed", f"no sink for {entry.channel}", NO_SINK))
        else:
            if entry.send.status == STARTED:
                count(self._counts.unknown, entry.channel)
                detail = "delivery ended during the call"
                self.decide(
                    entry, verdicts.of_unknown(entry, detail, policy, self.now_ms, self._speed)
                )
            else:
                self._wait(entry)
            self._expire(entry, policy)

    def _wait(self, entry: OpenSend) -> None:
        if entry.send.not_before_ms > self.now_ms:
            self._set_alarm(entry.send.not_before_ms, entry)
        else:
            self._line_up(entry)

    def _expire(self, entry: OpenSend, policy: Policy) -> None:
        if entry.expires_ms is None and policy.expires_ms is not None and not entry.send.letter:
            entry.expires_ms = entry.due_ms + policy.expires_ms
        if entry.expires_ms is not None:
            self._set_alarm(entry.expires_ms + 1, entry)

    def _set_alarm(self, at_ms: int, entry: OpenSend) -> None:
        self._alarms_set += 1
        heappush(self._alarms, (at_ms, self._alarms_set, entry))

    def ring(self) -> None:
        """Look at the sends whose time has come: to be tried again, or expired."""
        while self._alarms and self._alarms[0][0] <= self.now_ms:
            entry = heappop(self._alarms)[2]
            if self._book.open.get(entry.key) is not entry or entry.send.status != TAKEN:
                continue
            if entry.expires_ms is not None and self.now_ms > entry.expires_ms:
                verdict = verdicts.before_start(entry, self._blocked, self.now_ms)
                assert verdict is not None
                self.decide(entry, verdict)
            elif entry.place:
                self._set_alarm(self.now_ms + PLACE_HELD_MS, entry)
            elif not entry.queued and entry.send.not_before_ms <= self.now_ms:
                self._line_up(entry)

    def _line_up(self, entry: OpenSend) -> None:
        entry.queued = True
        self._queues.put(Turn(entry.order, self.owner, entry.key, entry.channel, entry.destination))

    # Calling

    def begin(self) -> None:
        """Start what has a place, as far as it is still to be called."""
        if self.draining:
            return
        self._queues.grant(self.now_ms)
        for turn in self._queues.granted(self.owner):
            entry = self._book.open.get(turn.key)
            if entry is None or not entry.queued or entry.send.status != TAKEN:
                self._queues.free(turn.channel, turn.destination)
                continue
            entry.queued = False
            entry.place = True
            verdict = verdicts.before_start(entry, self._blocked, self.now_ms)
            if verdict is not None:
                self.decide(entry, verdict)
            else:
                entry.send.status = STARTED
                entry.send.attempts += 1
                self._book.change(entry, self.now_ms)

    def answered(self, key: bytes, answer: Answer) -> None:
        """How a call ended; an answer to a call that is not open is not heard."""
        entry = self._book.open.get(key)
        if entry is None or not entry.called:
            return
        entry.called = False
        self.calls -= 1
        if isinstance(answer, NotCalled):
            entry.send.attempts -= 1
        elif not isinstance(answer, Blocked):
            well = not isinstance(answer, Later | Unsure)
            self._queues.went(entry.channel, entry.destination, well, self.now_ms)
        policy = self._policies[entry.channel]
        verdict = verdicts.of_answer(entry, answer, policy, self.now_ms, self._speed)
        if isinstance(answer, Unsure):
            count(self._counts.unknown, entry.channel)
        self.decide(entry, verdict)

    def decide(self, entry: OpenSend, verdict: Verdict) -> None:
        """Give a send its result, or another try."""
        send = entry.send
        send.detail = verdict.detail[:DETAIL_CHARS]
        if verdict.result:
            send.status = FINISHED
            send.result = verdict.result
            send.dead = verdict.dead
            if verdict.not_called:
                count(self._counts.not_called, (entry.channel, verdict.detail))
        else:
            send.status = TAKEN
            send.not_before_ms = verdict.not_before_ms
            self._set_alarm(verdict.not_before_ms, entry)
            if verdict.detail:
                reason = verdict.detail.partition(":")[0]
                count(self._counts.retries, (entry.channel, reason))
        self._book.change(entry, self.now_ms)

    # What is written

    def written(self, group: Group, outputs: list[object]) -> None:
        """A group is durable: what its sends have waited for may happen."""
        for entry, step in group.sends:
            if entry.step != step or self._book.open.get(entry.key) is not entry:
                continue  # changed meanwhile: the next group's matter
            if entry.send.status == STARTED:
                self._call(entry, outputs)
                continue
            self.free(entry)
            if entry.send.status == FINISHED:
                self._to_tell.append(entry)

    def _call(self, entry: OpenSend, outputs: list[object]) -> None:
        if self.draining:
            entry.send.attempts -= 1
            self.decide(entry, Verdict("", not_before_ms=self.now_ms))
        elif not entry.called:
            entry.called = True
            self.calls += 1
            self._counts.started += 1
            command = commands.DECODE(entry.send.value)
            outputs.append(Call(entry.key, command, entry.send.attempts))

    def free(self, entry: OpenSend) -> None:
        """Hand its place back, if it holds one."""
        if entry.place:
            entry.place = False
            self._queues.free(entry.channel, entry.destination)

    def tell(self, outputs: list[object]) -> None:
        """The outcomes of what is finished, and the dead letters that go with them."""
        if not self._to_tell:
            return
        entries, self._to_tell = self._to_tell, []
        told = [tellings.outcome(entry) for entry in entries]
        self._produce(LEAD_EVENTS, self.number, told, entries, outputs)
        dead = [entry for entry in entries if entry.send.dead]
        if dead:
            letters = [tellings.dead_letter(entry, self.number) for entry in dead]
            self._produce(DEAD_LETTERS, 0, letters, dead, outputs)

    def _produce(
        self,
        topic: str,
        partition: int,
        records: list[Outgoing],
        entries: list[OpenSend],
        outputs: list[object],
    ) -> None:
        ticket = self.next_ticket()
        self._telling[ticket] = entries
        for entry in entries:
            entry.untold += 1
        outputs.append(Produce(ticket, "commands", topic, partition, records))

    def told(self, ticket: int) -> list[OpenSend] | None:
        """Outcomes or letters are durable: the sends that have nothing more to tell.

        None when the ticket is not one of ours.
        """
        entries = self._telling.pop(ticket, None)
        if entries is None:
            return None
        ended: list[OpenSend] = []
        for entry in entries:
            entry.untold -= 1
            if entry.untold == 0:
                self._count(entry)
                self._book.told(entry, self.now_ms)
                ended.append(entry)
        return ended

    def _count(self, entry: OpenSend) -> None:
        count(self._counts.outcomes, (entry.channel, entry.send.result))
        if entry.send.dead:
            count(self._counts.dead_letters, entry.send.dead)
