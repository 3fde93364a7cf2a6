"""What `make setup` installs is this checkout, from public registries, in pinned versions."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.repository.tree import ROOMS, ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
MAKEFILE = (ROOT / "Makefile").read_text()
PUBLIC_HOSTS = {"pypi.org", "files.pythonhosted.org"}


def normalised(requirement: str) -> str:
    """Give the package's name of a requirement as PEP 503 compares it."""
    found = re.match(r"[A-Za-z0-9._-]+", requirement)
    assert found is not None, requirement
    return re.sub(r"[-_.]+", "-", found[0]).lower()


@pytest.mark.parametrize("room", ROOMS)
def test_rooms_come_from_this_checkout(room: str, tmp_path: Path) -> None:
    """No dependency may bring an `app` of its own."""
    said = subprocess.run(
        [sys.executable, "-c", f"import {room}; print({room}.__file__)"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )

    assert Path(said.stdout.strip()) == ROOT / room / "__init__.py"


def test_lock_names_public_hosts_only() -> None:
    lock = (ROOT / "uv.lock").read_text()

    hosts = {urlsplit(url).hostname for url in re.findall(r"https?://[^\"\s]+", lock)}

    assert hosts == PUBLIC_HOSTS


def test_uv_is_pinned_once() -> None:
    pinned = re.search(r"^UV_VERSION := (\S+)$", MAKEFILE, re.MULTILINE)
    assert pinned is not None

    assert f"uv=={pinned[1]}" in PROJECT["dependency-groups"]["dev"]


def test_every_dependency_has_licence_and_reason() -> None:
    decided = (ROOT / "docs" / "adr" / "0006-dependencies.md").read_text()
    rows = re.findall(r"^\| (\S+) \| ([^|]+) \| ([^|]+) \|$", decided, re.MULTILINE)
    named = [package for package, *_ in rows if package not in ("package", "---")]

    wanted = {
        normalised(requirement)
        for requirement in (
            *PROJECT["project"]["dependencies"],
            *PROJECT["dependency-groups"]["dev"],
            *PROJECT["build-system"]["requires"],
        )
    }

    assert sorted(named) == sorted(wanted)


def test_every_target_is_explained() -> None:
    phony = re.search(r"^\.PHONY: (.+)$", MAKEFILE, re.MULTILINE)
    assert phony is not None

    explained = re.findall(r"^([a-z]+):.*## \S", MAKEFILE, re.MULTILINE)

    assert explained == phony[1].split()
    assert {"help", "setup", "demo", "test", "check", "fmt"} <= set(explained)
    assert {"bench", "faults", "docs", "clean"} <= set(explained)
