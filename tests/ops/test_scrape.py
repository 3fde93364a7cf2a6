"""Debian's Prometheus scrapes a running Dripline, and its rules find what they ask for."""

import json
import subprocess
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.app.running import Up, eventually, free_port, up
from tests.ops.dashboards import panel_expressions
from tests.ops.prometheus import FOLDER, families, program, rule_expressions, rules

ROLES = ("up", "worker", "delivery")
MAIL = {
    "type": "identify",
    "userId": "ada",
    "traits": {"email": "ada@example.org", "first_name": "Ada"},
}


class Prometheus:
    """A running server with the rules of the repository."""

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"

    def get(self, path: str, **query: str) -> Any:
        url = f"{self.url}/api/v1/{path}?{urllib.parse.urlencode(query)}"
        with urllib.request.urlopen(url, timeout=10) as answer:
            return json.load(answer)["data"]

    def series(self, expression: str) -> list[tuple[dict[str, str], float]]:
        found = self.get("query", query=expression)["result"]
        return [(one["metric"], float(one["value"][1])) for one in found]

    def listens(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}/-/ready", timeout=5) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False


@contextmanager
def scraping(targets: dict[str, str], folder: Path) -> Iterator[Prometheus]:
    """The repository's configuration, with these addresses and more haste."""
    configuration = yaml.safe_load((FOLDER / "prometheus.yml").read_text(encoding="utf-8"))
    configuration["global"] = {"scrape_interval": "1s", "evaluation_interval": "1s"}
    configuration["rule_files"] = [str(FOLDER / name) for name in configuration["rule_files"]]
    configuration["scrape_configs"] = [
        {"job_name": f"dripline-{role}", "static_configs": [{"targets": [address]}]}
        for role, address in targets.items()
    ]
    file = folder / "prometheus.yml"
    file.write_text(yaml.safe_dump(configuration))
    port = free_port()
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [
                program("prometheus"), f"--config.file={file}",
                f"--storage.tsdb.path={folder / 'data'}", f"--web.listen-address=127.0.0.1:{port}",
            ],
            stdout=log, stderr=log,
        )  # fmt: skip
    try:
        server = Prometheus(port)
        eventually("Prometheus listens", server.listens)
        yield server
    finally:
        process.terminate()
        process.wait(30)


def targets_of(running: Up) -> dict[str, str]:
    """The addresses that `up` prints."""
    found = {"up": f"127.0.0.1:{running.port}"}
    for line in running.out:
        for role in ("worker", "delivery"):
            if f"/metrics ({role})" in line:
                found[role] = line.split("http://")[1].split("/")[0]
    return found


@pytest.mark.slow
def test_prometheus_scrapes_every_role_and_its_rules_work(tmp_path: Path) -> None:
    program("prometheus")
    with up() as running:
        targets = targets_of(running)
        assert sorted(targets) == sorted(ROLES)
        with scraping(targets, tmp_path) as server:
            eventually(
                "every role is scraped",
                lambda: (
                    {m["job"] for m, v in server.series("up == 1")}
                    == {f"dripline-{role}" for role in ROLES}
                ),
            )
            running.post("/v1/batch", {"batch": [MAIL]})
            check_what_is_seen(server)


def check_what_is_seen(server: Prometheus) -> None:
    known = server.get("metadata")
    named = set().union(*map(families, rule_expressions() + panel_expressions()))
    assert named <= {name for name in known if name.startswith("dripline_")}

    def rules_are_evaluated() -> bool:
        groups = server.get("rules")["groups"]
        found = [rule for group in groups for rule in group["rules"]]
        assert not [rule for rule in found if rule["health"] == "err"], found
        names = {rule["name"] for rule in found if rule["health"] == "ok"}
        return names == {
            r.get("alert") or r.get("record") for r in (*rules("alert"), *rules("record"))
        }

    eventually("every rule is evaluated", rules_are_evaluated)
    eventually(
        "the event is seen",
        lambda: (
            server.series('dripline_events_accepted_total{type="identify"} == 1')
            and server.series('sum(dripline_records_total{job="dripline-worker"}) > 0')
            and server.series("sum(dripline_leads) == 1")
            and server.series("sum(dripline_state_bytes) > 0")
        ),
    )
    roles = {labels["role"] for labels, _ in server.series("dripline_build_info == 1")}
    assert roles == set(ROLES)
    unreachable = server.series("dripline_broker_unreachable")
    assert {labels["job"] for labels, _ in unreachable} == {f"dripline-{role}" for role in ROLES}
    eventually(
        "nobody misses the broker",
        lambda: all(not value for _, value in server.series("dripline_broker_unreachable")),
    )
    assert server.get("alerts")["alerts"] == []
