"""`dripline web`: the pages and the API as a process of its own."""

from __future__ import annotations

import uvloop

from app.clock import clock_of
from app.collector.role import event_log, serve_until_told
from app.health import health
from app.http import combined
from app.settings import Settings
from app.web.app import web_app
from app.web.guard import check_binding


def run(settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT. Raises `UsageError` when it would be open to others."""
    check_binding(settings)
    uvloop.run(_run(settings))


async def _run(settings: Settings) -> None:
    log = event_log(settings)
    async with web_app(settings, clock_of(settings.clock), log) as pages:
        app = combined(health(lambda: log.problem), pages)
        await serve_until_told(app, settings, log, "web")
