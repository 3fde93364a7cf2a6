"""YAML 1.2, core schema, read safely, with the position of every node.

Only `true` and `false` are booleans, `on` is a key and `NO` a text, numbers are decimal (or `0x`,
`0o`), dates stay text. Refused: aliases, anchors, merge keys, tags, duplicate keys, keys that are
no text, several documents, over 1 MiB (campaign-language, first section).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

import yaml
from yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    Event,
    MappingEndEvent,
    MappingStartEvent,
    NodeEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)

from schemas.campaigns import Finding
from streams.engine.findings import ROOT, Findings, Positions, child

__all__ = ["MAX_BYTES", "Positions", "load_yaml"]

MAX_BYTES: Final = 1024 * 1024
MAX_DEPTH: Final = 100

_LOADER: Final = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_NULL: Final = frozenset({"", "~", "null", "Null", "NULL"})
_BOOLEAN: Final = {
    "true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False,
}  # fmt: skip
_INTEGER = re.compile(r"[-+]?[0-9]+", re.ASCII)
_OCTAL = re.compile(r"0o[0-7]+", re.ASCII)
_HEXADECIMAL = re.compile(r"0x[0-9a-fA-F]+", re.ASCII)
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?", re.ASCII)
_NO_NUMBER = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)", re.ASCII)
_STRING_TAGS: Final = ("!", "tag:yaml.org,2002:str")
_NODE_TAGS: Final = ("!", "tag:yaml.org,2002:map", "tag:yaml.org,2002:seq")
_START: Final = r"^\s*(?:- +)*(?:[\w.-]+: +)?"
_QUOTED_START = re.compile(_START + r"""(?:"(?:[^"\\]|\\.)*"|'[^']*')\s*[^\s#,\]}:]""")
_SIGN_START = re.compile(_START + r"(?:([*&!%@`])|([\[{]).*[\]}]\s*[^\s#,\]}])")


def load_yaml(text: str, file: str = "") -> tuple[Any, Positions, list[Finding]]:
    """The document as plain data, the positions of its nodes, and what is refused in it.

    Never raises. With findings the document is what could still be read: None after a syntax
    error.
    """
    positions = Positions(file)
    findings = Findings(positions)
    size = len(text.encode(errors="replace"))
    if size > MAX_BYTES:
        findings.add("yaml", ROOT, f"the file has {size} bytes, at most {MAX_BYTES} are read")
        return None, positions, findings.sorted()
    reader = _Reader(positions, findings)
    try:
        reader.read(yaml.parse(text, Loader=_LOADER))
    except yaml.YAMLError as error:
        reader.document = None
        line, column, message = _explained(error, text)
        findings.add("yaml", ROOT, message, at=(line, column))
    except UnicodeEncodeError:
        findings.add("yaml", ROOT, "the file holds half a character (a lone surrogate)")
    return reader.document, positions, findings.sorted()


class _Open:
    """A mapping or sequence that is being read; `key` is the pending key of a mapping, and
    `refused` tells that its value is read but not kept."""

    __slots__ = ("data", "key", "path", "refused")

    def __init__(self, data: Any, path: str) -> None:
        self.data = data
        self.path = path
        self.key: str | None = None
        self.refused = False


