"""`dripline collector`: the way in as a process of its own."""

from __future__ import annotations

import asyncio
import signal

import uvloop

from app import logs, metrics, topics
from app.clock import clock_of
from app.collector.asgi import Collector
from app.collector.event_log import EventLog
from app.collector.write_keys import WriteKeys
from app.http import App, listen, serve
from app.settings import Settings
from app.tokens import Tokens
from schemas.errors import Unreachable, UsageError

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
    """Serve until SIGTERM or SIGINT; then finish what is under way.

    Raises `UsageError` without write keys or a secret, `Halt` when the topics are wrong.
    """
    _check_topics(settings)
    uvloop.run(_run(settings))


def _check_topics(settings: Settings) -> None:
    """A broker that cannot be reached is waited for; topics that are wrong are not."""
    try:
        topics.require(settings)
    except Unreachable as error:
        _log.warning("starts without its broker", error=str(error))


async def _run(settings: Settings) -> None:
    log = event_log(settings)
    await serve_until_told(collector_app(settings, log), settings, log, "collector")


async def serve_until_told(app: App, settings: Settings, log: EventLog, role: str) -> None:
    """Serve `app` with its producer `log` until SIGTERM or SIGINT."""
    listener = listen(settings.host, settings.port)
    metrics.says_who(role)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    await log.start()
    try:
        async with serve(app, listener):
            host, port = listener.getsockname()[:2]
            _log.info("listens", host=host, port=port)
            await stop.wait()
    finally:
        await log.stop()
