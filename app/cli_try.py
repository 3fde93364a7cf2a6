"""Commands of this group."""

from __future__ import annotations

import cyclopts


def register(app: cyclopts.App) -> None:
    """Add this module's commands."""
