"""`dripline collector`: the way in as a process of its own."""

from __future__ import annotations

import asyncio
import signal

import uvloop

from app import logs, metrics
from app.clock import clock_of
from app.collector.asgi import Collector
from app.collector.event_log import EventLog
from app.collector.write_keys import WriteKeys
from app.http import App, listen, serve
from app.settings import Settings
from app.tokens import Tokens
from schemas.errors import UsageError

_log = logs.log(__name__)


def event_log(settings: Settings) -> EventLog:
    """The collector's producer, not yet started; idempotent but on the embedded broker."""
    return EventLog(
        settings.bootstrap(), clock_of(settings.clock), idempotent=not settings.embedded
    )


def collector_app(settings: Settings, log: EventLog) -> App:
    """The application. Raises `UsageError` without write keys or a secret."""
    keys = settings.keys()
    if not keys:
        raise UsageError(
            "DRIPLINE_WRITE_KEYS is not set: without a key nobody can post; give a comma list"
        )
    return Collector(
        log,
        WriteKeys(keys),
        Tokens(settings.signing_secret()),
        clock_of(settings.clock),
        settings.base_url(),
    )


def run(settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT; then finish what is under way."""
    uvloop.run(_run(settings))


async def _run(settings: Settings) -> None:
    log = event_log(settings)
    app = collector_app(settings, log)
    listener = listen(settings.host, settings.port)
    metrics.BUILD.labels(_version(), "collector").set(1)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    await log.start()
    try:
        async with serve(app, listener):
            host, port = listener.getsockname()[:2]
            _log.info("collector listens", host=host, port=port)
            await stop.wait()
    finally:
        await log.stop()


def _version() -> str:
    from importlib.metadata import version

    return version("dripline")
