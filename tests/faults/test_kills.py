"""Workers killed at random instants, under load: nothing is lost, nothing invented."""

import os
import random
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

from app.export import export
from app.verify import Verified, verified
from schemas.exports import DECODE
from streams.engine.registry import Registries
from streams.partition.folding import Fold
from streams.ports import StoredRecord
from tests.faults.installation import (
    CAMPAIGNS,
    SECRET,
    Installation,
    Role,
    eventually,
)
from tests.faults.load import Load
from tests.faults.repeats import Kill, Repeats
from tests.faults.sink import Sink
from tests.kafka.server import KafkaServer

KILLS = int(os.environ.get("FAULTS_KILLS", "6"))  # `make faults` asks for twenty
KILLS_MAX = 3 * KILLS
REPEATS_MIN = 100  # a kill after which fewer records were handled again does not count
RATE_MIN = 2_000
PARTITIONS, WORKERS = 6, 3


def folded_commands(bootstrap: str) -> Counter[str]:
    """The command ids that follow from the exported log."""
    registries = Registries()
    folds: dict[int, Fold] = {}
    issued: Counter[str] = Counter()
    for raw in export(bootstrap):
        line = DECODE(raw)
        for one in line.changes:
            registries.append(one.number, one.change)
        fold = folds.get(line.partition)
        if fold is None:
            fold = folds[line.partition] = Fold(
                line.partition, PARTITIONS, registries, secret=SECRET.encode()
            )
        record = StoredRecord(
            line.offset, line.time_ms, line.raw_key(), line.raw_value(), line.raw_headers()
        )
        for command in fold.take(record).commands:
            issued[dict(command.headers)["id"].decode()] += 1
    return issued


def kill_until_counted(
    installation: Installation, workers: list[Role], repeats: Repeats, chance: random.Random
) -> Counter[int]:
    """Kill, start again, until enough kills count; the records handled again after each."""
    kills: list[Kill] = []
    counted: Counter[int] = Counter()
    while sum(count >= REPEATS_MIN for count in counted.values()) < KILLS:
        assert len(kills) < KILLS_MAX, f"too few kills count: {counted}"
        if chance.random() < 0.9:  # else also in the midst of a recovery or a rebalance
            eventually(lambda: all_at_work(installation, workers))
        victim = chance.choice(workers)
        time.sleep(chance.uniform(0.2, 2.2))
        had = victim.partitions()
        kills.append(Kill(time.time_ns() // 1_000_000, had))
        victim.kill()
        time.sleep(chance.choice([0.0, chance.uniform(0, 2)]))
        start_missing(installation, workers)
        counted = repeats.after(kills)
    return counted


def all_at_work(installation: Installation, workers: list[Role]) -> bool:
    start_missing(installation, workers)
    return all(worker.ready and worker.partitions() for worker in workers)


def start_missing(installation: Installation, workers: list[Role]) -> None:
    """As a supervisor does: one that ended itself is started again, too."""
    for index, worker in enumerate(workers):
        if not worker.alive:
            workers[index] = start_worker(installation, index)


def start_worker(installation: Installation, index: int) -> Role:
    """All but the first are static members: back soon enough, they keep their partitions."""
    instance = {"DRIPLINE_INSTANCE_ID": f"worker-{index}"} if index else {}
    return installation.start("worker", **instance)


def test_kills_lose_and_invent_nothing(own_kafka: KafkaServer, tmp_path: Path) -> None:
    seed = int(os.environ.get("FAULTS_SEED", "0")) or random.SystemRandom().randrange(1, 10**6)
    print(f"FAULTS_SEED={seed}")
    chance = random.Random(seed)
    installation = Installation(
        own_kafka, tmp_path / "roles", PARTITIONS, DRIPLINE_FLUSH_SECONDS="2"
    )
    with Sink() as sink, Repeats(own_kafka.bootstrap) as repeats:
        load = None
        try:
            installation.publish(sorted(CAMPAIGNS.glob("*.yaml")), {"SINK": sink.url})
            delivery = {
                "DRIPLINE_SMTP": "smtp://127.0.0.1:1",
                "DRIPLINE_WEBHOOK_ALLOW_PRIVATE": "1",
            }
            installation.start("delivery", **delivery).wait_ready()
            workers = [start_worker(installation, index) for index in range(WORKERS)]
            for worker in workers:
                worker.wait_ready()
            load = Load(own_kafka.bootstrap, 1.1 * RATE_MIN, seed)
            counted = kill_until_counted(installation, workers, repeats, chance)
            sent, rate = load.stop()
            print(f"{sent} records, {rate:.0f}/s; handled again after each kill: {counted}")
            assert rate >= RATE_MIN
            installation.settle(workers)
            assert [worker.stop() for worker in workers] == [0] * WORKERS
            with ProcessPoolExecutor(2, get_context("spawn")) as pool:
                folded = pool.submit(folded_commands, own_kafka.bootstrap)
                for one in pool.map(verdict, [own_kafka.bootstrap] * PARTITIONS, range(PARTITIONS)):
                    assert one.verdict.agrees, one.verdict
                delivered_once(installation, sink, folded.result())
        finally:
            if load is not None:
                load.close()
            installation.stop()


def verdict(bootstrap: str, partition: int) -> Verified:
    (one,) = verified(bootstrap, SECRET.encode(), partition)
    return one


def delivered_once(installation: Installation, sink: Sink, folded: Counter[str]) -> None:
    """What was delivered is what follows from the log, each once."""
    assert set(folded.values()) == {1}
    assert installation.command_ids().keys() == folded.keys()
    eventually(lambda: len(sink.came) >= len(folded), lambda: f"{len(sink.came)} delivered")
    assert sink.came == folded
