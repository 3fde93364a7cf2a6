"""A campaigns directory as it lies on the disk: read, linted, turned into changes.

`campaigns/*.yaml`, `lists/*.yaml`, `templates/<name>/{subject.liquid,body.html.liquid,
body.txt.liquid}` (or `body.mjml`). A single campaign or list file is fine where nothing else is
named; if it lies in such a directory, the lists and templates beside it are known.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from schemas.campaigns import Finding
from schemas.changes import Change, digest_of
from schemas.errors import UsageError
from streams.engine.lint import Known, lint_campaign, lint_list
from streams.engine.liquid_paths import BadTemplate, paths
from streams.engine.yaml_reading import Positions, load_yaml

Kind = Literal["campaign", "list"]
TEMPLATE_PARTS = {
    "subject.liquid": "subject",
    "body.html.liquid": "html",
    "body.txt.liquid": "text",
    "body.mjml": "mjml",
}
FILE_BYTES_MAX = 1024 * 1024
_ENDINGS = (".yaml", ".yml")
_KINDS: tuple[Kind, ...] = ("list", "campaign")


@dataclass(frozen=True)
class Source:
    """One YAML file. `document` is None when it could not be read; `id` "" when it has none."""

    path: Path
    kind: Kind
    document: Any
    positions: Positions
    findings: tuple[Finding, ...]

    @property
    def id(self) -> str:
        """The campaign's or list's id, as far as it is a text."""
        value = self.document.get(self.kind) if isinstance(self.document, dict) else None
        return value if isinstance(value, str) else ""


@dataclass
class CampaignFiles:
    """What was read from one or more paths; templates are `{subject, html, text, mjml}` by name.

    `beside` are names of lists and templates that exist next to a single file without being part
    of what was asked for; `partial` tells that a single file is among them.
    """

    sources: list[Source] = field(default_factory=list)
    templates: dict[str, dict[str, str]] = field(default_factory=dict)
    template_findings: list[Finding] = field(default_factory=list)
    partial: bool = False
    beside_lists: set[str] = field(default_factory=set)
    beside_templates: dict[str, dict[str, str]] = field(default_factory=dict)

    def of(self, kind: Kind) -> list[Source]:
        """The files of one kind, in order of their paths."""
        return [source for source in self.sources if source.kind == kind]

    def known(self) -> Known:
        """What the documents may name; a campaign file all alone may name any list."""
        lists = frozenset(s.id for s in self.of("list")) | frozenset(self.beside_lists)
        return Known(
            templates=frozenset(self.templates) | frozenset(self.beside_templates),
            lists=None if self.partial and not lists else lists,
            connectors=frozenset(),
            campaigns=self._campaign_ids(),
            rules={
                source.id: rule
                for source in self.of("list")
                if isinstance(source.document, dict)
                and isinstance(rule := source.document.get("when"), str)
            },
        )

    def _campaign_ids(self) -> frozenset[str] | None:
        """All campaigns, where a whole directory was read; else it is not known."""
        return None if self.partial else frozenset(source.id for source in self.of("campaign"))

    def lint(self) -> list[Finding]:
        """Every finding, file by file; within a file by line."""
        known = self.known()
        found = list(self.template_findings)
        seen: dict[tuple[str, str], Source] = {}
        for source in self.sources:
            found += source.findings
            if source.document is None:
                continue
            if source.kind == "campaign":
                found += lint_campaign(source.document, source.positions, known)
            else:
                found += lint_list(source.document, source.positions, known)
            first = seen.setdefault((source.kind, source.id), source)
            if source.id and first is not source:
                found.append(_twice(source, first))
        return found

    def changes(self, by: str = "") -> list[Change]:
        """What publishing means, in the order to append: lists, templates, campaigns."""
        templates = [
            Change("template", name, "publish", dict(parts), digest_of(parts), by)
            for name, parts in sorted(self.templates.items())
        ]
        lists, campaigns = (
            [
                Change(source.kind, source.id, "publish", doc, digest_of(doc), by)
                for source in self.of(kind)
                if isinstance(doc := source.document, dict)
            ]
            for kind in _KINDS
        )
        return [*lists, *templates, *campaigns]


def load(named: Iterable[Path]) -> CampaignFiles:
    """Read directories and single files. Raises `UsageError` for what is neither."""
    files = CampaignFiles()
    for path in named:
        if path.is_dir():
            _load_directory(path, files)
        elif path.is_file():
            source = _load_yaml(path)
            files.sources.append(source)
            files.partial = True
            _look_beside(path, files)
        else:
            raise UsageError(f"there is no file or directory {path}")
    return files


def _load_directory(folder: Path, files: CampaignFiles) -> None:
    found = False
    for kind in _KINDS:
        for path in _yaml_files(folder / f"{kind}s"):
            files.sources.append(_load_yaml(path, kind))
            found = True
    for path in _folders(folder / "templates"):
        files.templates[path.name] = _load_template(path, files.template_findings)
        found = True
    if not found:
        raise UsageError(
            f"{folder} holds no campaigns: a campaigns directory has campaigns/*.yaml, "
            "lists/*.yaml and templates/<name>/"
        )


def _look_beside(path: Path, files: CampaignFiles) -> None:
    """What a single file of a campaigns directory may name, though it is not asked for."""
    if path.parent.name not in ("campaigns", "lists"):
        return
    folder = path.parent.parent
    files.beside_lists |= {_load_yaml(each, "list").id for each in _yaml_files(folder / "lists")}
    for each in _folders(folder / "templates"):
        files.beside_templates[each.name] = _load_template(each, [])


def _load_yaml(path: Path, kind: Kind | None = None) -> Source:
    document, positions, findings = load_yaml(_text(path), str(path))
    if kind is None:
        is_list = isinstance(document, dict) and "list" in document and "campaign" not in document
        kind = "list" if is_list else "campaign"
    return Source(path, kind, document, positions, tuple(findings))


def _load_template(folder: Path, findings: list[Finding]) -> dict[str, str]:
    parts: dict[str, str] = {}
    for path in sorted(p for p in folder.iterdir() if p.is_file() and not p.name.startswith(".")):
        part = TEMPLATE_PARTS.get(path.name)
        if part is None:
            known = ", ".join(TEMPLATE_PARTS)
            findings.append(
                _finding("bad-template", path, f"a template is made of {known}; this is none")
            )
            continue
        parts[part] = _text(path)
        try:
            paths(parts[part])
        except BadTemplate as error:
            findings.append(_finding("bad-template", path, str(error), error.line, error.column))
    if not parts.keys() & {"html", "text", "mjml"}:
        findings.append(
            _finding("bad-template", folder, "it has no body: write body.html.liquid or "
                     "body.txt.liquid")
        )  # fmt: skip
    if "subject" in parts:
        parts["subject"] = parts["subject"].strip()
    return parts


def _text(path: Path) -> str:
    try:
        if path.stat().st_size > FILE_BYTES_MAX:
            raise UsageError(f"{path} is over 1 MiB: that is no campaign file")
        return path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise UsageError(f"{path} is not UTF-8 text (byte {error.start})") from None


def _yaml_files(folder: Path) -> list[Path]:
    if not folder.is_dir():
        return []
    return sorted(path for path in folder.iterdir() if path.suffix in _ENDINGS)


def _folders(folder: Path) -> Iterator[Path]:
    if folder.is_dir():
        yield from sorted(path for path in folder.iterdir() if path.is_dir())


def _twice(source: Source, first: Source) -> Finding:
    line, column = source.positions.of(source.kind)
    return _finding(
        "duplicate-id",
        source.path,
        f"the {source.kind} `{source.id}` is also in {first.path}",
        line,
        column,
    )


def _finding(code: str, path: Path, message: str, line: int = 0, column: int = 0) -> Finding:
    return Finding(code, "", message, "error", line, column, str(path))
