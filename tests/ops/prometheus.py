"""Prometheus' files of the repository, and Debian's programs that read them."""

import re
import shutil
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from tests.repository.tree import ROOT

FOLDER = ROOT / "ops" / "prometheus"
RUNBOOKS = ROOT / "ops" / "runbooks"
METRIC = re.compile(r"(?<![\w:])dripline_[a-z_]+")
PARTS = re.compile(r"_(bucket|count|sum)$")


def program(name: str) -> str:
    """The path of Debian's `prometheus` or `promtool`."""
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"no {name}: apt-get install prometheus")
    return found


def promtool(*words: str) -> str:
    """Run promtool; everything it said. Fails when it finds fault."""
    done = subprocess.run(
        [program("promtool"), *words],
        cwd=FOLDER, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
    return done.stdout


def loaded(path: str) -> Any:
    return yaml.safe_load((FOLDER / path).read_text(encoding="utf-8"))


def rules(kind: str) -> Iterator[dict[str, Any]]:
    """Every rule of a kind, `alert` or `record`."""
    for file in sorted((FOLDER / "rules").glob("*.yml")):
        for group in yaml.safe_load(file.read_text(encoding="utf-8"))["groups"]:
            yield from (rule for rule in group["rules"] if kind in rule)


def families(expression: str) -> set[str]:
    """The metrics of ours that a PromQL expression names; a histogram's parts are one."""
    return {PARTS.sub("", name) for name in METRIC.findall(expression)}


def rule_expressions() -> list[str]:
    return [str(rule["expr"]) for kind in ("alert", "record") for rule in rules(kind)]
