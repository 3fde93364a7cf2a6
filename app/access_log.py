"""Access logs of web servers as page events: Apache's combined format, which is nginx's default.

Reading is lossless in the counts: every line becomes an event or is left out for one named reason,
the first that holds: `unreadable`, `feed_reader`, `bot`, `no_agent`, `method`, `static`, `feed`,
`redirect`, `failed`. The lists behind them are data: access_log_rules.toml.

A visitor is who comes from one address with one user agent; only a hash of the two leaves here.
"""

from __future__ import annotations

import re
import tomllib
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from hashlib import blake2b
from heapq import heappop, heappush
from pathlib import Path
from typing import Any

from schemas.facts import iso

RULES = Path(__file__).with_name("access_log_rules.toml")
# A server writes a line when the answer is sent, stamped with when the request came: lines are a
# little out of order. Further apart than this they stay as they are and are counted.
REORDER_MS = 15 * 60_000

_QUOTED = r'"((?:[^"\\]|\\.)*)"'
_LINE = re.compile(rf"(\S+) \S+ .*?\[([^\]]+)\] {_QUOTED} (\d{{3}}) (?:\d+|-) {_QUOTED} {_QUOTED}")
_COMMON = re.compile(rf"(\S+) \S+ .*?\[([^\]]+)\] {_QUOTED} (\d{{3}}) (?:\d+|-)\s*$")
_TIME = re.compile(r"(\d{2})/(\w{3})/(\d{4}):(\d{2}):(\d{2}):(\d{2}) ([+-])(\d{2})(\d{2})$")
_MONTHS = {
    "Jan": 1, "Feb": 2, "Mar": 3, "Apr": 4, "May": 5, "Jun": 6,
    "Jul": 7, "Aug": 8, "Sep": 9, "Oct": 10, "Nov": 11, "Dec": 12,
}  # fmt: skip


@dataclass(frozen=True)
class Rules:
    """What is no visit of a person; texts in lower case."""

    bots: tuple[str, ...]
    feed_readers: tuple[str, ...]
    static: tuple[str, ...]
    feed_queries: tuple[str, ...]
    feed_endings: tuple[str, ...]


@dataclass(frozen=True)
class PageView:
    """One readable line. `time_ms` is when the request came, UTC; `agent` and `host` stay here."""

    number: int
    time_ms: int
    host: str
    agent: str
    target: str
    referrer: str
    method: str
    status: int

    @property
    def path(self) -> str:
        """The path asked for, without query and fragment."""
        return self.target.partition("?")[0].partition("#")[0]

    @property
    def visitor(self) -> str:
        """The anonymous id: a hash of address and agent, 16 hex digits."""
        return blake2b(f"{self.host}\x1f{self.agent}".encode(), digest_size=8).hexdigest()


@dataclass
class Counts:
    """What became of the lines: `lines` = `read` + all of `left_out`."""

    lines: int = 0
    read: int = 0
    out_of_order: int = 0
    left_out: Counter[str] = field(default_factory=Counter)


@lru_cache(maxsize=1)
def kept_rules() -> Rules:
    """The rules that come with the project."""
    raw = tomllib.loads(RULES.read_text(encoding="utf-8"))
    return Rules(
        bots=tuple(word for entry in raw["bots"] for word in entry["contains"]),
        feed_readers=tuple(word for entry in raw["feed_readers"] for word in entry["contains"]),
        static=tuple(raw["static"]["endings"]),
        feed_queries=tuple(raw["feeds"]["queries"]),
        feed_endings=tuple(raw["feeds"]["endings"]),
    )


def parse_line(number: int, line: str) -> PageView | None:
    """One line, or None when it is in none of the formats."""
    found = _LINE.match(line)
    if found:
        host, time, request, status, referrer, agent = found.groups()
    elif found := _COMMON.match(line):
        host, time, request, status = found.groups()
        referrer = agent = "-"
    else:
        return None
    words = request.split(" ")
    time_ms = _time_ms(time)
    if time_ms is None or len(words) != 3 or not words[1].startswith(("/", "http://", "https://")):
        return None
    return PageView(
        number=number,
        time_ms=time_ms,
        host=host,
        agent=_unescaped(agent),
        target=_local(_unescaped(words[1])),
        referrer=_unescaped(referrer),
        method=words[0],
        status=int(status),
    )


