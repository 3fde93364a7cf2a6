"""`dripline config | schema | topics`: what is in force, and what lies where."""

from __future__ import annotations

import cyclopts

from app import terminal
from app.settings import origins
from app.terminal import Json


def config(*, json: Json = False) -> None:
    """Print every setting in force, and where each value comes from; secrets are masked."""
    found = origins()
    if json:
        for origin in found:
            terminal.json_line(origin.model_dump())
    else:
        terminal.table(
            ["setting", "value", "from"], ((o.name, o.value or "–", o.source) for o in found)
        )


def register(app: cyclopts.App) -> None:
    """Add this module's commands."""
    app.command(config)
