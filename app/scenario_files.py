"""Scenario files as they lie on the disk: found, run, told of (`dripline test`)."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import orjson

from schemas.errors import UsageError
from streams.engine.yaml_reading import load_yaml
from streams.simulation.happened import Difference
from streams.simulation.scenario import ScenarioResult, run_scenario
from streams.simulation.scenario_reading import is_scenario

_KEY = re.compile(r"^[\"']?scenario[\"']?\s*:", re.MULTILINE)


def run_paths(paths: Iterable[Path | str], *, json: bool = False) -> int:
    """Run every scenario below the paths, a line each, and give the exit status.

    0 when all passed, 1 when any failed. Raises `UsageError` for a path that is not there, and
    where there is no scenario at all.
    """
    passed = failed = 0
    for path in _files(paths):
        result = run_file(path)
        if result is None:
            continue
        passed, failed = passed + result.passed, failed + (not result.passed)
        _tell(path, result, json)
    if json:
        _write(orjson.dumps({"passed": passed, "failed": failed}).decode())
    else:
        _write(f"{passed} passed, {failed} failed")
    if not passed and not failed:
        raise UsageError("there is no scenario: a scenario file has the key `scenario`")
    return 1 if failed else 0


def run_file(path: Path) -> ScenarioResult | None:
    """Run one file; None when it is no scenario.

    One that cannot be read is a scenario that failed, if it seems to be one.
    """
    text = _text(path)
    document, _, findings = load_yaml(text, str(path))
    if findings:
        if not _KEY.search(text):
            return None
        lines = [f"line {finding.line}: {finding.message}" for finding in findings]
        name = document["scenario"] if is_scenario(document) else path.stem
        return ScenarioResult(str(name), [Difference("scenario", lines)])
    if not is_scenario(document):
        return None
    return run_scenario(document, lambda named: _document(path.parent / named))


def _files(paths: Iterable[Path | str]) -> Iterator[Path]:
    """Files as named, and every *.yaml below a directory, in order; each once."""
    seen: set[Path] = set()
    for path in map(Path, paths):
        if path.is_dir():
            found = sorted(p for p in path.rglob("*.yaml") if p.is_file())
        elif path.is_file():
            found = [path]
        else:
            raise UsageError(f"there is no file or directory {path}")
        for one in found:
            if one.resolve() not in seen:
                seen.add(one.resolve())
                yield one


def _document(path: Path) -> Any:
    """The document of a campaign or list that a scenario names by its path."""
    document, _, findings = load_yaml(_text(path), str(path))
    if findings:
        raise UsageError(f"{path}, line {findings[0].line}: {findings[0].message}")
    return document


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise UsageError(f"{path} is not UTF-8 text (byte {error.start})") from None


def _tell(path: Path, result: ScenarioResult, json: bool) -> None:
    if json:
        told = {
            "scenario": result.name,
            "path": str(path),
            "passed": result.passed,
            "differences": [
                {"part": difference.part, "lines": difference.lines}
                for difference in result.differences
            ],
        }
        _write(orjson.dumps(told).decode())
        return
    _write(f"{'ok  ' if result.passed else 'FAIL'} {result.name} ({path})")
    for difference in result.differences:
        for line in difference.lines:
            _write(f"     {line}")


def _write(line: str) -> None:
    sys.stdout.write(line + "\n")
