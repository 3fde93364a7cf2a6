"""Many rebalances in a row: kills, stops and freezes of three toy workers, in short gaps.

The toys' fold is a chain of hashes, so one lost, repeated or swapped record shows.
"""

import os
import random
import signal
import threading
import time
from pathlib import Path

import pytest

from tests.kafka.server import KafkaServer
from tests.transport.conftest import make_stage
from tests.transport.processes import ToyWorker, numbered, produce, wait_agreed

ROUNDS, WORKERS, PARTITIONS = 20, 3, 6
FROZEN_SECONDS = 8.0  # longer than a session
RECORDS_A_ROUND = 200


@pytest.mark.long
def test_nothing_is_lost_in_a_storm(own_kafka: KafkaServer, tmp_path: Path) -> None:
    seed = int(os.environ.get("FAULTS_SEED", "0")) or random.SystemRandom().randrange(1, 10**6)
    print(f"FAULTS_SEED={seed}")
    chance = random.Random(seed)
    stage = make_stage(own_kafka, PARTITIONS)
    done = threading.Event()
    sent: list[int] = []

    def load() -> None:
        while not done.is_set():
            records = numbered(RECORDS_A_ROUND, begin=len(sent) * RECORDS_A_ROUND)
            produce(own_kafka.bootstrap, stage.source, records, PARTITIONS)
            sent.append(len(records))

    def start() -> ToyWorker:
        folder = tmp_path / f"toy{len(started)}"
        started.append(ToyWorker(stage, own_kafka.bootstrap, PARTITIONS, folder))
        return started[-1]

    started: list[ToyWorker] = []
    loading = threading.Thread(target=load)
    loading.start()
    try:
        workers = [start() for _ in range(WORKERS)]
        workers[0].wait_ready()
        for _ in range(ROUNDS):
            time.sleep(chance.uniform(0.1, 3))
            victim = chance.randrange(WORKERS)
            how = chance.choice([signal.SIGKILL, signal.SIGTERM, signal.SIGTERM, signal.SIGSTOP])
            workers[victim].process.send_signal(how)
            if how is signal.SIGSTOP:
                time.sleep(FROZEN_SECONDS)
                workers[victim].process.send_signal(signal.SIGCONT)
            time.sleep(chance.uniform(0, 2))
            workers = [one if one.process.poll() is None else start() for one in workers]
        done.set()
        loading.join()
        workers = [one if one.process.poll() is None else start() for one in workers]
        found = wait_agreed(own_kafka.bootstrap, stage)
        assert found.agrees, found
        assert found.records == sum(sent)
    finally:
        done.set()
        loading.join()
        for one in started:
            one.close()
