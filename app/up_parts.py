"""The parts of `dripline up`, each started and stopped on its own."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import socket
import tempfile
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path

import aiohttp
import msgspec
import orjson
from pydantic import SecretStr

from app import campaign_files, publishing, topics, up_texts
from app.clock import Clock, new_id, starting_clock
from app.collector.role import collector_app, event_log
from app.embedded.broker import EmbeddedBroker
from app.embedded.inbox import Inbox
from app.http import combined, listen, serve
from app.running import Running
from app.settings import PREFIX, Settings, environment
from app.supervisor import Child
from app.web.app import web_app
from schemas.changes import Change, digest_of
from schemas.errors import Unreachable, UsageError

EXAMPLES = Path(__file__).parents[1] / "examples"
EXAMPLES_URL = "http://127.0.0.1:8080"  # as the examples have it
EMBEDDED_PARTITIONS = 4
PORTS_TRIED = 50
READY_SECONDS = 60.0
WEEK_MS = 7 * 24 * 3_600_000
MONDAY_MS = 4 * 24 * 3_600_000  # the epoch was a Thursday


def listener(settings: Settings, wished: int | None) -> socket.socket:
    """Where the parent listens: the port wished for, or the next that is free (and says so)."""
    port = settings.port if wished is None else wished
    last: UsageError | None = None
    for candidate in range(port, min(port + PORTS_TRIED, 65_536)):
        try:
            taken = listen(settings.host, candidate)
        except UsageError as error:
            last = error
            continue
        if candidate != port:
            up_texts.note(f"port {port} is taken: using {candidate}")
        return taken
    assert last is not None
    raise last


def demo_clock(speed: float) -> Clock:
    """A clock that begins on the last Monday, so that every demo has the same week."""
    now = starting_clock(1).now_ms()
    return starting_clock(speed, now - (now - MONDAY_MS) % WEEK_MS)


@contextlib.asynccontextmanager
async def broker() -> AsyncIterator[EmbeddedBroker]:
    """The embedded broker on a free port."""
    embedded = EmbeddedBroker()
    try:
        await embedded.start()
        yield embedded
    finally:
        await embedded.stop()


@contextlib.asynccontextmanager
async def inbox(clock: Clock) -> AsyncIterator[Inbox]:
    """The mail catcher on a free port."""
    catcher = Inbox(clock)
    await catcher.start()
    try:
        yield catcher
    finally:
        await catcher.stop()


@contextlib.contextmanager
def data_directory() -> Iterator[Path]:
    """A folder that is new at each start, as the log is."""
    folder = Path(tempfile.mkdtemp(prefix="dripline-up-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def on_embedded(settings: Settings, broker: EmbeddedBroker, clock: Clock, data: Path) -> Settings:
    """What every role must know of the embedded broker (clarifications 3c and 3e)."""
    update: dict[str, object] = {
        "kafka": broker.bootstrap,
        "clock": clock.text(),
        "record_time": "producer",
        "data": data,
    }
    if "partitions" not in settings.model_fields_set:
        update["partitions"] = EMBEDDED_PARTITIONS
    if clock.speed != 1 and "default_expiry" not in settings.model_fields_set:
        update["default_expiry"] = "off"
    if "webhook_allow_private" not in settings.model_fields_set:
        update["webhook_allow_private"] = True  # whoever tries something out has it at hand
    if settings.secret is None:
        update["secret"] = SecretStr(new_id() + new_id())
    return settings.model_copy(update=update)


def with_secrets(settings: Settings) -> Settings:
    """With a write key, made up where there is none, and an address for the links in mails."""
    update: dict[str, object] = {}
    if not settings.keys():
        update["write_keys"] = SecretStr(new_id()[:20])
    if settings.public_url is None:
        update["public_url"] = settings.base_url()
    return settings.model_copy(update=update)


def with_inbox(settings: Settings, inbox: Inbox) -> Settings:
    """With the mail catcher as the mail server."""
    return settings.model_copy(update={"smtp": SecretStr(f"smtp://{inbox.address}")})


def topics_and_campaigns(settings: Settings, demo: bool) -> None:
    """Make what topics are missing; publish what DRIPLINE_CAMPAIGNS and `--demo` say."""
    topics.create(settings)
    folders = [EXAMPLES] if demo else []
    if settings.campaigns is not None:
        folders.append(settings.campaigns)
    for folder in folders:
        files = campaign_files.load([folder])
        errors = [finding for finding in files.lint() if finding.severity == "error"]
        if errors:
            first = errors[0]
            raise UsageError(
                f"{folder}: {len(errors)} errors, nothing was published; the first is "
                f"{first.file}:{first.line}: {first.message} (`dripline campaign lint {folder}` "
                "lists them)"
            )
        changes = files.changes(by="up")
        if demo and folder == EXAMPLES:
            changes = [_with_address(change, settings) for change in changes]
        done = publishing.publish(settings, changes)
        up_texts.published(folder, done)


def _with_address(change: Change, settings: Settings) -> Change:
    """The examples call the page's own port: the one that it has this time."""
    text = orjson.dumps(change.document).decode().replace(EXAMPLES_URL, settings.base_url())
    document = orjson.loads(text)
    return msgspec.structs.replace(change, document=document, digest=digest_of(document))


def children(settings: Settings, clock: Clock) -> tuple[Child, ...]:
    """Worker and delivery, not yet started."""
    others = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}
    made = []
    for place, role in enumerate(("worker", "delivery")):
        port = settings.metrics_port + place if settings.metrics_port else _free_port()
        update = {"metrics_port": port, "host": "127.0.0.1"}
        environ = {**others, **environment(settings.model_copy(update=update))}
        made.append(Child(role, environ, clock, up_texts.note, port))
    return tuple(made)


async def stop_all(children: Sequence[Child]) -> None:
    """Stop them side by side."""
    await asyncio.gather(*(child.stop() for child in children))


@contextlib.asynccontextmanager
async def served(running: Running, listener: socket.socket) -> AsyncIterator[None]:
    """Collector and pages on the parent's port."""
    settings = running.settings
    log = event_log(settings)
    await log.start()
    try:
        async with web_app(settings, running.clock, log, running.inbox) as pages:
            app = combined(collector_app(settings, log), pages)
            async with serve(running.catcher.before(app), listener):
                yield
    finally:
        await log.stop()


async def ready(children: Sequence[Child], url: str) -> None:
    """Return when every role can do its job. Raises `Unreachable` when one cannot for long."""
    places = {child.role: f"http://127.0.0.1:{child.metrics_port}" for child in children}
    places["collector"] = url
    loop = asyncio.get_running_loop()
    deadline = loop.time() + READY_SECONDS
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=5)) as session:
        for role, place in places.items():
            while not await _is_ready(session, place):
                if loop.time() > deadline:
                    raise Unreachable(f"the {role} is not ready after {READY_SECONDS:.0f} seconds")
                await asyncio.sleep(0.1)


async def _is_ready(session: aiohttp.ClientSession, place: str) -> bool:
    try:
        async with session.get(f"{place}/readyz") as answer:
            return answer.status == 200
    except (aiohttp.ClientError, TimeoutError):
        return False


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])
