"""The demo: sends the made-up traffic, lets the mails be read, tells what happens.

A live line on a terminal, a plain line now and then elsewhere; after a minute a summary and what
to try next; then on until Ctrl-C.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import Iterator

import aiohttp
import orjson
from rich.live import Live
from rich.text import Text

from app import terminal, up_texts
from app.demo.readers import Read, Readers
from app.demo.site import measured
from app.demo.tally import Tally, follow
from app.demo.texts import line, next_things, summary
from app.demo.traffic import Event, Traffic
from app.running import Running

SUMMARY_SECONDS = 60.0
STEP_SECONDS = 0.1
PLAIN_LINE_SECONDS = 5.0
BATCH_EVENTS = 100


class Sent:
    """How many events the collector took, and how many it could not take at once."""

    def __init__(self) -> None:
        self.events = 0
        self.busy = 0


async def run(running: Running) -> None:
    """Send and tell until cancelled."""
    tally, sent = Tally(), Sent()
    timeout = aiohttp.ClientTimeout(total=20)
    async with aiohttp.ClientSession(timeout=timeout) as session:
        readers = Readers(running.wishes.seed, running.url, running.clock, session)
        assert running.inbox is not None or running.settings.smtp is not None
        if running.inbox is not None:
            running.inbox.on_mail = readers.take
        side = [
            asyncio.create_task(follow(running.settings.bootstrap(), tally)),
            asyncio.create_task(_send(running, session, sent)),
        ]
        try:
            await _tell(running, tally, sent, readers.read, side)
        finally:
            readers.stop()
            for task in side:
                task.cancel()
            await asyncio.wait(side)


async def _send(running: Running, session: aiohttp.ClientSession, sent: Sent) -> None:
    """Post what has arrived by the log's clock, batch after batch."""
    traffic = Traffic(running.wishes.seed, running.clock.now_ms(), measured())
    batch: list[Event] = []
    for arrival, event in traffic.events():
        while arrival > running.clock.now_ms() or len(batch) >= BATCH_EVENTS:
            if batch:
                await _post(running, session, batch, sent)
                batch = []
            else:
                await asyncio.sleep(STEP_SECONDS)
        batch.append(event)


async def _post(
    running: Running, session: aiohttp.ClientSession, batch: list[Event], sent: Sent
) -> None:
    body = orjson.dumps({"batch": batch})
    auth = aiohttp.BasicAuth(running.write_key, "")
    while True:
        with contextlib.suppress(aiohttp.ClientError, TimeoutError):
            async with session.post(f"{running.url}/v1/batch", data=body, auth=auth) as answer:
                if answer.status == 200:
                    sent.events += len(batch)
                    return
        sent.busy += 1
        await asyncio.sleep(0.5)


async def _tell(
    running: Running, tally: Tally, sent: Sent, read: Read, side: list[asyncio.Task[None]]
) -> None:
    """The live line, and once the summary. Raises what a task failed with."""
    loop = asyncio.get_running_loop()
    began, shown, told = loop.time(), 0.0, False
    with _live() as live:
        try:
            while True:
                done, _ = await asyncio.wait(side, timeout=0.25)
                for task in done:
                    task.result()
                now = line(running, tally, sent.events, read)
                if live is not None:
                    live.update(Text(now, no_wrap=True, overflow="ellipsis"))
                elif loop.time() - shown >= PLAIN_LINE_SECONDS:
                    up_texts.say(now)
                    shown = loop.time()
                if not told and loop.time() - began >= SUMMARY_SECONDS:
                    told = True
                    text = summary(running, tally, sent.events, read)
                    up_texts.say("\n".join([*text, *next_things(running, tally)]))
        finally:
            if not told:
                up_texts.say("\n".join(summary(running, tally, sent.events, read)))


@contextlib.contextmanager
def _live() -> Iterator[Live | None]:
    """A line that is written over, where there is a terminal; everything else goes above it."""
    if not sys.stdout.isatty():
        yield None
        return
    console = terminal.console()
    with Live(Text(""), console=console, refresh_per_second=4, transient=True) as live:
        up_texts.through(lambda text: console.print(text, highlight=False, markup=False))
        try:
            yield live
        finally:
            up_texts.through(None)
