"""In CI (DRIPLINE_REQUIRE_REAL=1) a skip that nobody allowed is a failure."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT

SKIPS = {
    "in a test": "def test_it():\n    pytest.skip('no such part')\n",
    "by a mark": "@pytest.mark.skip(reason='no such part')\ndef test_it():\n    pass\n",
    "in a fixture": (
        "@pytest.fixture\ndef part():\n    pytest.skip('no such part')\n"
        "def test_it(part):\n    pass\n"
    ),
    "of a module": "pytest.skip('no such part', allow_module_level=True)\n",
}


def run(test: Path, require_real: str) -> subprocess.CompletedProcess[str]:
    """Run one test file with the hooks of tests/conftest.py and nothing else of this project."""
    return subprocess.run(
        [
            *(sys.executable, "-m", "pytest", "-q", "-c", os.devnull),
            *("-p", "tests.conftest", "-p", "no:cacheprovider", str(test)),
        ],
        cwd=ROOT,
        env={**os.environ, "DRIPLINE_REQUIRE_REAL": require_real},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("where", SKIPS)
def test_skip_fails_where_real_parts_are_required(tmp_path: Path, where: str) -> None:
    test = tmp_path / "test_part.py"
    test.write_text("import pytest\n" + SKIPS[where])

    done = run(test, require_real="1")

    assert done.returncode not in (0, 5), done.stdout
    assert "no such part" in done.stdout
    assert "skipped" not in done.stdout.splitlines()[-1]


def test_newcomer_may_skip(tmp_path: Path) -> None:
    test = tmp_path / "test_part.py"
    test.write_text("import pytest\n" + SKIPS["in a test"])

    done = run(test, require_real="")

    assert done.returncode == 0, done.stdout
    assert done.stdout.splitlines()[-1].startswith("1 skipped")
