"""The broker goes away under load and comes back: workers wait for it, they do not end."""

import time
from pathlib import Path

import pytest

from tests.faults.installation import CAMPAIGNS, Installation
from tests.faults.load import Load
from tests.kafka.server import KafkaServer

PARTITIONS, RATE = 6, 500


@pytest.mark.parametrize("how", ["kill", pytest.param("stop", marks=pytest.mark.long)])
def test_workers_live_through_an_outage(own_kafka: KafkaServer, tmp_path: Path, how: str) -> None:
    # aiokafka takes its time to come back; meanwhile the new broker must not give the members up.
    session = {"DRIPLINE_SESSION_TIMEOUT_SECONDS": "20"}
    installation = Installation(own_kafka, tmp_path / "roles", PARTITIONS, **session)
    installation.publish(sorted(CAMPAIGNS.glob("*.yaml")), {"SINK": "http://127.0.0.1:1/"})
    workers = [installation.start("worker") for _ in range(2)]
    try:
        for worker in workers:
            worker.wait_ready()
        load = Load(own_kafka.bootstrap, RATE, seed=1)
        time.sleep(3)

        if how == "kill":
            own_kafka.kill()
            time.sleep(14)  # longer than a lease: nothing may be sent for a while
        else:
            own_kafka.stop()
        own_kafka.start()

        time.sleep(3)
        sent, _ = load.stop()
        installation.settle(workers)
        assert sent > 0
        assert [worker.stop() for worker in workers] == [0, 0]  # the same processes
        for worker in workers:
            # An outage must not drown the log: aiokafka says the same 60 times a second.
            assert len(worker.log.splitlines()) < 200
        verdicts = [one.verdict for one in installation.verified()]
        assert all(verdict.agrees for verdict in verdicts), verdicts
        assert sum(verdict.records for verdict in verdicts) >= sent
    finally:
        load.close()
        installation.stop()
