"""The crash simulator: the real partition objects under crashes, zombies and delays from a seed.

    python -m streams.simulation.crashes --seed 17        one seed, in detail
    python -m streams.simulation.crashes --seeds 1000     many, the failing ones are printed

Everything that may happen in any order does so, drawn from the seed: records come, arrive at a
worker in portions, commands and states travel in separate queues and are acknowledged late,
changes are known late and their markers later, clocks are off, processes die with a part of what
they sent on its way, and some go on for a while without knowing that they own nothing any more.
`streams.simulation.invariants` says what must hold in the end.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from random import Random

from schemas import topics
from schemas.changes import Change
from schemas.errors import Halt
from schemas.records import Interaction, Record
from schemas.state import Lead, Prefix
from streams.engine.changes import History
from streams.engine.handle import Handled, concerns, handle
from streams.engine.registry import Registries, Registry
from streams.partition.bounds import Bounds
from streams.partition.handling import Engine
from streams.partition.markers import change_marker
from streams.partition.partition import LeadPartition
from streams.simulation.crash_broker import Broker
from streams.simulation.crash_process import Process, Tail, lost_ownership
from streams.simulation.crash_traffic import EXPLOSIVE, LEADS, Traffic, base_changes, later_change
from streams.simulation.invariants import violations

PARTITIONS = 4
RECORDS = 200
CHANGES = 3
CRASHES = 7
START_MS = 1_767_225_600_000  # 2026-01-01
COMPACTION_LAG_MS = 3_600_000
SECRET = b"crashes"


def exploding() -> Engine:
    """The engine, but that it raises on one event, with the lead already changed."""

    def engine(
        lead: Lead | None,
        record: Record,
        registry: Registry,
        before_effect: Callable[[Lead | None], None],
        keep_refusals: bool,
        history: History,
    ) -> Handled:
        handled = handle(lead, record, registry, before_effect, keep_refusals, history)
        body = record.body
        if isinstance(body, Interaction) and body.event == EXPLOSIVE:
            if lead is not None:
                if not handled.effect:
                    before_effect(lead)
                lead.points += 1_000
                lead.journeys.clear()
            raise ZeroDivisionError("boom")
        return handled

    return engine


def interested(prefix: Prefix | None, record: Record, registry: Registry) -> bool:
    """`concerns` for `exploding` engines."""
    body = record.body
    explodes = isinstance(body, Interaction) and body.event == EXPLOSIVE
    return explodes or concerns(prefix, record, registry)


class Run:
    """One seed. `partition` and `engine` are seams for faulty protocols and engines."""

    partition: type[LeadPartition] = LeadPartition
    secret = SECRET

    def __init__(self, seed: int) -> None:
        self.rng = rng = Random(seed)
        self.broker = Broker(START_MS)
        self.changes = Registries()
        self.violations: list[str] = []
        self.bounds = Bounds(
            flush_ms=rng.choice([1_000, 20_000]),
            changed_leads=rng.choice([3, 5_000]),
            wakes_open=rng.choice([3, 99]),
        )
        self.traffic = Traffic(rng, PARTITIONS, rng.choice([4, 8, len(LEADS)]))
        self._owners: dict[int, Process] = {}
        self._zombies: list[Process] = []
        self._unmarked: list[tuple[int, int]] = []  # change, partition
        self._generation = 0
        self._portion = rng.choice([2, 6])
        pace = (0.3, 1, 1, 3)  # fast and slow acknowledgements, bursts, long pauses
        self._weights = [weight * rng.choice(pace) for weight in _WEIGHTS]
        self._records = RECORDS + rng.randrange(20)  # still to come
        kinds = ["change"] * CHANGES + ["crash"] * CRASHES
        self._plan = sorted((rng.randrange(self._records), kind) for kind in kinds)

    def engine(self) -> Engine:
        """A new engine for one partition object, or for the fold that it is compared with."""
        return exploding()

    def open(self, number: int, tail: Registries) -> LeadPartition:
        """A new partition object."""
        return self.partition(
            number, PARTITIONS, tail, secret=SECRET, bounds=self.bounds,
            handle=self.engine(), concerns=interested,
        )  # fmt: skip

    def run(self) -> list[str]:
        """Everything that does not hold; empty is good."""
        for change in base_changes(self.rng):
            self._publish(change)
        for number in self._unmarked:
            self._mark(*number)
        self._unmarked = []
        self._take_over(range(PARTITIONS))
        while self._records or self._plan:
            self._step()
        self._come_to_rest()
        return self.violations or violations(self)

    # steps

    def _step(self) -> None:
        rng = self.rng
        if self._plan and self._plan[-1][0] >= self._records:
            kind = self._plan.pop()[1]
        else:
            kind = rng.choices(_STEPS, self._weights)[0]
        if kind == "record":
            self._record(rng.randrange(1, 4))
        elif kind == "change":
            self._publish(later_change(rng))
        elif kind == "crash":
            self._crash()
        elif kind == "mark" and self._unmarked:
            self._mark(*self._unmarked.pop(0))
        elif kind == "give up marking" and rng.random() < 0.2:
            self._unmarked = []
        elif kind == "time":
            self._pass(rng.choice([10, 200, 1_500, 20_000]))
        elif kind == "long time":
            self._wait(rng.choice([1, 4, 20]))
        elif kind == "move":
            self._move()
        elif kind == "compact":
            self._compact()
        else:
            self._work(kind)
        self._age()

    def _record(self, most: int) -> None:
        for _ in range(min(most, self._records)):
            self._records -= 1
            issued = self.broker.log(topics.COMMANDS, self.rng.randrange(PARTITIONS)).records
            self.broker.append(topics.LEAD_EVENTS, *self.traffic.next(issued))

    def _work(self, kind: str) -> None:
        """Something happens in one process, perhaps in one that should be no more."""
        rng = self.rng
        process = rng.choice([*self._in_order(), *self._zombies])
        self._something(process, kind)

    def _something(self, process: Process, kind: str) -> None:
        rng = self.rng
        if not process.partitions:
            return
        partition = rng.choice(list(process.partitions.values()))
        try:
            if kind == "deliver":
                process.deliver(partition, rng.randrange(1, 12))
            elif kind == "tick":
                process.tick(partition, rng.random() < 0.9)
            elif kind == "transmit":
                process.transmit(rng, self._portion)
            elif kind == "acknowledge":
                process.acknowledge(rng)
            elif kind == "commit":
                process.commit()
            elif kind == "learn":
                process.learn(min(process.tail.read + rng.randrange(1, 3), self.changes.newest))
        except Halt as halt:
            self._halted(process, halt)

    def _halted(self, process: Process, halt: Halt) -> None:
        if process not in self._zombies or not lost_ownership(halt):
            self.violations.append(f"halt: {halt}")
        if process in self._zombies:
            process.die(self.rng)
            self._zombies.remove(process)

    def _publish(self, change: Change) -> None:
        number = self.changes.newest + self.rng.choice([1, 1, 2])
        self.changes.append(number, change)
        self._unmarked += [(number, partition) for partition in range(PARTITIONS)]

    def _mark(self, number: int, partition: int) -> None:
        self.broker.append(topics.LEAD_EVENTS, partition, change_marker(number, partition))

    def _crash(self) -> None:
        """A process dies, or is thought to be dead; somebody else becomes the owner."""
        rng = self.rng
        process = rng.choice(self._in_order())
        numbers = list(process.partitions)
        self._hurry(process, rng.choice([0, 10, 60]))  # much is on its way when it happens
        if rng.random() < 0.6:
            process.die(rng)
            self._take_over(numbers)
            return
        process.zombie_steps = rng.randrange(400)
        self._zombies.append(process)
        self._take_over(numbers)
        if rng.random() < 0.5 and numbers:  # its states come late, and the new owner dies too
            owner = self._owners[rng.choice(numbers)]
            self._hurry(owner, 60)
            for _ in range(20):
                self._something(process, "transmit")
            numbers = list(owner.partitions)
            owner.die(rng)
            self._take_over(numbers)

    def _hurry(self, process: Process, steps: int) -> None:
        rng = self.rng
        for _ in range(steps):
            if rng.random() < 0.2:
                self._record(1)
            self._pass(rng.choice([0, 0, 0, 21_000]))
            self._something(process, rng.choice(_HURRY))

    def _age(self) -> None:
        for process in list(self._zombies):
            assert process.zombie_steps is not None
            process.zombie_steps -= 1
            if process.zombie_steps < 0:
                process.die(self.rng)
                self._zombies.remove(process)

    def _take_over(self, numbers: range | list[int]) -> None:
        """One new process, or two that share."""
        rng = self.rng
        shares = [list(numbers)]
        if len(shares[0]) > 1 and rng.random() < 0.5:
            shares = [shares[0][::2], shares[0][1::2]]
        for share in shares:
            self._generation += 1
            known = rng.choice([-1, self.changes.newest])
            skew = rng.choice([0, 0, -4_000, 3_000, 600_000])
            process = Process(
                self._generation, self.broker, Tail(self.changes, known), skew, self.violations
            )
            for number in share:
                process.recover(self.open(number, process.tail))
                self._owners[number] = process

    def _move(self) -> None:
        """A planned stop: drain, then somebody else."""
        process = self.rng.choice(self._in_order())
        process.drain()
        for _ in range(10_000):
            if process.quiet:
                break
            if not process.transmit(self.rng, 50) and not process.acknowledge(self.rng):
                break
        else:
            self.violations.append("a drain did not end")
        process.commit()
        numbers = list(process.partitions)
        process.die(self.rng)
        self._take_over(numbers)

    def _compact(self) -> None:
        number = self.rng.randrange(PARTITIONS)
        log = self.broker.log(topics.LEADS_CHANGELOG, number)
        log.compact(self.broker.now_ms - COMPACTION_LAG_MS)

    def _pass(self, ms: int) -> None:
        self.broker.now_ms += ms

    def _wait(self, portions: int) -> None:
        """Hours pass, and the owners do their work meanwhile."""
        for _ in range(portions):
            self._pass(self.rng.choice([60_000, 1_200_000]))
            for process in self._in_order():
                self._round(process)
            if self._records:
                self._age()

    def _round(self, process: Process) -> bool:
        """All there is to do in one process, once; False when there was nothing."""
        busy = False
        process.learn(self.changes.newest)
        for partition in process.partitions.values():
            while process.deliver(partition, 50):
                busy = True
            process.tick(partition, wake=True)
        while process.transmit(self.rng, 50) or process.acknowledge(self.rng):
            busy = True
        process.commit()
        return busy or not process.quiet

    def _come_to_rest(self) -> None:
        """No more crashes: until everything is handled and durable."""
        for zombie in self._zombies:
            zombie.die(self.rng)
        self._zombies = []
        still = 0
        for _ in range(2_000):
            self._pass(1_001)
            busy = [self._round(process) for process in self._in_order()]
            still = 0 if any(busy) else still + 1
            if still > 20:  # longer than a change marker may be missing, and a marker old
                return
        self.violations.append("the partitions did not come to rest")

    def _in_order(self) -> list[Process]:
        return sorted(set(self._owners.values()), key=lambda process: process.generation)

    @property
    def owned(self) -> dict[int, LeadPartition]:
        """The partition objects of the owners."""
        return {number: process.partitions[number] for number, process in self._owners.items()}


_STEPS = (
    "record", "deliver", "transmit", "acknowledge", "tick", "learn", "time", "mark",
    "move", "compact", "long time", "give up marking", "commit",
)  # fmt: skip
_WEIGHTS = (20, 30, 40, 40, 25, 6, 20, 3, 0.5, 1, 0.7, 0.5, 0.5)
_HURRY = ("deliver", "deliver", "tick", "transmit", "transmit", "acknowledge")


def main(arguments: list[str]) -> int:
    """The command line: exit status 1 when a seed fails."""
    parser = argparse.ArgumentParser(prog="python -m streams.simulation.crashes")
    parser.add_argument("--seed", type=int, help="run only this one")
    parser.add_argument("--seeds", type=int, default=300, help="run 0 to this")
    chosen = parser.parse_args(arguments)
    seeds = range(chosen.seeds) if chosen.seed is None else [chosen.seed]
    failed = 0
    for seed in seeds:
        found = Run(seed).run()
        failed += bool(found)
        for line in found:
            print(f"seed {seed}: {line}")
    print(f"{len(seeds) - failed} seeds hold, {failed} do not")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
