"""One real Apache Kafka broker per `KafkaServer`, combined with its controller (KRaft).

The jars are those of `tests/kafka/pom.xml`; `make test` copies them to `.kafka/lib`. A broker
lives in a folder of its own and listens on two ports of 127.0.0.1, which stay the same over
restarts. It ends with the process that started it, even when that one is killed.
"""

import os
import random
import shutil
import signal
import socket
import subprocess
import time
import uuid
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from kafka.admin import KafkaAdminClient
from kafka.errors import KafkaError

HERE = Path(__file__).parent
JARS = HERE.parents[1] / ".kafka" / "lib"
READY_SECONDS_MAX = 90  # 3 to 4 on an idle machine; nine times that on a crowded one
STOP_SECONDS_MAX = 30


class KafkaServer:
    """A broker: `start`, `stop` (orderly), `kill` (SIGKILL), `restart` with data and ports kept.

    `bootstrap` is its address for clients, `log_file` what it says. As a context manager it is
    started, and stopped at the end.
    """

    def __init__(self, folder: Path, properties: Mapping[str, str] | None = None) -> None:
        """Prepare a broker in `folder`, which must not be used by another one.

        `properties` replace or add lines of server.properties, for instance
        `{"log.cleaner.backoff.ms": "100"}`.
        """
        self.folder = folder
        self.log_file = folder / "broker.log"
        self.properties = dict(properties or {})
        self._port, self._controller_port = free_ports(2)
        self._process: subprocess.Popen[bytes] | None = None
        self._watchdog: subprocess.Popen[bytes] | None = None

    @property
    def bootstrap(self) -> str:
        """Give host:port for clients."""
        return f"127.0.0.1:{self._port}"

    @property
    def pid(self) -> int:
        """Give the id of the broker's process, for SIGSTOP and SIGCONT."""
        assert self._process is not None, "the broker is not running"
        return self._process.pid

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Start the broker and return when it answers and may lead partitions.

        Raises:
            RuntimeError: there are no jars; the broker ended, or was not ready in time. The
                message has the end of its log.
        """
        assert self._process is None, f"the broker at {self.bootstrap} runs already"
        if not JARS.is_dir():
            raise RuntimeError(f"no jars in {JARS}: make .kafka/.jars-done")
        self.folder.mkdir(parents=True, exist_ok=True)
        if not (self.folder / "data").exists():
            self._format()
        with self.log_file.open("ab") as log:
            self._process = subprocess.Popen(
                _java("-Xmx512m", "kafka.Kafka", str(self._properties_file)),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C is for the tests; they stop the broker
            )
        self._watchdog = _kill_when_we_end(self._process.pid)
        try:
            self._wait_until_ready()
        except BaseException:
            self.kill()
            raise

    def stop(self) -> None:
        """End the broker in an orderly way; nothing to do when it does not run."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """End the broker by SIGKILL: no flush, no word to anybody."""
        self._end(signal.SIGKILL)

    def restart(self) -> None:
        """Stop the broker if it runs, and start it on the same ports with the same data."""
        self.stop()
        self.start()

    def log_end(self, lines: int = 60) -> str:
        """Give the last lines the broker wrote."""
        if not self.log_file.exists():
            return "(no log)"
        return "\n".join(self.log_file.read_text(errors="replace").splitlines()[-lines:])

    @property
    def _properties_file(self) -> Path:
        return self.folder / "server.properties"

    def _format(self) -> None:
        """Write server.properties and format the data folder under a new cluster id."""
        settings = {
            "process.roles": "broker,controller",
            "node.id": "1",
            "controller.quorum.voters": f"1@127.0.0.1:{self._controller_port}",
            "controller.listener.names": "CONTROLLER",
            "listeners": (
                f"PLAINTEXT://127.0.0.1:{self._port},CONTROLLER://127.0.0.1:{self._controller_port}"
            ),
            "advertised.listeners": f"PLAINTEXT://127.0.0.1:{self._port}",
            "log.dirs": str(self.folder / "data"),
            # A topic that nobody created is a mistake, here as in production.
            "auto.create.topics.enable": "false",
            "offsets.topic.replication.factor": "1",
            "offsets.topic.num.partitions": "4",
            "transaction.state.log.replication.factor": "1",
            "transaction.state.log.min.isr": "1",
            "share.coordinator.state.topic.replication.factor": "1",
            "share.coordinator.state.topic.min.isr": "1",
            "group.initial.rebalance.delay.ms": "0",
            "group.min.session.timeout.ms": "1000",  # lets a test notice a killed member sooner
            # After a kill the controller refuses the same broker until this is over (default 9 s).
            "broker.session.timeout.ms": "5000",
            "broker.heartbeat.interval.ms": "500",
            # The default wants 128 MB of our 512.
            "log.cleaner.dedupe.buffer.size": str(16 * 1024 * 1024),
            "num.network.threads": "2",
            "num.io.threads": "4",
            **self.properties,
        }
        self._properties_file.write_text("".join(f"{k}={v}\n" for k, v in settings.items()))
        done = subprocess.run(
            _java(
                "-Xmx128m",
                "-XX:TieredStopAtLevel=1",
                "kafka.tools.StorageTool",
                *("format", "-t", str(uuid.uuid4()), "-c", str(self._properties_file)),
            ),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            shutil.rmtree(self.folder / "data", ignore_errors=True)
            raise RuntimeError(f"cannot format {self.folder}: {done.stdout}{done.stderr}")

    def _wait_until_ready(self) -> None:
        assert self._process is not None
        deadline = time.monotonic() + READY_SECONDS_MAX
        while not self._answers():
            status = self._process.poll()
            if status is not None:
                raise RuntimeError(f"the broker ended with status {status}:\n{self.log_end()}")
            if time.monotonic() > deadline:
                raise RuntimeError(
                    f"the broker was not ready in {READY_SECONDS_MAX} s:\n{self.log_end()}"
                )
            time.sleep(0.1)

    def _answers(self) -> bool:
        """Tell whether the broker names itself as one that clients can use (not fenced)."""
        try:
            socket.create_connection(("127.0.0.1", self._port), timeout=1).close()
        except OSError:
            return False
        try:
            with KafkaAdminClient(
                bootstrap_servers=self.bootstrap, bootstrap_timeout_ms=5000, request_timeout_ms=5000
            ) as admin:
                brokers = admin.describe_cluster()["brokers"]
        except KafkaError:
            return False
        return any(broker["port"] == self._port for broker in brokers)

    def _end(self, how: signal.Signals) -> None:
        process, watchdog = self._process, self._watchdog
        self._process = self._watchdog = None
        if process is None:
            return
        process.send_signal(how)
        process.send_signal(signal.SIGCONT)  # a broker that a test has frozen must hear it
        try:
            process.wait(timeout=STOP_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if watchdog is not None:
            watchdog.kill()  # before its process id could belong to somebody else
            watchdog.communicate()


def free_ports(count: int) -> list[int]:
    """Give ports of 127.0.0.1 that nothing listens on, all different.

    They lie below the range that the system gives to outgoing connections (32768 and up), so
    that no client's own connection can sit on a broker's port while the broker is down.
    """
    chance = random.SystemRandom()
    taken: list[socket.socket] = []
    try:
        while len(taken) < count:
            candidate = socket.socket()
            try:
                candidate.bind(("127.0.0.1", chance.randrange(16_000, 32_000)))
            except OSError:
                candidate.close()
            else:
                taken.append(candidate)
        return [one.getsockname()[1] for one in taken]
    finally:
        for one in taken:
            one.close()


def _java(*arguments: str) -> list[str]:
    return [
        "java",
        "-XX:+UseSerialGC",
        "-Xshare:auto",
        f"-Dlog4j2.configurationFile={HERE / 'log4j2.properties'}",
        "-cp",
        f"{JARS}/*",
        *arguments,
    ]


def _kill_when_we_end(pid: int) -> "subprocess.Popen[bytes]":
    """Start a process that kills `pid` when its standard input closes, that is when we are gone."""
    return subprocess.Popen(
        ["sh", "-c", f"cat >/dev/null; kill -KILL {pid}"],
        stdin=subprocess.PIPE,
        start_new_session=True,
        env={"PATH": os.environ["PATH"]},
    )
