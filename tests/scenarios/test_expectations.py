"""Scenarios that say something slightly else fail: their expectations are compared, all of them."""

from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from app.scenario_files import run_file
from schemas.facts import iso
from streams.engine.yaml_reading import load_yaml
from streams.simulation.scenario import run_scenario
from streams.simulation.scenario_values import instant
from tests.scenarios.test_scenarios import FILES, HERE


def later(row: dict[str, Any]) -> dict[str, Any]:
    """The row a millisecond later, or about somebody else."""
    key = "due" if row.get("due") else "at"
    if row.get(key):
        return {**row, key: iso(instant(row[key], key) + 1)}
    return {**row, "lead": "nobody"}


def twisted(document: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    """The document with one expectation changed, for each of them."""
    found = []

    def add(what: str, key: str, rows: Any) -> None:
        found.append((what, {**deepcopy(document), key: rows}))

    for key in ("then", "suppressed", "waiting"):
        rows = document.get(key) or []
        for index, row in enumerate(rows):
            if key != "waiting":  # which names the leads that it is about
                add(f"{key}[{index}] left out", key, rows[:index] + rows[index + 1 :])
            add(f"{key}[{index}] later", key, [*rows[:index], later(row), *rows[index + 1 :]])
    for index, row in enumerate(document.get("facts", [])):
        add(f"facts[{index}]", "facts", [{**row, "lead": "nobody"}])
        add(f"facts[{index}] never", "never", [row])
    for index, row in enumerate(document.get("never", [])):
        add(f"never[{index}] as a fact", "facts", [row])
    for index, row in enumerate(document.get("finally", [])):
        for name, value in other(row).items():
            add(f"finally[{index}].{name}", "finally", [{"lead": row["lead"], name: value}])
    for index, row in enumerate(document.get("lint", [])):
        add(f"lint[{index}]", "lint", [{**row, "message": "another"}])
    return found


def other(row: dict[str, Any]) -> dict[str, Any]:
    """Another value for each thing that a row of `finally` names."""
    values: dict[str, Any] = {}
    if "points" in row:
        values["points"] = row["points"] + 1
    for name in ("lists", "tags", "unsubscribed"):
        if name in row:
            values[name] = [*row[name], "another"]
    if row.get("traits"):
        values["traits"] = dict.fromkeys(row["traits"], "another")
    if row.get("journeys"):
        values["journeys"] = {name: ["another"] for name in row["journeys"]}
    return values


def load(folder: Path) -> Any:
    """Files that a scenario names."""
    return lambda path: load_yaml((folder / path).read_text())[0]


@pytest.mark.parametrize("name", FILES)
def test_a_twisted_expectation_fails(name: str) -> None:
    path = HERE / f"{name}.yaml"
    document = load_yaml(path.read_text())[0]
    result = run_file(path)
    assert result is not None
    assert result.passed

    changed = twisted(document)

    assert changed, "the scenario expects nothing at all"
    unseen = [what for what, one in changed if run_scenario(one, load(path.parent)).passed]
    assert unseen == []
