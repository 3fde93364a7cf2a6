"""`dripline up` and the single roles: what runs until it is stopped."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import cyclopts
from cyclopts import Parameter

from app.settings import load_settings


def worker(
    *,
    from_log_start: Annotated[
        bool,
        Parameter(
            negative=(),
            help="Begin a partition without a marker at the log's start, though records are gone.",
        ),
    ] = False,
) -> int:
    """Fold lead-events into states, facts and commands. Configured by the environment."""
    from app import worker as role

    return role.main(load_settings(), from_log_start=from_log_start)


def delivery() -> int:
    """Carry commands out: mails and webhooks. Configured by the environment."""
    from app.delivery import role

    return role.main(load_settings())


def collector() -> None:
    """Take events over HTTP, answer links in mails. Configured by the environment."""
    from app import logs
    from app.collector import role

    settings = load_settings()
    logs.configure("collector", settings.log_level, settings.log_format)
    role.run(settings)


def web() -> None:
    """Serve the pages and the API. Configured by the environment."""
    from app import logs
    from app.web import role

    settings = load_settings()
    logs.configure("web", settings.log_level, settings.log_format)
    role.run(settings)


def up(
    *,
    demo: Annotated[
        bool, Parameter(negative=(), help="Also publish the examples and send made-up traffic.")
    ] = False,
    speed: Annotated[
        float, Parameter(help="Run the clock so many times faster (embedded broker only).")
    ] = 1.0,
    kafka: Annotated[
        str | None, Parameter(help="Use this broker (host:port) instead of the embedded one.")
    ] = None,
    campaigns: Annotated[
        Path | None, Parameter(help="A campaigns directory to publish at the start.")
    ] = None,
    port: Annotated[
        int | None, Parameter(help="Port of collector and pages (default 8080, or the next free).")
    ] = None,
    seed: Annotated[int, Parameter(help="Seed of the demo's traffic.")] = 1,
) -> int:
    """Everything on this machine: broker, worker, delivery, collector, pages, a mail catcher.

    Prints the addresses. Ctrl-C drains and stops. The embedded broker keeps its log in memory.
    """
    from app.running import Wishes
    from app.up import run

    return run(
        load_settings(),
        Wishes(demo=demo, speed=speed, kafka=kafka, campaigns=campaigns, port=port, seed=seed),
    )


def register(app: cyclopts.App) -> None:
    """Add this module's commands."""
    for command in (up, collector, worker, delivery, web):
        app.command(command)
