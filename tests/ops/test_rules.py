"""Prometheus' rules are right, tested, and each alert has a runbook whose commands exist."""

import re
from pathlib import Path

import pytest

from app import cli, metrics
from app.settings import Settings, variable
from tests.app.test_reference import commands
from tests.ops.prometheus import (
    FOLDER,
    RUNBOOKS,
    families,
    loaded,
    promtool,
    rule_expressions,
    rules,
)

ALERTS = {rule["alert"]: rule for rule in rules("alert")}
RUNBOOK_FILES = sorted(RUNBOOKS.glob("*.md"))
DECLARED = {
    each._name + ("_total" if each._type == "counter" else "")
    for each in vars(metrics).values()
    if hasattr(each, "_documentation")
}


def test_configuration_and_rules_are_valid() -> None:
    promtool("check", "config", "prometheus.yml")


@pytest.mark.parametrize(
    "file", sorted((FOLDER / "tests").glob("*.test.yml")), ids=lambda f: f.name
)
def test_rules_do_what_their_tests_say(file: Path) -> None:
    promtool("test", "rules", str(file))


def test_every_alert_is_tested_firing_and_quiet() -> None:
    seen: dict[str, set[bool]] = {}
    for case in loaded("tests/alerts.test.yml")["tests"]:
        for one in case["alert_rule_test"]:
            seen.setdefault(one["alertname"], set()).add(bool(one["exp_alerts"]))

    assert seen == {alert: {True, False} for alert in ALERTS}


def test_every_recorded_series_is_tested() -> None:
    tested = {
        one["expr"]
        for case in loaded("tests/recording.test.yml")["tests"]
        for one in case["promql_expr_test"]
    }

    assert tested == {rule["record"] for rule in rules("record")}


def test_rules_name_only_metrics_that_exist() -> None:
    named = set().union(*map(families, rule_expressions()))

    assert named <= DECLARED
    assert len(named) > 10


def test_rules_name_only_series_that_are_recorded() -> None:
    recorded = {rule["record"] for rule in rules("record")}
    used = {
        name
        for expression in rule_expressions()
        for name in re.findall(r"[a-z]+:[a-z0-9_]+:[a-z0-9_]+", expression)
    }

    assert used <= recorded


def test_alerts_and_runbooks_go_together() -> None:
    assert {file.stem for file in RUNBOOK_FILES} == set(ALERTS)


@pytest.mark.parametrize("alert", ALERTS)
def test_every_alert_says_what_to_do(alert: str) -> None:
    rule = ALERTS[alert]

    assert set(rule["annotations"]) == {"summary", "description", "runbook_url"}
    assert rule["annotations"]["runbook_url"] == f"ops/runbooks/{alert}.md"
    assert rule["labels"]["severity"] in ("warning", "critical")


@pytest.mark.parametrize("file", RUNBOOK_FILES, ids=lambda file: file.stem)
def test_runbooks_have_their_parts(file: Path) -> None:
    text = file.read_text(encoding="utf-8")
    titles = re.findall(r"^#+ .*$", text, re.MULTILINE)

    assert titles[1:] == ["## Meaning", "## Impact", "## Diagnosis", "## Mitigation"]
    assert titles[0] == f"# {file.stem}"


@pytest.mark.parametrize("file", RUNBOOK_FILES, ids=lambda file: file.stem)
def test_runbooks_are_true(file: Path) -> None:
    """Metrics, commands, settings and pages that they name exist."""
    text = file.read_text(encoding="utf-8")
    known = set(commands(cli.app))
    for words in re.findall(r"`dripline ([a-z][^`]*)`", text):
        assert any(f"{words} ".startswith(f"{command} ") for command in known), words
    assert families(text) <= DECLARED
    settings = {variable(name) for name in Settings.model_fields}
    assert set(re.findall(r"DRIPLINE_[A-Z_]+", text)) <= settings
    for target in re.findall(r"\]\(([^)]+)\)", text):
        assert (RUNBOOKS / target).is_file(), target
