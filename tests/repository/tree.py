"""The files of the repository: those that git tracks, and new ones it does not ignore."""

import ast
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
ROOMS = ("app", "projections", "schemas", "streams")


@cache
def files() -> tuple[Path, ...]:
    """Give every file of the tree, absolute, in order of name."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=ROOT,
        capture_output=True,
        check=True,
    ).stdout.decode()
    paths = (ROOT / name for name in sorted(set(listed.split("\0"))) if name)
    return tuple(path for path in paths if path.is_file())


def product_modules() -> Iterator[Path]:
    """Give the Python files of the four rooms."""
    for path in files():
        if path.suffix == ".py" and path.relative_to(ROOT).parts[0] in ROOMS:
            yield path


def name(path: Path) -> str:
    """Give a file's name as messages show it, relative to the checkout."""
    return path.relative_to(ROOT).as_posix()


@cache
def syntax(path: Path) -> ast.Module:
    """Give the parsed module."""
    return ast.parse(path.read_text(), filename=str(path))
