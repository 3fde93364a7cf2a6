"""A world for `DeliveryPartition` that fails in every way we know of, from one seed.

Topics are lists. A process crashes at any instant: of what it had under way, any prefix of each
lane became durable, and each open call has or has not had its effect outside. A process may also
live on as a zombie beside its successor. What must hold is checked at the end (`check`).
"""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from collections.abc import Sequence

from schemas import commands, records
from schemas.commands import Command, Suppression
from schemas.errors import Halt
from schemas.ids import command_id, partition_of
from schemas.state import FENCE_KEY
from schemas.topics import DEAD_LETTERS, LEAD_EVENTS
from streams.delivery.blocked import BlockedAddresses
from streams.delivery.calls import Blocked, Call, Delivered, Later, Never, NotCalled, Unsure
from streams.delivery.partition import DeliveryPartition
from streams.delivery.policy import Policy
from streams.delivery.queues import Queues
from streams.ports import Commit, Outgoing, Produce, Reread, StoredRecord

PARTITIONS = 2
POLICIES = {
    "email": Policy(unknown="drop", tries=4, first_ms=1_000, longest_ms=8_000, open_max=3),
    "webhook": Policy(
        unknown="resend", tries=12, first_ms=1_000, longest_ms=8_000, open_max=4, destination_max=2
    ),
}
LAG = 80  # changelog records that compaction leaves alone


def address_key(channel: str, address: str) -> str:
    """Stand in for the HMAC."""
    return f"{channel}:{address}"


class OpenCall:
    """A call under way; `done`: its effect has happened."""

    def __init__(self, process: Process, partition: DeliveryPartition, call: Call) -> None:
        self.process = process
        self.partition = partition
        self.call = call
        self.done = False


class Process:
    """A delivery process: its partition objects and what it has under way."""

    def __init__(self, world: World, kind: type[DeliveryPartition]) -> None:
        self.world = world
        self.queues = Queues(POLICIES)
        self.partitions: list[DeliveryPartition] = []
        self.under_way: dict[tuple[int, str], list[Produce]] = defaultdict(list)
        self.next: list[int] = []
        self.calls: list[OpenCall] = []
        self.alive = True
        for number in range(PARTITIONS):
            partition = kind(
                number, PARTITIONS, self.queues, world.blocked,
                now_ms=world.now, policies=POLICIES,
            )  # fmt: skip
            log = world.changelog[number]
            world.fences += 1
            log.append(Outgoing(FENCE_KEY, b"%d" % world.fences))
            for record in log:
                if record is not None and record.key is not None:
                    partition.recovered(record.key, record.value)
            self.partitions.append(partition)
            self.next.append(
                partition.started(
                    log_start=0,
                    log_end=len(world.commands[number]),
                    topic_id="t",
                    changelog_end=len(log),
                )
            )

    def perform(self, number: int, outputs: Sequence[object]) -> None:
        """Carry outputs out, as the transport does."""
        partition = self.partitions[number]
        for output in outputs:
            match output:
                case Produce():
                    self.under_way[number, output.lane].append(output)
                case Call():
                    self.calls.append(OpenCall(self, partition, output))
                    opened = Counter(one.call.command.channel for one in self.calls)
                    channel = output.command.channel
                    assert opened[channel] <= POLICIES[channel].open_max
                case Reread(first, last):
                    for record in self.world.changelog[number][first:last]:
                        if record is not None and record.key is not None:
                            partition.foreign(record.key, record.value)
                    self.perform(number, partition.reread())
                case Commit():
                    assert output.offset <= len(self.world.commands[number])
                case _:
                    raise AssertionError(output)

    def receive(self, number: int, count: int) -> None:
        """Hand over the next records."""
        if self.partitions[number].full:
            return
        first = self.next[number]
        batch = self.world.commands[number][first : first + count]
        self.next[number] += len(batch)
        if batch:
            self.perform(number, self.partitions[number].received(batch))

    def acknowledge(self, number: int, lane: str) -> None:
        """Make the oldest Produce of a lane durable and tell of it."""
        waiting = self.under_way[number, lane]
        if waiting:
            produce = waiting.pop(0)
            base = self.world.append(produce, len(produce.records))
            self.perform(number, self.partitions[number].acknowledged(produce.ticket, base))

    def tick(self) -> None:
        """Time has gone on."""
        for number, partition in enumerate(self.partitions):
            self.perform(number, partition.tick(self.world.now))

    def poke(self) -> None:
        """Let those begin who were granted a place by another one's call."""
        for number, partition in enumerate(self.partitions):
            if partition.owner in self.queues.owners_granted():
                self.perform(number, partition.begin(self.world.now))

    def answer(self, open_call: OpenCall) -> None:
        """End a call, as chance has it; effects are what the outside world has seen."""
        world = self.world
        command = open_call.call.command
        self.calls.remove(open_call)
        if not open_call.done and self.world.blocked.reason(
            command.channel, command.address, command.transactional
        ):
            result: object = Blocked("unsubscribed")
        else:
            result = world.outcome(open_call)
        number = open_call.partition.number
        outputs = open_call.partition.called(open_call.call.key, result, world.now)  # type: ignore[arg-type]
        self.perform(number, outputs)

    @property
    def idle(self) -> bool:
        return not any(self.under_way.values()) and all(p.idle for p in self.partitions)


