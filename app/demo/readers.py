"""The demo's leads and their mails: they open, click and unsubscribe through real HTTP.

Each caught mail is read as its receiver would: the pixel is fetched, a link followed (to our
redirect, not beyond), the one-click unsubscribe of RFC 8058 posted.
"""

from __future__ import annotations

import asyncio
import random
import re
from dataclasses import dataclass
from urllib.parse import urlsplit

import aiohttp

from app.clock import Clock
from app.demo import site
from app.embedded.inbox import Mail

HOUR_SECONDS = 3600.0
_PIXEL = re.compile(r"""src=["']([^"']+/o/[^"']+)["']""")
_LINK = re.compile(r"""href=["']([^"']+/c/[^"']+)["']""")
_UNSUBSCRIBE = re.compile(r"<(https?://[^>]+)>")


@dataclass
class Read:
    """What the readers did, as the collector acknowledged it."""

    opened: int = 0
    clicked: int = 0
    unsubscribed: int = 0
    refused: int = 0


class Readers:
    """`take` is called for each caught mail. What each reader does is chance, from the seed."""

    def __init__(self, seed: int, url: str, clock: Clock, session: aiohttp.ClientSession) -> None:
        self.read = Read()
        self._random = random.Random(seed)
        self._url = url
        self._clock = clock
        self._session = session
        self._reading: set[asyncio.Task[None]] = set()

    def take(self, mail: Mail) -> None:
        """Decide what becomes of a mail, and let it happen in time."""
        if self._random.random() >= site.OPEN_SHARE:
            return
        plan = _Plan(
            open_after=self._hours(site.OPEN_HOURS),
            click_after=self._hours(site.CLICK_HOURS)
            if self._random.random() < site.CLICK_SHARE
            else None,
            unsubscribes=self._random.random() < site.UNSUBSCRIBE_SHARE,
        )
        task = asyncio.create_task(self._act(mail, plan))
        self._reading.add(task)
        task.add_done_callback(self._reading.discard)

    def stop(self) -> None:
        """Nobody reads on."""
        for task in self._reading:
            task.cancel()

    async def _act(self, mail: Mail, plan: _Plan) -> None:
        await asyncio.sleep(self._clock.real_seconds(plan.open_after))
        html = mail.html
        if pixel := _PIXEL.search(html):
            self.read.opened += await self._get(pixel[1])
        if plan.click_after is not None and (link := _LINK.search(html)):
            await asyncio.sleep(self._clock.real_seconds(plan.click_after))
            self.read.clicked += await self._get(link[1])
        if plan.unsubscribes:
            header = str(mail.message["List-Unsubscribe"] or "")
            if place := _UNSUBSCRIBE.search(header):
                self.read.unsubscribed += await self._post(place[1])

    async def _get(self, url: str) -> bool:
        return await self._ask("GET", url, None)

    async def _post(self, url: str) -> bool:
        return await self._ask("POST", url, b"List-Unsubscribe=One-Click")

    async def _ask(self, method: str, url: str, body: bytes | None) -> bool:
        """Whether the collector took it. Links name DRIPLINE_PUBLIC_URL: here we are beside it."""
        parts = urlsplit(url.replace("&amp;", "&"))
        near = self._url + parts.path + (f"?{parts.query}" if parts.query else "")
        headers = {"Content-Type": "application/x-www-form-urlencoded"} if body else {}
        try:
            async with self._session.request(
                method, near, data=body, headers=headers, allow_redirects=False
            ) as answer:
                good = answer.status < 400
        except (aiohttp.ClientError, TimeoutError):
            good = False
        self.read.refused += not good
        return good

    def _hours(self, mean: float) -> float:
        """Seconds of the log's time."""
        return self._random.expovariate(1 / mean) * HOUR_SECONDS


@dataclass(frozen=True)
class _Plan:
    open_after: float
    click_after: float | None
    unsubscribes: bool
