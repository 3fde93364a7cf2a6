"""Collector and pages on one port, as `up` serves them, and a log for them to show."""

import asyncio
import contextlib
import itertools
import smtplib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from email.message import EmailMessage
from typing import Any

import aiohttp
import orjson
from kafka import KafkaProducer

from app.clock import clock_of
from app.collector.event_log import EventLog
from app.collector.role import collector_app, event_log
from app.embedded.inbox import Inbox
from app.http import combined, listen, serve
from app.settings import load_settings
from app.tokens import Tokens
from app.web.app import web_app
from schemas import changes, state
from schemas.changes import Change, digest_of
from schemas.facts import ENCODE, FactList, FactRow
from schemas.ids import partition_of
from schemas.state import Lead
from schemas.topics import CAMPAIGN_CHANGES, JOURNEY_FACTS, LEADS_CHANGELOG
from tests.collector.running import KEY, PARTITIONS, SECRET


@dataclass
class Site:
    """Pages and collector at `url`."""

    url: str
    log: EventLog
    inbox: Inbox
    tokens: Tokens
    http: aiohttp.ClientSession

    async def get(self, path: str, **options: Any) -> tuple[int, Any]:
        """Status and JSON (text, where it is none) of the answer."""
        return await self.call("GET", path, **options)

    async def call(self, method: str, path: str, **options: Any) -> tuple[int, Any]:
        async with self.http.request(
            method, self.url + path, allow_redirects=False, **options
        ) as answer:
            raw = await answer.read()
            is_json = answer.content_type == "application/json"
            return answer.status, orjson.loads(raw) if is_json else raw.decode()

    async def mail(self, message: EmailMessage) -> None:
        """Hand a mail to the catcher over SMTP."""
        host, port = self.inbox.address.split(":")

        def send() -> None:
            with smtplib.SMTP(host, int(port)) as server:
                server.send_message(message)

        await asyncio.to_thread(send)


@contextlib.asynccontextmanager
async def site(bootstrap: str, **environ: str) -> AsyncIterator[Site]:
    listener = listen("127.0.0.1", 0)
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    settings = load_settings(
        {
            "DRIPLINE_KAFKA": bootstrap,
            "DRIPLINE_WRITE_KEYS": KEY,
            "DRIPLINE_SECRET": SECRET.decode(),
            "DRIPLINE_PUBLIC_URL": url,
            **environ,
        }
    )
    clock = clock_of(settings.clock)
    inbox = Inbox(clock)
    await inbox.start()
    log = event_log(settings)
    await log.start()
    try:
        async with web_app(settings, clock, log, inbox) as pages:
            app = combined(collector_app(settings, log), pages)
            async with serve(app, listener), aiohttp.ClientSession() as http:
                assert await log.connected(30), log.problem
                yield Site(url, log, inbox, Tokens(SECRET), http)
    finally:
        await log.stop()
        await inbox.stop()


# Offsets rise over all tests: the broker is shared, and facts at lower ones were told before.
_offsets = itertools.count(1)


class Writer:
    """Writes what worker and publisher write, straight into the topics."""

    def __init__(self, bootstrap: str) -> None:
        self._producer = KafkaProducer(bootstrap_servers=bootstrap, acks="all")

    def close(self) -> None:
        self._producer.close()

    def publish(self, document: dict[str, Any]) -> None:
        change = Change("campaign", document["campaign"], "publish", document, digest_of(document))
        self._send(CAMPAIGN_CHANGES, 0, change.key, changes.ENCODE(change))

    def facts(self, lead: str, *rows: FactRow) -> None:
        offset = next(_offsets)
        partition = partition_of(lead, PARTITIONS)
        value = ENCODE(FactList(lead, partition, offset, rows[0].at, "id", list(rows)))
        self._send(JOURNEY_FACTS, partition, lead, value)

    def state(self, lead: str, state_: Lead, watermark: int) -> None:
        partition = partition_of(lead, PARTITIONS)
        self._send(LEADS_CHANGELOG, partition, lead, state.encode(state_, watermark))

    def _send(self, topic: str, partition: int, key: str, value: bytes) -> None:
        self._producer.send(topic, value, key=key.encode(), partition=partition).get(timeout=30)


def newsletter(html: str) -> EmailMessage:
    """A mail as delivery makes them."""
    mail = EmailMessage()
    mail["From"], mail["To"] = "Ana <ana@shop.example>", "bob@example.org"
    mail["Subject"] = "Hello <b>Bob</b>"
    mail.set_content("Hello Bob, see https://shop.example/ now")
    mail.add_alternative(html, subtype="html")
    return mail
