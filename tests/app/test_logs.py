"""Logs: JSON lines, no addresses, no values, and nobody repeats himself without end."""

import json
import subprocess
import sys

PROGRAM = """
import logging
from app import logs
logs.configure("worker", "info", "json")
log = logs.log("app.example")
log.info("started", partition=3, email="ana@example.org", value={"a": 1})
log.warning("could not reach ana@example.org")
logging.getLogger("aiokafka.conn").info("not shown: too low")
for number in range(50):
    logging.getLogger("aiokafka.conn").warning("connect to %s failed", number)
try:
    raise ValueError("about ben@example.org")
except ValueError:
    log.exception("it broke")
"""


def test_log_lines() -> None:
    ran = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True
    )
    lines = [json.loads(line) for line in ran.stderr.splitlines()]
    first = lines[0]
    assert (first["event"], first["partition"], first["role"]) == ("started", 3, "worker")
    assert first["level"] == "info"
    assert first["email"] == first["value"] == "(not logged)"
    assert lines[1]["event"] == "could not reach (address)"
    assert sum("connect to" in line["event"] for line in lines) == 5
    assert lines[-1]["event"] == "it broke"
    assert "@example.org" not in ran.stderr
    assert "too low" not in ran.stderr
