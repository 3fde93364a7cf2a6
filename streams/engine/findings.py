"""Findings as they are gathered: a code, where, and what to write instead.

A path is written as in campaign-language, "Steps": `steps[2].then[0].wait`; "" is the document.
"""

from __future__ import annotations

from typing import Any, Final

from msgspec import Struct, field

from schemas.campaigns import Finding
from schemas.language import CODES

ROOT: Final = ""


class Positions(Struct):
    """Where the nodes of a document stand: (line, column) from 1, of values and of keys."""

    file: str = ""
    values: dict[str, tuple[int, int]] = field(default_factory=dict)
    keys: dict[str, tuple[int, int]] = field(default_factory=dict)

    def of(self, path: str, *, key: bool = False) -> tuple[int, int]:
        """Of the value at a path (or of its key); of the nearest node around it if there is none,
        (0, 0) where nothing is known."""
        while True:
            found = (self.keys if key else self.values).get(path) or self.values.get(path)
            if found is not None or path == ROOT:
                return found or (0, 0)
            path = parent(path)


def parent(path: str) -> str:
    """The path of what holds this: `steps[2].then` of `steps[2].then[0]`."""
    return path[: max(path.rfind("."), path.rfind("["), 0)]


def child(path: str, key: Any) -> str:
    """The path of a key's value."""
    name = key if isinstance(key, str) else repr(key)
    return f"{path}.{name}" if path else name


class Findings:
    """What lint has to say about one document, in the order found."""

    def __init__(self, positions: Positions | None = None) -> None:
        self._positions = positions or Positions()
        self._found: list[Finding] = []

    def add(
        self,
        code: str,
        path: str,
        message: str,
        *,
        key: bool = False,
        at: tuple[int, int] | None = None,
    ) -> None:
        """One finding at the value of a path, with `key` at its key, or `at` (line, column)."""
        line, column = at or self._positions.of(path, key=key)
        severity: Any = CODES[code].severity
        finding = Finding(code, path, message, severity, line, column, self._positions.file)
        if finding not in self._found[-100:]:
            self._found.append(finding)

    def sorted(self) -> list[Finding]:
        """All of them, by line and column; those without stay in the order found."""
        return sorted(self._found, key=lambda finding: (finding.line, finding.column))
