"""`dripline simulate | test`: campaigns tried out without a broker."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import cyclopts
from cyclopts import Parameter

from app.terminal import Json
from schemas.errors import UsageError


def simulate(
    *,
    campaigns: Annotated[
        Path | None, Parameter(help="A campaigns directory, or one campaign file.")
    ] = None,
    events: Annotated[
        Path,
        Parameter(
            help="Segment-shaped JSON lines, or what `export` prints; `-`: stdin; .gz is unpacked.",
            allow_leading_hyphen=True,
        ),
    ],
    leads: Annotated[
        Path | None, Parameter(help="JSON lines {lead, traits, lists, tags, points}.")
    ] = None,
    until: Annotated[str | None, Parameter(help="Go on to this instant (ISO 8601).")] = None,
) -> int:
    """Run campaigns over recorded interactions with a virtual clock; nothing is sent.

    Facts come out as JSON lines, a summary on stderr.
    """
    from app import simulate as simulation

    return simulation.simulate(campaigns, events, leads, until)


def scenarios(
    *paths: Annotated[Path, Parameter(help="Files or directories.")], json: Json = False
) -> int:
    """Run scenario files (every *.yaml with the key `scenario`); 1 when any fails."""
    from app.scenario_files import run_paths

    if not paths:
        raise UsageError("name a scenario file or a directory")
    return run_paths(paths, json=json)


def register(app: cyclopts.App) -> None:
    """Add this module's commands."""
    app.command(simulate)
    app.command(scenarios, name="test")
