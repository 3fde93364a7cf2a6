"""Grafana's dashboards of the repository, as data."""

import json
from collections.abc import Iterator
from typing import Any

from tests.repository.tree import ROOT

GRAFANA = ROOT / "ops" / "grafana"
FILES = sorted((GRAFANA / "dashboards").glob("*.json"))


def panels() -> Iterator[dict[str, Any]]:
    """Every panel but rows."""
    for file in FILES:
        for panel in json.loads(file.read_text(encoding="utf-8"))["panels"]:
            if panel["type"] != "row":
                yield panel


def panel_expressions() -> list[str]:
    """Every PromQL expression, with Grafana's own variable filled in."""
    return [
        target["expr"].replace("$__rate_interval", "1m")
        for panel in panels()
        for target in panel["targets"]
    ]
