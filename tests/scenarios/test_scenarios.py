"""Every scenario file below this folder holds in the simulation."""

from pathlib import Path

import pytest

from app.scenario_files import run_file

HERE = Path(__file__).parent
FILES = sorted(path.relative_to(HERE).with_suffix("").as_posix() for path in HERE.rglob("*.yaml"))


@pytest.mark.parametrize("name", FILES)
def test_scenario(name: str) -> None:
    result = run_file(HERE / f"{name}.yaml")

    assert result is not None, "the file has no key `scenario`"
    lines = [line for difference in result.differences for line in difference.lines]
    assert result.passed, "\n".join([result.name, *lines])
