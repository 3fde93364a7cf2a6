"""The children of `dripline up`: started, watched, started again, and stopped together.

A child ends when its standard input closes (app.child), so that none outlives its parent.
What a child writes goes on line by line, with its name before it.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import Callable, Mapping
from typing import Any

from app import child, logs, metrics
from app.clock import Clock
from schemas.errors import Halt, Unreachable, UsageError

DRAIN_SECONDS = 8.0
# A life shorter than this counts as a failed start; after so many in a row there is no hope.
SHORT_LIFE_SECONDS = 20.0
FAILED_STARTS_MAX = 6
PAUSE_SECONDS = (0.2, 5.0)
USAGE_STATUS = UsageError.exit_status
UNREACHABLE_STATUS = Unreachable.exit_status
_LINE_BYTES = 1024 * 1024

_log = logs.log(__name__)


class Child:
    """One role as a process: `python -m app <role>` with an environment of its own."""

    def __init__(
        self,
        role: str,
        environ: Mapping[str, str],
        clock: Clock,
        say: Callable[[str], None],
        metrics_port: int = 0,
    ) -> None:
        self.role = role
        self.metrics_port = metrics_port
        self.starts = 0
        self._environ = {**environ, child.SIGN: "1"}
        self._clock = clock
        self._say = say
        self._process: Process | None = None
        self._stopping = False

    @property
    def pid(self) -> int:
        """Its process id, 0 while it does not run."""
        alive = self._process is not None and self._process.returncode is None
        return self._process.pid if alive and self._process is not None else 0

    async def keep_running(self) -> None:
        """Run it, again and again, until `stop` is called.

        Raises `Halt` when it refuses its settings, or fails to come up several times in a row.
        """
        failed, pause = 0, PAUSE_SECONDS[0]
        while True:
            began = self._clock.monotonic()
            status = await self._run()
            if self._stopping:
                return
            if status == USAGE_STATUS:
                raise Halt(f"the {self.role} refused to start (status 2, see above)")
            short = self._clock.monotonic() - began < SHORT_LIFE_SECONDS
            # A broker that cannot be reached is a reason to wait, for as long as it takes.
            failed = failed + 1 if short and status != UNREACHABLE_STATUS else 0
            if failed >= FAILED_STARTS_MAX:
                raise Halt(f"the {self.role} ended {failed} times in a row, last with {status}")
            pause = min(pause * 2, PAUSE_SECONDS[1]) if short else PAUSE_SECONDS[0]
            metrics.CHILD_RESTARTS.labels(self.role).inc()
            self._say(f"the {self.role} ended ({_ending(status)}) and is started again")
            await asyncio.sleep(pause)

    async def stop(self) -> None:
        """Let it finish, and kill it when it takes too long."""
        self._stopping = True
        process = self._process
        if process is None or process.returncode is not None:
            return
        if process.stdin is not None:
            process.stdin.close()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(DRAIN_SECONDS):
                await process.wait()
        if process.returncode is None:
            self._say(f"the {self.role} did not stop within {DRAIN_SECONDS:.0f} s and is killed")
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()

    async def _run(self) -> int:
        self.starts += 1
        self._process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "app", self.role,
            env=self._environ, stdin=PIPE, stderr=PIPE, start_new_session=True, limit=_LINE_BYTES,
        )  # fmt: skip
        if self._stopping:
            await self.stop()
        assert self._process.stderr is not None
        async for line in _lines(self._process.stderr):
            self._say(f"{self.role}: {line}")
        return await self._process.wait()


async def _lines(stream: asyncio.StreamReader) -> Any:
    while True:
        try:
            line = await stream.readline()
        except ValueError:  # longer than the limit: it has been dropped
            continue
        if not line:
            return
        yield line.decode(errors="replace").rstrip()


def _ending(status: int) -> str:
    if status >= 0:
        return f"status {status}"
    try:
        return f"killed by {signal.Signals(-status).name}"
    except ValueError:
        return f"killed by signal {-status}"
