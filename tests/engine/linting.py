"""What the tests of lint share."""

from __future__ import annotations

from textwrap import dedent

from schemas.campaigns import Finding
from streams.engine.lint import Known, lint_campaign
from streams.engine.yaml_reading import load_yaml


def lint(text: str, known: Known | None = None) -> list[Finding]:
    document, positions, findings = load_yaml(dedent(text), "campaign.yaml")
    assert findings == []
    return lint_campaign(document, positions, known)


def with_steps(steps: str, header: str = "") -> str:
    return (
        f"campaign: c\nenter: {{event: E}}\n{header}\nsteps:\n"
        + "\n".join(f"  {line}" for line in dedent(steps).strip().split("\n"))
        + "\n"
    )


def places(findings: list[Finding]) -> list[tuple[str, str]]:
    return [(finding.code, finding.path) for finding in findings]
