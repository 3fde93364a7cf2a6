"""The JSON Schema that editors complete by agrees with lint, on the campaigns of the scenarios."""

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from streams.engine.lint import lint_campaign
from streams.engine.yaml_reading import load_yaml
from tests.conftest import ROOT

SCHEMA = json.loads((ROOT / "schemas" / "json" / "campaign.schema.json").read_text())
VALIDATOR = jsonschema.validators.validator_for(SCHEMA)(SCHEMA)
SCENARIOS = ROOT / "tests" / "scenarios"
# What a schema can see: the shape of a document, not what its texts mean.
SHAPE = {"unknown-key", "missing-key", "no-verb", "two-verbs"}


def campaigns(path: Path) -> list[dict[str, Any]]:
    """All campaigns of a scenario, those of its rows too."""
    document = load_yaml(path.read_text())[0]
    found = [*document.get("campaigns", []), *filter(None, [document.get("campaign")])]
    return found + [row["document"] for row in document.get("when", []) if "document" in row]


def names() -> list[str]:
    """The scenarios, by name."""
    paths = sorted(SCENARIOS.rglob("*.yaml"))
    return [path.relative_to(SCENARIOS).with_suffix("").as_posix() for path in paths]


@pytest.mark.parametrize("name", names())
def test_schema_and_lint_agree(name: str) -> None:
    for campaign in campaigns(SCENARIOS / f"{name}.yaml"):
        errors = {f.code for f in lint_campaign(campaign, None, None) if f.severity == "error"}
        complaints = [error.message for error in VALIDATOR.iter_errors(campaign)]

        if not errors:
            assert complaints == []
        if errors & SHAPE:
            assert complaints != []
