"""The made-up site of the demo: its pages, and the measured shape of its traffic.

What the log does not tell is chosen here, and marked so.
"""

from __future__ import annotations

import tomllib
from functools import lru_cache
from pathlib import Path
from typing import Any

from msgspec import Struct

SHAPE = Path(__file__).with_name("traffic_shape.toml")

# Chosen. In the order of how often a visit begins there.
PAGES = (
    "/",
    "/docs/start",
    "/pricing",
    "/blog/planning-nights",
    "/docs/tips",
    "/features",
    "/customers/bakery",
    "/docs/first-project",
    "/blog/why-lantern",
    "/pricing/how-others-decided",
    "/docs/api",
    "/about",
)
# Chosen: where one goes on from a page, besides staying in the same part of the site.
ONWARD = ("/pricing", "/docs/start", "/features", "/", "/docs/tips", "/docs/first-project")
FEED = "/blog/feed"
# Chosen: times the visitors of the measured site, so that an hour has something to show.
SCALE = 6.0
ZONES = (
    "Europe/Berlin", "Europe/London", "America/New_York", "America/Los_Angeles", "Asia/Tokyo",
    "Australia/Sydney", "America/Sao_Paulo",
)  # fmt: skip
FIRST_NAMES = (
    "Ana", "Ben", "Chiara", "David", "Emre", "Fatou", "Goran", "Hana", "Ines", "Jonas", "Kaya",
    "Lin", "Mara", "Noor", "Oskar", "Priya", "Quinn", "Rosa", "Sven", "Tariq", "Uma", "Vera",
)  # fmt: skip
CRAWLERS = 12
FEED_READERS = 25
HEARTBEAT_SECONDS = 15  # the tracker's

# Chosen: what people do with what they get. Shares of 1, delays in hours of the log's time.
NEWSLETTER_SHARE = 0.6  # of the sign-ups; the others begin a trial
PROJECT_SHARE = 0.55
PROJECT_HOURS = 5.0
ORDER_SHARE = 0.25
ORDER_HOURS = 30.0
OPEN_SHARE = 0.6
OPEN_HOURS = 1.5
CLICK_SHARE = 0.45  # of those who opened
CLICK_HOURS = 0.1
UNSUBSCRIBE_SHARE = 0.04  # of those who opened


class Shape(Struct, frozen=True):
    """The measured figures (app.demo.measure); shares are of 1, distributions count from 1."""

    lines: int
    page_views: int
    visitors: int
    visits_a_visitor: list[float]
    pages_a_visit: list[float]
    pause_seconds_deciles: list[int]
    hours_of_the_day: list[float]
    feed_reader_share: float
    crawler_share: float
    static_share: float
    entry_page_share: list[float]
    sign_up_share: float
    repeated_share: float
    late_share: float
    late_seconds_deciles: list[int]
    referrer_share: float

    def per_page_view(self, share: float) -> float:
        """How many requests of a kind come for one page view of a person."""
        return share * self.lines / self.page_views

    @property
    def visitors_an_hour(self) -> float:
        """Of the measured log, which spans 38 hours."""
        return self.visitors / 38


@lru_cache(maxsize=1)
def measured() -> Shape:
    """The figures that come with the project."""
    raw: dict[str, Any] = tomllib.loads(SHAPE.read_text(encoding="utf-8"))
    return Shape(**raw)
