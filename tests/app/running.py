"""`dripline up` as a real process, for tests: started, asked over HTTP, stopped, nothing left."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
PATIENCE_SECONDS = 90.0


def environ(**more: str) -> dict[str, str]:
    """Ours without any DRIPLINE_ name, so that the machine's own settings change no test."""
    plain = {name: value for name, value in os.environ.items() if not name.startswith("DRIPLINE_")}
    return plain | more


def dripline(*words: str, **env: str) -> subprocess.CompletedProcess[str]:
    """Run one command to its end."""
    return subprocess.run(
        [sys.executable, "-m", "app", *words],
        capture_output=True, text=True, check=False, cwd=ROOT, env=environ(**env), timeout=240,
    )  # fmt: skip


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


def eventually(what: str, found: Callable[[], Any], seconds: float = PATIENCE_SECONDS) -> Any:
    """The first true value of `found`, asked again and again; fails with `what` after a while."""
    end = time.monotonic() + seconds
    while True:
        value = found()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"not within {seconds:.0f} s: {what} (last: {value!r})")
        time.sleep(0.1)


class Up:
    """A running `dripline up`."""

    def __init__(self, *words: str, port: int = 0, **env: str) -> None:
        self.port = port or free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.out: list[str] = []
        self.err: list[str] = []
        self.process = subprocess.Popen(
            [sys.executable, "-m", "app", "up", "--port", str(self.port), *words],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT,
            env=environ(**env), start_new_session=True,
        )  # fmt: skip
        self._readers = [
            threading.Thread(target=_read, args=(stream, lines), daemon=True)
            for stream, lines in ((self.process.stdout, self.out), (self.process.stderr, self.err))
        ]
        for reader in self._readers:
            reader.start()

    def started(self) -> None:
        """Return when it says that it is up."""

        def is_up() -> bool:
            if self.process.poll() is not None:
                raise AssertionError(f"it ended with {self.process.returncode}: {self.said()}")
            return any("Dripline is up" in line for line in self.out)

        eventually("Dripline is up", is_up)

    def said(self) -> str:
        """Everything so far."""
        return "\n".join(["-- out", *self.out, "-- err", *self.err])

    def get(self, path: str) -> Any:
        with urllib.request.urlopen(self.url + path, timeout=20) as answer:
            return json.load(answer)

    def post(self, path: str, body: Any) -> Any:
        key = self.get("/api/instance")["write_keys"][0]
        request = urllib.request.Request(
            self.url + path,
            data=json.dumps(body).encode(),
            headers={"Authorization": "Basic " + b64encode(f"{key}:".encode()).decode()},
        )
        with urllib.request.urlopen(request, timeout=20) as answer:
            return json.load(answer)

    def pids(self) -> dict[str, int]:
        """Process ids of worker, delivery and broker."""
        found = {}
        for pid in descendants(self.process.pid):
            words = command_of(pid)
            for role in ("worker", "delivery"):
                if words[-1:] == [role]:
                    found[role] = pid
            if words and "tansu" in words[0]:
                found["broker"] = pid
        return found

    def stop(self, number: int = signal.SIGINT) -> int:
        """Stop it and give its exit status."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        try:
            return self.ended()
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise AssertionError(f"it does not stop: {self.said()}") from None

    def ended(self) -> int:
        status = self.process.wait(timeout=40)
        for reader in self._readers:
            reader.join(timeout=10)
        for stream in (self.process.stdout, self.process.stderr):
            if stream is not None:
                stream.close()
        return status


@contextmanager
def up(*words: str, **env: str) -> Iterator[Up]:
    """A `dripline up` that is up, and stopped at the end; its children must be gone then."""
    running = Up(*words, **env)
    children: list[int] = []
    try:
        running.started()
        children = descendants(running.process.pid)
        yield running
    finally:
        running.stop()
    eventually("no child is left", lambda: not any(map(alive, children)), 20)


def descendants(pid: int) -> list[int]:
    """All processes below one."""
    found: list[int] = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and _parent(int(entry.name)) == pid:
            found += [int(entry.name), *descendants(int(entry.name))]
    return found


def alive(pid: int) -> bool:
    """Whether it runs; one that only waits for its parent to look is not."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


def command_of(pid: int) -> list[str]:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().decode().split("\0")[:-1]
    except OSError:
        return []


def _parent(pid: int) -> int:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8")
    except OSError:
        return 0
    return int(stat.rpartition(")")[2].split()[1])


def _read(stream: Any, lines: list[str]) -> None:
    try:
        for line in stream:
            lines.append(line.rstrip("\n"))
    except ValueError:  # closed
        return


def refused(call: Callable[[], Any]) -> int:
    """The status of a request that is refused, 0 when nobody listens."""
    try:
        call()
    except urllib.error.HTTPError as error:
        return error.code
    except OSError:
        return 0
    return 200
