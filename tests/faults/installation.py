"""An installation on a broker of its own: topics, published campaigns, roles as processes."""

import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import msgspec

from app import topics
from app.log_reading import LogReader
from app.publishing import publish
from app.settings import Settings, load_settings
from app.verify import Verified, verified
from schemas import topics as names
from schemas.changes import Change, digest_of
from schemas.facts import FactList
from schemas.records import NAMES, Outcome
from streams.engine.yaml_reading import load_yaml
from tests.kafka.server import KafkaServer, free_ports

ROOT = Path(__file__).parents[2]
CAMPAIGNS = Path(__file__).parent / "campaigns" / "campaigns"
SECRET = "f" * 32
PATIENCE_SECONDS = 120.0


def eventually(what: Callable[[], Any], said: Callable[[], str] = str) -> Any:
    """Give the first true answer; fail after a long while (no test asserts a time)."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not (answer := what()):
        assert time.monotonic() < deadline, f"did not come about: {said()}"
        time.sleep(0.1)
    return answer


class Role:
    """One role as a process, as docker or Kubernetes would start it."""

    def __init__(
        self, role: str, environ: Mapping[str, str], log: Path, module: str = "app"
    ) -> None:
        (self.port,) = free_ports(1)
        self.log_file = log
        environ = {
            **os.environ, **environ,
            "DRIPLINE_METRICS_PORT": str(self.port), "DRIPLINE_DATA": str(log.parent / log.stem),
        }  # fmt: skip
        with log.open("ab") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", module, role],
                cwd=ROOT,
                env=environ,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
            )

    @property
    def alive(self) -> bool:
        return self.process.poll() is None

    @property
    def log(self) -> str:
        return self.log_file.read_text(errors="replace")

    def get(self, path: str) -> tuple[int, str]:
        """Ask its status server; status 0 when it does not answer."""
        try:
            url = f"http://127.0.0.1:{self.port}{path}"
            with urllib.request.urlopen(url, timeout=5) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()
        except OSError:
            return 0, ""

    def metric(self, name: str) -> float:
        """The sum of a metric over its labels."""
        lines = self.get("/metrics")[1].splitlines()
        return sum(
            float(line.rpartition(" ")[2])
            for line in lines
            if line.startswith((f"{name} ", name + "{"))
        )

    def partitions(self) -> frozenset[int]:
        """The partitions that it has and fetches, as its metrics say."""
        prefix = 'dripline_lag_records{partition="'
        return frozenset(
            int(line.removeprefix(prefix).partition('"')[0])
            for line in self.get("/metrics")[1].splitlines()
            if line.startswith(prefix)
        )

    @property
    def ready(self) -> bool:
        """Whether it says that it can do its job."""
        return self.get("/readyz")[0] == 200

    def wait_ready(self) -> None:
        def ready() -> bool:
            assert self.alive, self.log[-3000:]
            return self.ready

        eventually(ready, lambda: self.log[-3000:])

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def stop(self) -> int:
        """SIGTERM; the exit status."""
        self.process.terminate()
        return self.process.wait(60)


class Installation:
    """Topics with their real names: one installation a broker."""

    def __init__(self, kafka: KafkaServer, folder: Path, partitions: int, **settings: str) -> None:
        self.kafka = kafka
        self.folder = folder
        self.partitions = partitions
        folder.mkdir(parents=True, exist_ok=True)
        self.environ = {
            "DRIPLINE_KAFKA": kafka.bootstrap,
            "DRIPLINE_PARTITIONS": str(partitions),
            "DRIPLINE_SECRET": SECRET,
            "DRIPLINE_SESSION_TIMEOUT_SECONDS": "3",
            **settings,
        }
        self.roles: list[Role] = []
        topics.create(self.settings)

    @property
    def settings(self) -> Settings:
        return load_settings(self.environ)

    def publish(self, files: Iterable[Path], replaced: Mapping[str, str] | None = None) -> None:
        """Publish campaign files; in their text `replaced` names are put in."""
        changes = []
        for file in files:
            text = file.read_text()
            for name, value in (replaced or {}).items():
                text = text.replace(name, value)
            document, _, findings = load_yaml(text)
            assert not findings, findings
            changes.append(
                Change("campaign", document["campaign"], "publish", document, digest_of(document))
            )
        publish(self.settings, changes)

    def start(self, role: str, module: str = "app", **settings: str) -> Role:
        log = self.folder / f"{role}-{len(self.roles)}.log"
        self.roles.append(Role(role, {**self.environ, **settings}, log, module))
        return self.roles[-1]

    def stop(self) -> None:
        """End what still runs."""
        for role in self.roles:
            if role.alive:
                role.kill()

    def settle(self, workers: list[Role]) -> None:
        """Wait until these workers have all partitions, no lag, and no timer that is due."""

        def settled() -> bool:
            for worker in workers:
                assert worker.alive, worker.log[-3000:]
            have = sum(len(worker.partitions()) for worker in workers)
            ready = have == self.partitions and all(worker.ready for worker in workers)
            waiting = ("dripline_lag_records", "dripline_timers_pending", "dripline_timers_overdue")
            return ready and not any(w.metric(name) for w in workers for name in waiting)

        eventually(settled)

    # --- what lies on the topics

    def records(self, topic: str) -> list[Any]:
        with LogReader(self.kafka.bootstrap) as reader:
            return [
                record
                for partition in reader.partitions(topic)
                for record in reader.read(topic, partition)
            ]

    def command_ids(self) -> Counter[str]:
        """The ids in `commands`; a replay repeats some."""
        return Counter(
            value.decode()
            for record in self.records(names.COMMANDS)
            for name, value in record.headers
            if name == "id"
        )

    def facts(self) -> list[tuple[int, FactList]]:
        """Everything in `journey-facts`, with the time each was appended."""
        decode = msgspec.json.Decoder(FactList).decode
        return [(r.timestamp, decode(r.value)) for r in self.records(names.JOURNEY_FACTS)]

    def outcomes(self) -> dict[str, int]:
        """Per command when its outcome, `delivered`, was appended to the log; once each."""
        found: dict[str, int] = {}
        for record in self.records(names.LEAD_EVENTS):
            if dict(record.headers).get("schema") == NAMES[Outcome].encode():
                outcome = msgspec.json.decode(record.value, type=Outcome)
                assert outcome.result == "delivered", outcome
                found.setdefault(outcome.command_id, record.timestamp)
        return found

    def verified(self) -> list[Verified]:
        return list(verified(self.kafka.bootstrap, SECRET.encode()))
