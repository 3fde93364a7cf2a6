"""Toy workers as processes, and what a test does around them."""

import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from kafka import KafkaProducer

from streams.topology import Stage
from tests.transport.checking import Verdict, verdict

ROOT = Path(__file__).parents[2]
PATIENCE_SECONDS = 90.0


def eventually(what: Callable[[], Any], said: Callable[[], str] = str) -> Any:
    """Give the first true answer; fail after a long while (no test asserts a time)."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not (answer := what()):
        assert time.monotonic() < deadline, f"did not come about: {said()}"
        time.sleep(0.05)
    return answer


class ToyWorker:
    """One process of `tests.transport.worker`; `said` are its lines, `log` its stderr."""

    def __init__(
        self, stage: Stage, bootstrap: str, partitions: int, folder: Path, **settings: Any
    ) -> None:
        options = {"session_timeout_seconds": 3.0, "tick_seconds": 0.05} | settings
        words = [stage.app.removeprefix("toy-"), bootstrap, str(partitions)]
        folder.mkdir(parents=True, exist_ok=True)
        self._log = folder / "stderr.log"
        with self._log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "tests.transport.worker", *words, json.dumps(options)],
                cwd=ROOT,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        self.said: list[dict[str, Any]] = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.said.append(json.loads(line))

    @property
    def log(self) -> str:
        return self._log.read_text(errors="replace")

    def partitions(self) -> list[int]:
        """The partitions at work, as last told."""
        told = [line["partitions"] for line in list(self.said) if "partitions" in line]
        return told[-1] if told and self.process.poll() is None else []

    def wait_ready(self, count: int = 1) -> None:
        eventually(lambda: len(self.partitions()) >= count, lambda: self.log[-2000:])

    def wait_end(self) -> int:
        """The exit status."""
        status = self.process.wait(PATIENCE_SECONDS)
        self._reader.join(PATIENCE_SECONDS)
        return status

    def stop(self) -> int:
        if self.process.poll() is None:
            self.process.terminate()
        return self.wait_end()

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.wait_end()
        assert self.process.stdout is not None
        self.process.stdout.close()


def produce(
    bootstrap: str, topic: str, records: Iterable[tuple[bytes, bytes]], partitions: int = 2
) -> None:
    """Append and wait for every acknowledgement; the last byte of the key chooses the partition."""
    producer = KafkaProducer(bootstrap_servers=bootstrap, acks="all", linger_ms=5)
    try:
        sent = [
            producer.send(topic, key=key, value=value, partition=key[-1] % partitions)
            for key, value in records
        ]
        for one in sent:
            one.get(timeout=60)
    finally:
        producer.close()


def numbered(count: int, keys: int = 40, begin: int = 0) -> list[tuple[bytes, bytes]]:
    return [(b"k%d" % (i % keys), b"%d" % i) for i in range(begin, begin + count)]


def wait_agreed(bootstrap: str, stage: Stage) -> Verdict:
    """Wait until everything in the log is durable, and give the verdict."""
    found: list[Verdict] = []

    def through() -> bool:
        found.append(verdict(bootstrap, stage))
        return found[-1].lag == 0

    eventually(through, lambda: str(found[-1]))
    return found[-1]
