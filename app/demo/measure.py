"""Measure what a site's traffic is like, from its access log: `python -m app.demo.measure FILE`.

Prints TOML, as traffic_shape.toml has it. Nothing but counts leaves the log.
"""

from __future__ import annotations

import gzip
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

from app.access_log import Counts, PageView, kept_rules, left_out, page_views, parse_line

# What somebody takes home: the nearest to a sign-up that an access log knows.
_TAKEN_HOME = (".gem", ".jar", ".gz", ".tgz", ".zip", ".exe", ".pdf", ".deb", ".rpm", ".iso")
VISIT_GAP_MS = 30 * 60_000  # a longer pause begins another visit (campaign-language, spends_time)
_MOST = 12  # longer distributions are cut here and the rest is added to the last


def figures(lines: Sequence[str]) -> dict[str, object]:
    """The figures of a log; shares are of 1, lists are distributions from 1 upwards."""
    counts = Counts()
    views = list(page_views(lines, kept_rules(), counts))
    visitors = _by_visitor(views)
    visits = [_visits(pages) for pages in visitors.values()]
    lengths = [len(visit) for each in visits for visit in each]
    pauses = sorted(
        (later.time_ms - page.time_ms) // 1000
        for each in visits
        for visit in each
        for page, later in pairwise(visit)
    )
    return {
        "lines": counts.lines,
        "page_views": counts.read,
        "visitors": len(visitors),
        "visits_a_visitor": _shares(len(each) for each in visits),
        "pages_a_visit": _shares(lengths),
        "pause_seconds_deciles": [_quantile(pauses, tenth / 10) for tenth in range(11)],
        "hours_of_the_day": _hours(views),
        "feed_reader_share": round(counts.left_out["feed_reader"] / counts.lines, 4),
        "crawler_share": round(
            (counts.left_out["bot"] + counts.left_out["no_agent"]) / counts.lines, 4
        ),
        "static_share": round(counts.left_out["static"] / counts.lines, 4),
        "entry_page_share": _popularity(visits),
        "sign_up_share": _taken_home(lines),
        "repeated_share": _repeated(lines),
        "late_share": _late(lines),
        "late_seconds_deciles": _lateness(lines),
        "referrer_share": round(
            sum(visit[0].referrer not in ("", "-") for each in visits for visit in each)
            / len(lengths),
            4,
        ),
    }


def _by_visitor(views: Iterable[PageView]) -> dict[str, list[PageView]]:
    found: dict[str, list[PageView]] = defaultdict(list)
    for view in views:
        found[view.visitor].append(view)
    return found


def _visits(pages: Sequence[PageView]) -> list[list[PageView]]:
    visits = [[pages[0]]]
    for page in pages[1:]:
        if page.time_ms - visits[-1][-1].time_ms > VISIT_GAP_MS:
            visits.append([])
        visits[-1].append(page)
    return visits


def _shares(values: Iterable[int]) -> list[float]:
    """How often 1, 2, 3 … came, as shares; the last is "that or more"."""
    counted = Counter(min(value, _MOST) for value in values)
    total = counted.total()
    return [round(counted[n] / total, 4) for n in range(1, max(counted) + 1)]


def _hours(views: Sequence[PageView]) -> list[float]:
    """Share of the page views in each hour (UTC), over the hours that the log covers wholly."""
    per_hour: Counter[int] = Counter(view.time_ms // 3_600_000 for view in views)
    seen: dict[int, list[int]] = defaultdict(list)
    for hour in range(min(per_hour), max(per_hour) + 1):
        seen[datetime.fromtimestamp(hour * 3600, UTC).hour].append(per_hour[hour])
    means = [sum(seen[h]) / len(seen[h]) if seen[h] else 0.0 for h in range(24)]
    return [round(mean / sum(means), 4) for mean in means]


def _popularity(visits: Iterable[list[list[PageView]]]) -> list[float]:
    """Share of the visits that begin on the most frequent entry page, the second, …"""
    first = Counter(visit[0].path for each in visits for visit in each)
    return [round(number / first.total(), 4) for _, number in first.most_common(_MOST)]


def _taken_home(lines: Sequence[str]) -> float:
    """Share of the people who fetched a file to keep."""
    people, takers = set(), set()
    for number, line in enumerate(lines):
        view = parse_line(number, line.rstrip("\n"))
        if view is None or left_out(view, kept_rules()) not in (None, "static"):
            continue
        people.add(view.visitor)
        if view.path.lower().endswith(_TAKEN_HOME):
            takers.add(view.visitor)
    return round(len(takers) / len(people), 4)


def _repeated(lines: Sequence[str]) -> float:
    """Share of the lines that are, byte by byte, one before."""
    return round(1 - len(set(lines)) / len(lines), 4)


def _times(lines: Sequence[str]) -> list[int]:
    parsed = (parse_line(n, line.rstrip("\n")) for n, line in enumerate(lines))
    return [view.time_ms // 1000 for view in parsed if view is not None]


def _late(lines: Sequence[str]) -> float:
    """Share of the lines whose time is before that of a line above."""
    newest, late = 0, 0
    times = _times(lines)
    for time in times:
        late += time < newest
        newest = max(newest, time)
    return round(late / len(times), 4)


def _lateness(lines: Sequence[str]) -> list[int]:
    """By how many seconds, in tenths from the least to the most."""
    newest, delays = 0, []
    for time in _times(lines):
        if time < newest:
            delays.append(newest - time)
        newest = max(newest, time)
    return [_quantile(sorted(delays), tenth / 10) for tenth in range(11)]


def _quantile(ordered: Sequence[int], share: float) -> int:
    return ordered[round(share * (len(ordered) - 1))] if ordered else 0


def main(arguments: Sequence[str]) -> int:
    """Print the figures of the file named."""
    if len(arguments) != 1:
        print("usage: python -m app.demo.measure ACCESS_LOG", file=sys.stderr)
        return 2
    path = Path(arguments[0])
    opened = gzip.open if path.suffix == ".gz" else open
    with opened(path, "rt", encoding="utf-8", errors="replace") as file:
        for name, value in figures(file.readlines()).items():
            print(f"{name} = {value}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
