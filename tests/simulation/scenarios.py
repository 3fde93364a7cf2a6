"""Scenarios written in a test."""

from textwrap import dedent
from typing import Any

from schemas.errors import UsageError
from streams.engine.yaml_reading import load_yaml
from streams.simulation.scenario import ScenarioResult, run_scenario

CAMPAIGN = """
campaign:
  campaign: nurture
  enter: [{event: Signed Up}]
  steps: [{send_email: hello, id: mail}, {wait: 1 day}, {change_points: 5}]
given: [{lead: ana, traits: {email: ana@example.com}}]
when: [{at: 2026-01-05T10:00:00Z, lead: ana, event: Signed Up}]
"""


def document(text: str, base: str = CAMPAIGN) -> dict[str, Any]:
    """A scenario's document: `base` with the keys of `text` over it."""
    read: dict[str, Any] = {"scenario": "In a test"}
    for part in filter(None, (base, text)):
        found, _, findings = load_yaml(dedent(part).lstrip("\n"))
        assert not findings, findings
        read |= found
    return read


def run(text: str, base: str = CAMPAIGN, files: dict[str, str] | None = None) -> ScenarioResult:
    """Run a scenario; `files` lie behind the paths that it names."""

    def load(path: str) -> Any:
        if path not in (files or {}):
            raise UsageError(f"cannot read {path}")
        return load_yaml((files or {})[path])[0]

    return run_scenario(document(text, base), load)


def lines(result: ScenarioResult) -> list[str]:
    """All lines of all differences."""
    return [line for difference in result.differences for line in difference.lines]
