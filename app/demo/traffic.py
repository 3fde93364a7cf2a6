"""The demo's traffic: an endless stream of events in the order of their arrival, from a seed.

Visitors come as the measured hours of the day have it, read as many pages with as long pauses,
come back as often; crawlers and feed readers walk in between; events arrive late and some twice,
as measured. A lead is its `anonymousId`. Times are the log's, UTC milliseconds.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from heapq import heappop, heappush
from typing import Any

from app.demo import site
from app.demo.site import Shape
from schemas.facts import iso

HOUR_MS = 3_600_000
Event = dict[str, Any]


class Traffic:
    """Made-up visitors of one site. Equal seeds and starts give equal events."""

    def __init__(self, seed: int, start_ms: int, shape: Shape) -> None:
        self._random = random.Random(seed)
        self._shape = shape
        self._hour = start_ms // HOUR_MS
        self._start_ms = start_ms
        self._due: list[tuple[int, int, Event]] = []
        self._made = 0
        self._visitors = 0
        self._returning: list[tuple[int, int, str]] = []
        self._arrived: dict[str, int] = {}  # when the visitor's last event came

    def events(self) -> Iterator[tuple[int, Event]]:
        """(arrival, event), arrivals never going back."""
        while True:
            self._make_hour()
            self._hour += 1
            while self._due and self._due[0][0] < self._hour * HOUR_MS:
                at, _, event = heappop(self._due)
                yield at, event

    def _make_hour(self) -> None:
        begin = self._hour * HOUR_MS
        share = self._shape.hours_of_the_day[self._hour % 24] * 24
        rate = self._shape.visitors_an_hour * site.SCALE
        for _ in range(self._poisson(rate * share)):
            self._visitors += 1
            visitor = f"v-{self._visitors:05d}"
            at = max(self._start_ms, begin + self._random.randrange(HOUR_MS))
            self._visit(visitor, at, first=True)
            for _ in range(self._nth(self._shape.visits_a_visitor) - 1):
                later = at + int(self._random.uniform(1, 36) * HOUR_MS)
                heappush(self._returning, (later, self._visitors, visitor))
        while self._returning and self._returning[0][0] < begin + HOUR_MS:
            at, _, visitor = heappop(self._returning)
            self._visit(visitor, at, first=False)
        self._machines(begin, rate)

    def _visit(self, visitor: str, at: int, *, first: bool) -> None:
        zone = site.ZONES[self._random.randrange(len(site.ZONES))]
        context = {"timezone": zone, "page": {}}
        page = self._entry_page()
        pages = self._nth(self._shape.pages_a_visit)
        signs_up = first and self._random.random() < self._shape.sign_up_share
        for number in range(pages):
            properties: dict[str, Any] = {"path": page, "url": f"https://lantern.example{page}"}
            if number == 0 and self._random.random() < self._shape.referrer_share:
                properties["referrer"] = "https://search.example/"
            self._send(visitor, at, {"type": "page", "properties": properties, "context": context})
            stay = self._between(self._shape.pause_seconds_deciles) * 1000
            for beat in range(1, stay // (site.HEARTBEAT_SECONDS * 1000) + 1):
                moment = at + beat * site.HEARTBEAT_SECONDS * 1000
                self._track(visitor, moment, "Heartbeat", {"path": page})
            at += stay
            page = self._next_page(page)
        if signs_up:
            self._sign_up(visitor, at + 1_000, zone)

    def _sign_up(self, visitor: str, at: int, zone: str) -> None:
        name = site.FIRST_NAMES[self._random.randrange(len(site.FIRST_NAMES))]
        traits = {
            "email": f"{name.lower()}.{visitor[2:]}@example.org",
            "first_name": name,
            "timezone": zone,
            "invented": True,
        }
        self._send(visitor, at, {"type": "identify", "traits": traits})
        newsletter = self._random.random() < site.NEWSLETTER_SHARE
        form = "newsletter" if newsletter else "trial"
        self._track(visitor, at + 1_000, "Form Submitted", {"form_id": form})
        if newsletter:
            return
        if self._random.random() < site.PROJECT_SHARE:
            at += self._after_hours(site.PROJECT_HOURS)
            self._track(visitor, at, "Project Created", {})
        if self._random.random() < site.ORDER_SHARE:
            at += self._after_hours(site.ORDER_HOURS)
            order = {"order_id": f"o-{visitor[2:]}", "total": 90}
            self._track(visitor, at, "Order Completed", order)

    def _machines(self, begin: int, rate: float) -> None:
        """Crawlers and feed readers: few, always the same, and they read everything."""
        views = rate * self._shape.page_views / self._shape.visitors
        for kind, number, share, pages in (
            ("crawler", site.CRAWLERS, self._shape.crawler_share, site.PAGES),
            ("feedreader", site.FEED_READERS, self._shape.feed_reader_share, (site.FEED,)),
        ):
            for _ in range(self._poisson(views * self._shape.per_page_view(share))):
                who = f"{kind}-{self._random.randrange(number):02d}"
                at = max(self._start_ms, begin + self._random.randrange(HOUR_MS))
                path = pages[self._random.randrange(len(pages))]
                self._send(who, at, {"type": "page", "properties": {"path": path}})

    def _track(self, visitor: str, at: int, name: str, properties: dict[str, Any]) -> None:
        self._send(visitor, at, {"type": "track", "event": name, "properties": properties})

    def _send(self, visitor: str, at: int, event: Event) -> None:
        """Put an event on its way; it arrives late as measured, and some arrive twice."""
        self._made += 1
        event = {
            **event,
            "anonymousId": visitor,
            "messageId": f"demo-{self._made}",
            "timestamp": iso(at),
        }
        arrival = at
        if self._random.random() < self._shape.late_share:
            arrival += self._between(self._shape.late_seconds_deciles) * 1000
        # A client sends its own events in order, however late.
        before = self._arrived.get(visitor, 0)
        if before - at <= self._shape.late_seconds_deciles[-1] * 1000:
            arrival = max(arrival, before)
            self._arrived[visitor] = arrival
        heappush(self._due, (arrival, self._made, event))
        if self._random.random() < self._shape.repeated_share:
            heappush(self._due, (arrival + 2_000, self._made, event))

    def _entry_page(self) -> str:
        shares = self._shape.entry_page_share
        chosen = self._random.choices(site.PAGES, weights=shares[: len(site.PAGES)])
        return chosen[0]

    def _next_page(self, page: str) -> str:
        part = page.split("/")[1]
        near = [each for each in site.PAGES if part and each.split("/")[1] == part and each != page]
        if near and self._random.random() < 0.5:
            return near[self._random.randrange(len(near))]
        return site.ONWARD[self._random.randrange(len(site.ONWARD))]

    def _nth(self, shares: Sequence[float]) -> int:
        """1, 2, 3 … with these shares."""
        return int(self._random.choices(range(1, len(shares) + 1), weights=shares)[0])

    def _between(self, deciles: Sequence[int]) -> int:
        """A value of a distribution that is known by its deciles."""
        place = self._random.random() * (len(deciles) - 1)
        low = int(place)
        return round(deciles[low] + (deciles[low + 1] - deciles[low]) * (place - low))

    def _after_hours(self, mean: float) -> int:
        return int(self._random.expovariate(1 / mean) * HOUR_MS) + 60_000

    def _poisson(self, mean: float) -> int:
        """How many of something that comes `mean` times on average."""
        number, passed = 0, self._random.expovariate(1.0)
        while passed < mean:
            number += 1
            passed += self._random.expovariate(1.0)
        return number