def left_out(view: PageView, rules: Rules) -> str | None:
    """Why this line is no page view of a person, or None when it is one."""
    agent, path = view.agent.lower(), view.path.lower()
    query = view.target.partition("?")[2].lower()
    if any(word in agent for word in rules.feed_readers):
        return "feed_reader"
    if any(word in agent for word in rules.bots):
        return "bot"
    if agent in ("", "-"):
        return "no_agent"
    if view.method != "GET":
        return "method"
    if path.endswith(rules.static):
        return "static"
    if path.endswith(rules.feed_endings) or any(text in query for text in rules.feed_queries):
        return "feed"
    if view.status == 304 or 200 <= view.status < 300:
        return None
    return "redirect" if view.status < 400 else "failed"


def page_views(lines: Iterable[str], rules: Rules, counts: Counts) -> Iterator[PageView]:
    """The page views of people, in order of time (equal times: as written).

    Lines may be out of order by up to `REORDER_MS`; what comes later still is passed on when it
    is met and counted. `counts` is complete once the iterator is exhausted.
    """
    newest = sent = 0
    waiting: list[tuple[int, int, PageView]] = []
    for number, line in enumerate(lines, start=1):
        counts.lines = number
        view = parse_line(number, line.rstrip("\r\n"))
        reason = "unreadable" if view is None else left_out(view, rules)
        if view is None or reason is not None:
            counts.left_out[reason or "unreadable"] += 1
            continue
        counts.read += 1
        counts.out_of_order += view.time_ms < sent
        newest = max(newest, view.time_ms)
        heappush(waiting, (view.time_ms, number, view))
        while waiting and waiting[0][0] <= newest - REORDER_MS:
            sent = waiting[0][0]
            yield heappop(waiting)[2]
    while waiting:
        yield heappop(waiting)[2]


def events(
    views: Iterable[PageView], *, site: str, historical: bool, example_addresses: bool
) -> Iterator[tuple[PageView, dict[str, Any]]]:
    """The events to post, each with the line it comes from; ids are the same at every import.

    `site` is put before the path to make the page's URL. With `example_addresses` every third
    visitor with two pages tells an address after the second: made up, and marked so.
    """
    pages: Counter[str] = Counter()
    returned = 0
    for view in views:
        yield view, _page(view, site, historical)
        pages[view.visitor] += 1
        if pages[view.visitor] == 2:
            returned += 1
            if example_addresses and returned % 3 == 0:
                yield view, _identify(view, historical)


def _page(view: PageView, site: str, historical: bool) -> dict[str, Any]:
    properties = {"path": view.path, "url": site + view.target}
    if view.referrer not in ("", "-"):
        properties["referrer"] = view.referrer
    return _event("page", view, historical) | {"properties": properties}


def _identify(view: PageView, historical: bool) -> dict[str, Any]:
    address = f"visitor-{view.visitor[:10]}@example.org"
    return _event("identify", view, historical) | {"traits": {"email": address, "invented": True}}


def _event(kind: str, view: PageView, historical: bool) -> dict[str, Any]:
    told = f"{kind}\x1f{view.number}\x1f{view.time_ms}\x1f{view.visitor}\x1f{view.target}"
    event: dict[str, Any] = {
        "type": kind,
        "messageId": blake2b(told.encode(), digest_size=16).hexdigest(),
        "anonymousId": view.visitor,
        "timestamp": iso(view.time_ms),
        "context": {"library": {"name": "dripline import access-log"}},
    }
    return event | {"historical": True} if historical else event


def _time_ms(text: str) -> int | None:
    found = _TIME.match(text)
    if not found or found[2] not in _MONTHS:
        return None
    day, _, year, hour, minute, second = (int(x) if x.isdigit() else 0 for x in found.groups()[:6])
    offset = (int(found[8]) * 60 + int(found[9])) * (-1 if found[7] == "-" else 1)
    try:
        # A leap second (60) is the second after it: `datetime` knows none.
        at = datetime(year, _MONTHS[found[2]], day, hour, minute, min(second, 59), tzinfo=UTC)
    except ValueError:
        return None
    return int(at.timestamp() + (second == 60) - offset * 60) * 1000


def _local(target: str) -> str:
    """A proxy's request line names the whole URL: keep what is behind the host."""
    if target.startswith("/"):
        return target
    rest = target.partition("://")[2]
    _, slash, path = rest.partition("/")
    return slash + path or "/"


def _unescaped(text: str) -> str:
    r"""Undo the backslash before quote and backslash; `\xhh` stays as it is."""
    return text.replace('\\"', '"').replace("\\\\", "\\") if "\\" in text else text
