"""The roles start against a real broker in docker-compose.yml's order, with its settings."""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.app.running import environ, eventually, free_port
from tests.kafka.server import JARS, KafkaServer
from tests.ops.compose import SERVICES, filled_in, ours, start_order
from tests.repository.tree import ROOT

GIVEN = {
    "DRIPLINE_SECRET": "f" * 32,
    "DRIPLINE_WRITE_KEYS": "key",
    "DRIPLINE_ADMIN_TOKEN": "token",
    "DRIPLINE_PARTITIONS": "2",
}
# What compose says of the network inside; here everything is on 127.0.0.1.
PLACES = re.compile("LISTENER|VOTERS|LOG_DIRS|PROCESS_ROLES|NODE_ID")


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KafkaServer]:
    """A broker with the settings of the service `kafka`, but for places."""
    if not JARS.is_dir():
        pytest.skip("no Kafka jars: run `make test`, or `make .kafka/.jars-done` once")
    properties = {
        name.removeprefix("KAFKA_").lower().replace("_", "."): value
        for name, value in SERVICES["kafka"]["environment"].items()
        if not PLACES.search(name)
    }
    with KafkaServer(tmp_path_factory.mktemp("kafka"), properties) as server:
        yield server


@pytest.mark.slow
def test_every_role_becomes_healthy_in_order(broker: KafkaServer, tmp_path: Path) -> None:
    processes: list[subprocess.Popen[bytes]] = []
    try:
        for service in start_order():
            if service in ours():
                begin(service, broker, tmp_path, processes)
        assert len(processes) == 4
        assert all(process.poll() is None for process in processes)
    finally:
        for process in processes:
            process.terminate()
        statuses = [process.wait(60) for process in processes]
    assert statuses == [0] * 4


def begin(
    service: str, broker: KafkaServer, folder: Path, processes: list[subprocess.Popen[bytes]]
) -> None:
    """Run it as compose does: to its end, or until its health check is content."""
    port = free_port()
    settings = environ(DRIPLINE_DATA=str(folder / service))
    for name, value in SERVICES[service]["environment"].items():
        settings[name] = local(name, filled_in(str(value), GIVEN), broker, port)
    log = folder / f"{service}.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "app", *SERVICES[service]["command"]],
            cwd=ROOT, env=settings, stdin=subprocess.DEVNULL, stdout=output, stderr=output,
        )  # fmt: skip
    if SERVICES[service]["restart"] == "no":
        assert process.wait(120) == 0, log.read_text()
        return
    processes.append(process)
    kind, *check = SERVICES[service]["healthcheck"]["test"]
    assert (kind, check[:2]) == ("CMD", ["python", "-c"])
    probe = re.sub(r"127\.0\.0\.1:\d+", f"127.0.0.1:{port}", check[2])

    def healthy() -> bool:
        assert process.poll() is None, log.read_text()
        asked = subprocess.run([sys.executable, "-c", probe], capture_output=True, check=False)
        return asked.returncode == 0

    eventually(f"{service} is healthy", healthy)


def local(name: str, value: str, broker: KafkaServer, port: int) -> str:
    """The same setting on this machine."""
    match name:
        case "DRIPLINE_KAFKA":
            return broker.bootstrap
        case "DRIPLINE_PORT" | "DRIPLINE_METRICS_PORT":
            return str(port)
        case "DRIPLINE_SMTP":
            return value.replace("mail:", "127.0.0.1:")
    return value
