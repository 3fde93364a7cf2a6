"""Every panel asks Prometheus, in PromQL that parses, for what exists."""

import json
import re
from pathlib import Path

import pytest
import yaml

from tests.ops.compose import SERVICES
from tests.ops.dashboards import FILES, GRAFANA, panel_expressions, panels
from tests.ops.prometheus import families, promtool, rules
from tests.ops.test_rules import DECLARED


def test_every_expression_parses(tmp_path: Path) -> None:
    """promtool checks rules, not expressions: each becomes one."""
    recorded = [
        {"record": f"panel:{number}", "expr": expression}
        for number, expression in enumerate(panel_expressions())
    ]
    file = tmp_path / "panels.yml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "panels", "rules": recorded}]}))

    assert f"{len(recorded)} rules found" in promtool("check", "rules", "--lint=none", str(file))
    assert len(recorded) > 20


def test_metrics_and_recorded_series_exist() -> None:
    recorded = {rule["record"] for rule in rules("record")}
    for expression in panel_expressions():
        assert families(expression) <= DECLARED, expression
        assert set(re.findall(r"[a-z]+:[a-z0-9_]+:[a-z0-9_]+", expression)) <= recorded
        assert "$" not in expression


def test_panels_use_the_data_source_that_is_provisioned() -> None:
    file = GRAFANA / "provisioning" / "datasources" / "prometheus.yml"
    known = {one["uid"] for one in yaml.safe_load(file.read_text())["datasources"]}

    used = {target["datasource"]["uid"] for panel in panels() for target in panel["targets"]}
    assert used == known


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_panels_have_numbers_of_their_own_and_do_not_overlap(file: Path) -> None:
    all_panels = json.loads(file.read_text(encoding="utf-8"))["panels"]
    covered: set[tuple[int, int]] = set()

    assert len({panel["id"] for panel in all_panels}) == len(all_panels)
    for panel in all_panels:
        place = panel["gridPos"]
        cells = {
            (place["x"] + x, place["y"] + y) for x in range(place["w"]) for y in range(place["h"])
        }
        assert not cells & covered, panel["title"]
        assert place["x"] + place["w"] <= 24
        covered |= cells


def test_grafana_finds_what_compose_gives_it() -> None:
    mounted = dict(
        volume.split(":")[:2] for volume in SERVICES["grafana"]["volumes"] if volume[0] == "."
    )
    provider = GRAFANA / "provisioning" / "dashboards" / "dripline.yml"
    (path,) = (one["options"]["path"] for one in yaml.safe_load(provider.read_text())["providers"])

    assert mounted["./ops/grafana/dashboards"] == path
    assert mounted["./ops/grafana/provisioning"] == "/etc/grafana/provisioning"
