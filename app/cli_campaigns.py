"""`dripline campaign lint | show | graph | publish`."""

from __future__ import annotations

import getpass
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import cyclopts
import msgspec
from cyclopts import Parameter

from app import terminal
from app.broker_address import with_broker
from app.settings import load_settings
from app.terminal import Json, Url
from schemas.errors import UsageError

if TYPE_CHECKING:
    from app.campaign_files import CampaignFiles, Source
    from schemas.campaigns import Finding

campaigns = cyclopts.App(name="campaign", help="Campaign files: check, look at, publish.")

Paths = Annotated[Path, Parameter(help="Campaigns directories, or single campaign or list files.")]


@campaigns.command
def lint(*paths: Paths, json: Json = False) -> int:
    """Report every finding with file, line and column; 1 when there is an error."""
    files = _load(paths)
    findings = files.lint()
    if json:
        for finding in findings:
            terminal.json_line(msgspec.to_builtins(finding))
    else:
        for finding in findings:
            terminal.say(_written(finding))
        errors = sum(finding.severity == "error" for finding in findings)
        terminal.say(
            f"{len(files.sources)} files, {len(files.templates)} templates: {errors} errors, "
            f"{len(findings) - errors} warnings"
        )
    return 1 if _has_errors(findings) else 0


@campaigns.command
def show(path: Path, /, campaign: str | None = None, *, json: Json = False) -> int:
    """Show what a campaign does, step by step, with the ids that facts and metrics name."""
    from app.campaign_text import described
    from streams.engine.reading import read_campaign

    status = 0
    for source in _chosen(_load([path]), campaign):
        definition, findings = read_campaign(source.document, source.positions)
        if definition is None:
            for finding in [*source.findings, *findings]:
                terminal.say(_written(finding))
            status = 1
        elif json:
            terminal.json_line(source.document)
        else:
            terminal.say("\n".join(described(definition)))
    return status


@campaigns.command
def graph(
    path: Path,
    /,
    campaign: str | None = None,
    *,
    svg: Annotated[bool, Parameter(negative=(), help="SVG instead of Mermaid text.")] = False,
) -> int:
    """Print a campaign as a picture: Mermaid text, or SVG."""
    from streams.engine import graph as drawing
    from streams.engine.reading import read_campaign

    for source in _chosen(_load([path]), campaign):
        definition, findings = read_campaign(source.document, source.positions)
        if definition is None:
            for finding in [*source.findings, *findings]:
                terminal.note(_written(finding))
            return 1
        draw = drawing.svg if svg else drawing.mermaid
        terminal.say(draw(definition))
    return 0


@campaigns.command
def publish(
    *paths: Paths,
    by: Annotated[str | None, Parameter(help="Who publishes; default: the user's name.")] = None,
    url: Url = None,
    json: Json = False,
) -> int:
    """Publish what has changed. Lints first: with an error nothing is published (status 1)."""
    from app.publishing import publish as append

    files = _load(paths)
    findings = files.lint()
    for finding in findings:
        terminal.note(_written(finding))
    if _has_errors(findings):
        terminal.note("nothing was published")
        return 1
    settings = with_broker(load_settings(), url)
    for one in append(settings, files.changes(by=by or _user())):
        if json:
            terminal.json_line({**msgspec.to_builtins(one), "changed": one.changed})
        else:
            said = f"published, change {one.number}" if one.changed else "unchanged"
            terminal.say(f"{one.kind} {one.id}: version {one.version}, {said}")
    return 0


def _load(paths: Sequence[Path]) -> CampaignFiles:
    from app.campaign_files import load

    if not paths:
        raise UsageError("name a campaigns directory or a file")
    return load(paths)


def _chosen(files: CampaignFiles, campaign: str | None) -> list[Source]:
    """The campaigns of a path: all, or the one named."""
    found = files.of("campaign")
    if campaign is not None:
        found = [source for source in found if source.id == campaign]
    if not found:
        ids = ", ".join(source.id for source in files.of("campaign")) or "none"
        raise UsageError(f"there is no campaign {campaign or ''} here; there are: {ids}")
    return found


def _written(finding: Finding) -> str:
    """`file:line:column: error code: message`, as compilers write it and editors read it."""
    place = ":".join(str(part) for part in (finding.file, finding.line, finding.column) if part)
    return f"{place}: {finding.severity} {finding.code}: {finding.message}"


def _has_errors(findings: Sequence[Finding]) -> bool:
    return any(finding.severity == "error" for finding in findings)


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user without a name
        return ""


def register(app: cyclopts.App) -> None:
    """Add this module's commands."""
    app.command(campaigns)