class World:
    """All topics, the outside world and at most one zombie; one `random.Random`."""

    def __init__(
        self,
        seed: int,
        kind: type[DeliveryPartition] = DeliveryPartition,
        size: int = 40,
        zombies: bool = True,
    ) -> None:
        self.chance = random.Random(seed)
        self.kind = kind
        self.zombies = zombies
        self.now = 1_800_000_000_000
        self.crashes = 0
        self.fences = 0
        self.halts = 0
        self.commands: list[list[StoredRecord]] = [[] for _ in range(PARTITIONS)]
        self.changelog: list[list[Outgoing | None]] = [[] for _ in range(PARTITIONS)]
        self.events: list[Outgoing] = []
        self.letters: list[Outgoing] = []
        self.effects: Counter[str] = Counter()
        self.wanted: dict[str, Command] = {}
        self.bad = 0
        self.blocked = BlockedAddresses(address_key)
        self.to_write = [self._command(n) for n in range(size)]
        self.process = Process(self, kind)
        self.zombie: Process | None = None

    def _command(self, n: int) -> Command:
        lead = f"lead-{self.chance.randrange(12)}"
        channel = self.chance.choice(["email", "webhook"])
        expires = self.now + self.chance.randrange(90_000) if self.chance.random() < 0.2 else None
        return Command(
            id=command_id("j", "s", n), journey_id="j", campaign="c", version=1, run=1, step="s",
            lead=lead, verb="send_email", channel=channel, due_ms=self.now, issued_ms=self.now,
            expires_ms=expires, address=f"{lead}@example.org" if channel == "email" else None,
            settings={"url": f"https://h{n % 3}.example"} if channel == "webhook" else {},
            priority=self.chance.randrange(10), transactional=self.chance.random() < 0.1,
        )  # fmt: skip

    # What happens

    def run(self, steps: int = 500) -> None:
        """Run through chance, then in order until nothing is open."""
        for _ in range(steps):
            self._step()
        self.zombie = None
        while self.to_write:
            self._write()
        for _ in range(2_000):
            self._orderly()
            if self._finished():
                return
        raise AssertionError("something stays open for ever")

    def _finished(self) -> bool:
        process = self.process
        read = all(process.next[n] == len(self.commands[n]) for n in range(PARTITIONS))
        return (
            read and not process.calls and process.idle
            and all(not p.backlog().queued for p in process.partitions)
        )  # fmt: skip

    def _orderly(self) -> None:
        self.now += 1_000
        process = self.process
        for number in range(PARTITIONS):
            process.receive(number, 10)
        process.tick()
        for open_call in list(process.calls):
            process.answer(open_call)
        for number, lane in list(process.under_way):
            process.acknowledge(number, lane)
        process.poke()

    def _step(self) -> None:
        dice = self.chance.random()
        process = self.process
        if self.zombie and self.chance.random() < 0.3:
            process = self.zombie
        if dice < 0.12:
            self._write()
        elif dice < 0.24:
            process.receive(self.chance.randrange(PARTITIONS), self.chance.randrange(1, 6))
        elif dice < 0.34:
            self.now += self.chance.choice([10, 300, 2_000])
            self._guarded(process, process.tick)
        elif dice < 0.55 and process.calls:
            open_call = self.chance.choice(process.calls)
            if self.chance.random() < 0.5:
                self.take_effect(open_call)
            else:
                self._guarded(process, lambda: process.answer(open_call))
        elif dice < 0.57:
            self._block()
        elif dice < 0.575 and not self.zombie:
            self._drain()
        elif dice < 0.60:
            self._end()
        elif dice < 0.62:
            self._compact()
        else:
            number, lane = (
                self.chance.randrange(PARTITIONS),
                self.chance.choice(["states", "commands"]),
            )
            self._guarded(process, lambda: process.acknowledge(number, lane))
            process.poke()

    def _guarded(self, process: Process, act: object) -> None:
        """A zombie may end itself."""
        try:
            act()  # type: ignore[operator]
        except Halt:
            assert process is self.zombie, "the owner must not halt"
            self.zombie = None
            self.halts += 1

    def _write(self) -> None:
        """A worker says a command; often again, as after a crash of its own."""
        if self.chance.random() < 0.04:
            self.bad += 1
            number = self.chance.randrange(PARTITIONS)
            self._append_command(number, b"lead", b"{", [("schema", b"command/1")])
        if self.wanted and self.chance.random() < 0.4:
            command = self.chance.choice(list(self.wanted.values()))
        elif self.to_write:
            command = self.to_write.pop()
            self.wanted[command.id] = command
        else:
            return
        number = partition_of(command.lead, PARTITIONS)
        headers = [("schema", b"command/1"), ("id", command.id.encode())]
        self._append_command(number, command.lead.encode(), commands.ENCODE(command), headers)

    def _append_command(
        self, number: int, key: bytes, value: bytes, headers: list[tuple[str, bytes]]
    ) -> None:
        log = self.commands[number]
        log.append(StoredRecord(len(log), self.now, key, value, headers))

    def _block(self) -> None:
        address = f"lead-{self.chance.randrange(12)}@example.org"
        value = commands.ENCODE(Suppression("email", "unsubscribed", self.now))
        self.blocked.heard(address_key("email", address).encode(), value)

    def _compact(self) -> None:
        for log in self.changelog:
            newest = {record.key: at for at, record in enumerate(log) if record is not None}
            for at in range(max(0, len(log) - LAG)):
                record = log[at]
                if record is not None and newest[record.key] != at:
                    log[at] = None

    def _drain(self) -> None:
        """A planned stop: nothing begins, open calls end, all is written."""
        process = self.process
        for partition in process.partitions:
            partition.drain()
        for open_call in list(process.calls):
            if not open_call.done and self.chance.random() < 0.3:
                process.calls.remove(open_call)
                number = open_call.partition.number
                outputs = open_call.partition.called(open_call.call.key, NotCalled(), self.now)
                process.perform(number, outputs)
            else:
                process.answer(open_call)
        for _ in range(200):
            for number, lane in list(process.under_way):
                process.acknowledge(number, lane)
            if process.idle:
                break
            for number, partition in enumerate(process.partitions):
                process.perform(number, partition.flush())
        assert process.idle
        assert not process.calls
        self.process = Process(self, self.kind)

    def _end(self) -> None:
        """The process dies, or goes on without knowing that it was replaced."""
        self.crashes += 1
        old = self.process
        if self.zombies and self.zombie is None and self.chance.random() < 0.4:
            self.zombie = old
        else:
            for waiting in old.under_way.values():
                for produce in waiting:
                    count = self.chance.randrange(len(produce.records) + 1)
                    self.append(produce, count)
                    if count < len(produce.records):
                        break
            for open_call in old.calls:
                if self.chance.random() < 0.5:
                    self.take_effect(open_call)
        self.process = Process(self, self.kind)

    # What becomes durable, and what the world sees

    def append(self, produce: Produce, count: int) -> int:
        """Make the first `count` records durable; gives the base offset."""
        records_ = produce.records[:count]
        if produce.topic == LEAD_EVENTS:
            self.events += records_
            return -1
        if produce.topic == DEAD_LETTERS:
            self.letters += records_
            return -1
        log = self.changelog[produce.partition]
        log += records_
        return len(log) - len(records_)

    def take_effect(self, open_call: OpenCall) -> None:
        """The outside world gets it, unless the address is blocked at that instant."""
        command = open_call.call.command
        blocked = self.blocked.reason(command.channel, command.address, command.transactional)
        if not open_call.done and not blocked:
            open_call.done = True
            self.effects[command.id] += 1

    def outcome(self, open_call: OpenCall) -> object:
        """How the other side answers; a refusal or a 4xx means that it had no effect."""
        dice = self.chance.random()
        if open_call.done:
            if open_call.call.command.channel == "webhook" and dice < 0.2:
                return Later("timeout: after the other side had it")
            return Unsure("connection: lost after DATA") if dice < 0.15 else Delivered()
        if dice < 0.55:
            self.take_effect(open_call)
            return Delivered()
        if dice < 0.85:
            return Later("status: 450", after_ms=self.chance.choice([0, 0, 3_000]))
        if dice < 0.9:
            return Unsure("connection: lost before it had it")
        return Never("status: 550", bounced=self.chance.random() < 0.5)

    # What must hold

    def check(self) -> None:
        """At most one effect of a mail, one outcome a command, and outcomes that are true."""
        told: dict[str, set[tuple[str, str]]] = defaultdict(set)
        for event in self.events:
            outcome = records.DECODERS["outcome/1"].decode(event.value or b"")
            assert isinstance(outcome, records.Outcome)
            told[outcome.command_id].add((dict(event.headers)["id"].decode(), outcome.result))
        for command in self.wanted.values():
            effects = self.effects[command.id]
            outcomes = told[command.id]
            assert len(outcomes) == 1, f"{command.id}: outcomes {outcomes}"
            result = next(iter(outcomes))[1]
            if command.channel == "email":
                assert effects <= 1, f"{command.id} was mailed {effects} times"
                assert result in ("delivered", "unknown") or effects == 0, (command.id, result)
            assert result != "delivered" or effects >= 1, f"{command.id} was not {result}"
        letters = {
            (headers["dripline-partition"], headers["dripline-offset"])
            for headers in (dict(letter.headers) for letter in self.letters)
            if headers["dripline-reason"] == b"bad_command"
        }
        assert len(letters) == self.bad