class _Reader:
    def __init__(self, positions: Positions, findings: Findings) -> None:
        self._positions = positions
        self._findings = findings
        self._stack: list[_Open] = []
        self._documents = 0
        self.document: Any = None

    def read(self, events: Iterator[Event]) -> None:
        """Take the parser's events one after the other."""
        depth = 0  # of a part that is left out
        for event in events:
            if isinstance(event, DocumentStartEvent):
                self._documents += 1
                if self._documents > 1:
                    self._refuse(event, "the file holds several documents: write one file each")
                    return
            if isinstance(event, MappingEndEvent | SequenceEndEvent):
                if depth:
                    depth -= 1
                else:
                    self._stack.pop()
            elif not isinstance(event, NodeEvent):
                continue
            elif depth:
                depth += isinstance(event, MappingStartEvent | SequenceStartEvent)
            elif not self._node(event) and isinstance(
                event, MappingStartEvent | SequenceStartEvent
            ):
                depth = 1
        if self._documents == 0:
            self._findings.add("yaml", ROOT, "the file is empty")

    def _node(self, event: NodeEvent) -> bool:
        """Take one node in; False when it was refused and what is in it is left out."""
        if isinstance(event, AliasEvent):
            self._refuse(event, f"aliases are not read: quote the text if `*{event.anchor}` is one")
            return self._put(event, None)
        if event.anchor is not None:
            self._refuse(event, f"anchors are not read: quote the text if `&{event.anchor}` is one")
        top = self._stack[-1] if self._stack else None
        if top is not None and isinstance(top.data, dict) and top.key is None:
            return self._key(top, event)
        if isinstance(event, ScalarEvent):
            return self._put(event, self._scalar(event))
        tag = getattr(event, "tag", None)
        if tag is not None and tag not in _NODE_TAGS:
            self._refuse(event, f"tags are not read: `{tag}`")
        if len(self._stack) >= MAX_DEPTH:
            self._refuse(event, f"nested more than {MAX_DEPTH} deep")
            return self._put(event, None) and False
        return self._put(event, {} if isinstance(event, MappingStartEvent) else [])

    def _key(self, top: _Open, event: NodeEvent) -> bool:
        """Take in a key; the value of a refused one is still read."""
        value = self._scalar(event) if isinstance(event, ScalarEvent) else None
        if isinstance(event, ScalarEvent) and event.value == "<<" and event.implicit[0]:
            self._refuse(event, "merge keys are not read: write the keys out")
        elif not isinstance(value, str):
            shown = event.value if isinstance(event, ScalarEvent) else "…"
            self._refuse(event, f'a key must be a text: write "{shown}" in quotes')
        elif value in top.data:
            line, _ = self._positions.of(child(top.path, value), key=True)
            self._refuse(event, f"the key `{value}` stands here twice, first in line {line}")
        else:
            top.key = value
            self._positions.keys[child(top.path, value)] = _start(event)
            return True
        top.key, top.refused = "?", True
        return False

    def _put(self, event: NodeEvent, value: Any) -> bool:
        """Put a value where it belongs and open it if it is a container."""
        path = ROOT
        if self._stack:
            top = self._stack[-1]
            if isinstance(top.data, list):
                path = f"{top.path}[{len(top.data)}]"
                top.data.append(value)
            else:
                assert top.key is not None, "a value without a key"
                path = child(top.path, top.key)
                if not top.refused:
                    top.data[top.key] = value
                top.key, top.refused = None, False
        else:
            self.document = value
        self._positions.values[path] = _start(event)
        if isinstance(event, MappingStartEvent | SequenceStartEvent) and value is not None:
            self._stack.append(_Open(value, path))
        return True

    def _scalar(self, event: ScalarEvent) -> Any:
        text: str = event.value
        if event.tag is not None:
            if event.tag not in _STRING_TAGS:
                self._refuse(event, f"tags are not read: `{event.tag}`")
            return text
        if not event.implicit[0]:
            return text
        if text in _NULL:
            return None
        if text in _BOOLEAN:
            return _BOOLEAN[text]
        if _NO_NUMBER.fullmatch(text):
            self._refuse(event, f"`{text}` is no number here: quote it if it is a text")
            return None
        number = _number(text)
        if isinstance(number, str):
            self._refuse(event, f"{number}: quote it if it is a text")
            return None
        return text if number is None else number

    def _refuse(self, event: Event, message: str) -> None:
        path = self._stack[-1].path if self._stack else ROOT
        self._findings.add("yaml", path, message, at=_start(event))


def _number(text: str) -> int | float | str | None:
    """The number of a plain scalar, None when it is none, a text saying why it is refused."""
    base = 10 if _INTEGER.fullmatch(text) else 8 if _OCTAL.fullmatch(text) else 16
    if base != 16 or _HEXADECIMAL.fullmatch(text):
        if len(text) <= 70:
            number = int(text, base)
            if -(1 << 63) <= number < 1 << 63:
                return number
        return "the number is beyond 64 bits"
    if _FLOAT.fullmatch(text):
        value = float(text)
        return value if value not in (float("inf"), float("-inf")) else "the number is too large"
    return None


def _start(event: Event) -> tuple[int, int]:
    mark = event.start_mark
    return (mark.line + 1, mark.column + 1) if mark is not None else (0, 0)


def _explained(error: yaml.YAMLError, text: str) -> tuple[int, int, str]:
    """Line, column and message of a syntax error, with what probably was meant."""
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    problem = str(getattr(error, "problem", "") or getattr(error, "reason", "") or error)
    if mark is None:
        position = getattr(error, "position", 0)
        before = text[: position if isinstance(position, int) else 0]
        return before.count("\n") + 1, len(before) - before.rfind("\n"), f"not YAML: {problem}"
    context = getattr(error, "context_mark", None)
    around = str(getattr(error, "context", ""))
    if context is not None and ("',' or" in problem or "quoted scalar" in around):
        mark = context  # where the bracket or quote was opened
    lines = text.splitlines()
    for number in dict.fromkeys((mark.line, context.line if context else 0, mark.line - 1)):
        if 0 <= number <= mark.line and (hint := _hint(lines, number, problem, around)):
            column = mark.column + 1 if number == mark.line else 1
            return number + 1, column, f"not YAML: {problem}{hint}"
    return mark.line + 1, mark.column + 1, f"not YAML: {problem}"


def _hint(lines: list[str], number: int, problem: str, around: str) -> str:
    line = lines[number] if number < len(lines) else ""
    if _QUOTED_START.match(line) or "quoted scalar" in f"{problem}{around}":
        return (
            ". An expression or text that begins with a quote must be quoted as a whole: "
            "write '\"vip\" in lead.tags'"
        )
    if "',' or" in problem:
        return ". Is every bracket closed, and every text with a comma quoted?"
    if sign := _SIGN_START.match(line):
        return f". A text that begins with `{sign[1] or sign[2]}` must be quoted as a whole"
    if "mapping values are not allowed" in problem:
        return ". A text that holds `: ` must be quoted as a whole"
    if "\t" in line[: len(line) - len(line.lstrip())]:
        return ". Indent with spaces, not with tabs"
    return ""
