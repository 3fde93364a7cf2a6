"""Issue A's main job on real input: a real site's whole access log, live, into a running `up`."""

import gzip
import json
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

import pytest

from app.access_log import Counts, kept_rules, page_views
from app.log_reading import LogReader
from schemas import facts
from schemas.topics import JOURNEY_FACTS
from tests.app.running import ROOT, Up, dripline, eventually, up

ONLY_COUNTED_LIVE = {"reentry", "only_if"}


@pytest.mark.slow
def test_the_whole_real_log_live(shared_data: Path, tmp_path: Path) -> None:
    log = shared_data / "semicomplete-access.log.gz"
    with up("--speed", "3600", "--campaigns", str(ROOT / "examples")) as running:
        ran = dripline(
            "import", "access-log", str(log), "--live", "--example-addresses", "--json",
            "--url", running.url,
        )  # fmt: skip
        assert ran.returncode == 0, ran.stderr
        # The last mails go out an hour after the last page, all waits are over after a day more.
        eventually("no journey waits any more", lambda: nobody_waits(running))
        exported = dripline("export", "--url", running.url)
        assert exported.returncode == 0, exported.stderr
        (tmp_path / "export.jsonl").write_text(exported.stdout, encoding="utf-8")
        caught = Counter(
            (address, mail["subject"])
            for mail in running.get("/api/mails?limit=1000")["mails"]
            for address in mail["to"]
        )
        told = told_live(running.get("/api/instance")["kafka"])
        verified = dripline("verify", "--url", running.url)
        assert verified.returncode == 0, verified.stdout
    records = [json.loads(line) for line in exported.stdout.splitlines()]
    check_counts(json.loads(ran.stdout.splitlines()[-1]), log, records)
    check_order(log, records)
    foretold = simulated(tmp_path / "export.jsonl")
    check_mails(caught, foretold, records)
    assert told == shipped(foretold)


def nobody_waits(running: Up) -> bool:
    campaigns = running.get("/api/campaigns")["campaigns"]
    entered = sum(campaign["entered"] for campaign in campaigns)
    return entered > 0 and all(campaign["waiting"] == 0 for campaign in campaigns)


def check_counts(counts: dict[str, Any], log: Path, records: list[dict[str, Any]]) -> None:
    """Every line is accounted for, and what was accepted is in the log, once."""
    with gzip.open(log, "rb") as file:
        lines = sum(1 for _ in file)
    assert counts["lines"] == lines == 4_525
    assert counts["accepted"] + sum(counts["left_out"].values()) + counts["rejected"] == lines
    assert counts["rejected"] == 0
    types = Counter(record["value"].get("type") for record in records)
    assert types["page"] == counts["accepted"]
    assert types["identify"] == counts["invented_addresses"] > 0
    ids = [record["headers"]["id"] for record in records if record["value"].get("type")]
    assert len(set(ids)) == len(ids)


def check_order(log: Path, records: list[dict[str, Any]]) -> None:
    """Each visitor's pages lie in one partition, in the order in which they were asked for."""
    with gzip.open(log, "rt", encoding="utf-8", errors="replace") as file:
        views = list(page_views(file, kept_rules(), Counts()))
    asked: dict[str, list[str]] = defaultdict(list)
    for view in views:
        asked[view.visitor].append(view.target)
    found: dict[str, list[str]] = defaultdict(list)
    places: dict[str, set[int]] = defaultdict(set)
    times: dict[str, list[str]] = defaultdict(list)
    for record in sorted(records, key=lambda record: (record["partition"], record["offset"])):
        if record["value"].get("type") == "page":
            found[record["key"]].append(record["value"]["properties"]["url"])
            places[record["key"]].add(record["partition"])
            times[record["key"]].append(record["value"]["timestamp"])
    assert found == asked
    assert all(len(place) == 1 for place in places.values())
    assert all(each == sorted(each) for each in times.values())


def simulated(export: Path) -> list[dict[str, Any]]:
    ran = dripline("simulate", "--events", str(export))
    assert ran.returncode == 0, ran.stderr
    return [json.loads(line) for line in ran.stdout.splitlines()]


def check_mails(
    caught: Counter[tuple[str, str]],
    foretold: list[dict[str, Any]],
    records: list[dict[str, Any]],
) -> None:
    """The mails caught are those that `simulate` foretells, each once."""
    address = {
        record["key"]: record["value"]["traits"]["email"]
        for record in records
        if record["value"].get("type") == "identify"
    }
    subjects = {
        path.parent.name: path.read_text(encoding="utf-8").strip()
        for path in (ROOT / "examples/templates").glob("*/subject.liquid")
    }
    expected = Counter(
        (address[fact["lead"]], subjects[fact["detail"]["template"]])
        for fact in foretold
        if fact["fact"] == "action_issued" and fact["detail"]["verb"] == "send_email"
    )
    assert expected.total() > 10
    assert caught == expected
    assert all(name.endswith("@example.org") for name, _ in caught)


def told_live(bootstrap: str) -> dict[tuple[int, int], list[Any]]:
    """The facts of the run, by the record that they come from."""
    found = {}
    with LogReader(bootstrap) as reader:
        for partition in reader.partitions(JOURNEY_FACTS):
            for record in reader.read(JOURNEY_FACTS, partition):
                told = facts.DECODE(record.value)
                lines = [facts.printed(told, row) for row in told.facts]
                found[told.partition, told.offset] = json.loads(json.dumps(lines))
    return found


def shipped(foretold: list[dict[str, Any]]) -> dict[tuple[int, int], list[Any]]:
    """What `simulate` says, without the two refusals that a live run only counts."""
    found: dict[tuple[int, int], list[Any]] = defaultdict(list)
    for fact in foretold:
        only_counted = fact["detail"].get("reason") in ONLY_COUNTED_LIVE
        if not (fact["fact"] == "entry_refused" and only_counted):
            found[fact["cause"]["partition"], fact["cause"]["offset"]].append(fact)
    return dict(found)
