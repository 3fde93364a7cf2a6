"""Access logs: every line is read or left out for one named reason, in order of time."""

import gzip
from collections import Counter, defaultdict
from itertools import pairwise
from pathlib import Path

import pytest

from app.access_log import Counts, PageView, events, kept_rules, left_out, page_views, parse_line

BROWSER = "Mozilla/5.0 (X11; Linux x86_64; rv:27.0) Gecko/20100101 Firefox/27.0"


def line(
    target: str = "/pricing",
    *,
    host: str = "192.0.2.1",
    time: str = "17/May/2015:10:05:03 +0000",
    request: str | None = None,
    status: int = 200,
    referrer: str = "-",
    agent: str = BROWSER,
) -> str:
    """One line of the combined format."""
    said = f"GET {target} HTTP/1.1" if request is None else request
    return f'{host} - - [{time}] "{said}" {status} 512 "{referrer}" "{agent}"'


def read(lines: list[str]) -> tuple[list[PageView], Counts]:
    counts = Counts()
    return list(page_views(lines, kept_rules(), counts)), counts


def test_a_line_is_taken_apart() -> None:
    view = parse_line(7, line("/a/b?x=1#y", referrer="https://example.org/?q=a"))
    assert view is not None
    assert (view.number, view.host, view.path, view.target) == (
        7,
        "192.0.2.1",
        "/a/b",
        "/a/b?x=1#y",
    )
    assert (view.method, view.status, view.referrer) == ("GET", 200, "https://example.org/?q=a")
    assert view.time_ms == 1_431_857_103_000


@pytest.mark.parametrize(
    ("time", "ms"),
    [
        ("17/May/2015:10:05:03 +0200", 1_431_857_103_000 - 7_200_000),
        ("17/May/2015:10:05:03 -0330", 1_431_857_103_000 + 12_600_000),
        ("30/Jun/2015:23:59:60 +0000", 1_435_708_800_000),  # a leap second
    ],
)
def test_times_carry_their_offset(time: str, ms: int) -> None:
    view = parse_line(1, line(time=time))
    assert view is not None
    assert view.time_ms == ms


@pytest.mark.parametrize(
    "text",
    [
        "",
        "not a log line",
        line(time="17/Mai/2015:10:05:03 +0000"),
        line(time="31/Feb/2015:10:05:03 +0000"),
        line(request="-"),
        line(request="\\x16\\x03\\x01\\x00"),
        line(request="GET nowhere HTTP/1.1"),
        line()[:60],
    ],
)
def test_what_is_no_line_of_the_format_is_unreadable(text: str) -> None:
    views, counts = read([text])
    assert views == []
    assert counts.left_out == {"unreadable": 1}


def test_the_common_format_is_read_but_tells_no_agent() -> None:
    common = line().rsplit(' "-"', 1)[0]
    assert read([common])[1].left_out == {"no_agent": 1}


def test_quotes_inside_an_agent_do_not_end_it() -> None:
    view = parse_line(1, line(agent=r"Mozilla/5.0 \"quoted\" (x)"))
    assert view is not None
    assert view.agent == 'Mozilla/5.0 "quoted" (x)'


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (line(agent="Mozilla/5.0 (compatible; Googlebot/2.1)"), "bot"),
        (line("/x.css", agent="Mozilla/5.0 (compatible; Googlebot/2.1)"), "bot"),
        (line(agent="Wget/1.12 (linux-gnu)"), "bot"),
        (line(agent="Tiny Tiny RSS/1.11 (http://tt-rss.org/)"), "feed_reader"),
        (line(agent="-"), "no_agent"),
        (line(request="POST /pricing HTTP/1.1"), "method"),
        (line(request="HEAD /pricing HTTP/1.1"), "method"),
        (line("/STYLE.CSS?v=3"), "static"),
        (line("/?flav=rss20"), "feed"),
        (line(status=301), "redirect"),
        (line(status=404), "failed"),
        (line(status=500), "failed"),
        (line(status=304), None),
        (line(), None),
    ],
)
def test_the_first_reason_that_holds_is_the_one(text: str, reason: str | None) -> None:
    view = parse_line(1, text)
    assert view is not None
    assert left_out(view, kept_rules()) == reason


def test_lines_come_in_order_of_time_and_equal_times_as_written() -> None:
    times = ["10:05:43", "10:05:03", "10:05:12", "10:05:12", "11:05:00", "11:04:59"]
    lines = [line(f"/{n}", time=f"17/May/2015:{t} +0000") for n, t in enumerate(times)]
    views, counts = read(lines)
    assert [view.path for view in views] == ["/1", "/2", "/3", "/0", "/5", "/4"]
    assert counts.out_of_order == 0


def test_a_line_that_is_hours_late_is_kept_and_counted() -> None:
    times = ["10:00:00", "12:00:00", "13:00:00", "10:30:00"]
    views, counts = read(
        [line(f"/{n}", time=f"17/May/2015:{t} +0000") for n, t in enumerate(times)]
    )
    assert len(views) == 4
    assert counts.out_of_order == 1


def test_every_third_visitor_with_two_pages_tells_an_invented_address() -> None:
    lines = [line(f"/{page}", host=f"192.0.2.{n}") for n in range(7) for page in "ab"]
    lines.append(line("/a", host="192.0.2.99"))
    views, _ = read(lines)
    told = [e for _, e in events(views, site="", historical=False, example_addresses=True)]
    identified = [event for event in told if event["type"] == "identify"]
    assert len(identified) == 2
    for event in identified:
        assert event["traits"]["email"].endswith("@example.org")
        assert event["traits"]["invented"] is True
        pages = [e for e in told if e["anonymousId"] == event["anonymousId"]]
        assert [e["type"] for e in pages] == ["page", "page", "identify"]
    assert not any("historical" in event for event in told)


def test_events_hold_the_page_and_no_address_of_the_visitor() -> None:
    views, _ = read([line("/pricing?plan=a", referrer="https://example.org/")])
    ((_, event),) = events(
        views, site="https://site.example", historical=True, example_addresses=False
    )
    assert event["properties"] == {
        "path": "/pricing",
        "url": "https://site.example/pricing?plan=a",
        "referrer": "https://example.org/",
    }
    assert event["timestamp"] == "2015-05-17T10:05:03.000Z"
    assert event["historical"] is True
    assert "192.0.2.1" not in str(event)
    assert BROWSER not in str(event)


def test_importing_twice_makes_the_same_ids_and_no_two_alike() -> None:
    lines = [line(), line(), line("/b")]
    runs = [
        [e["messageId"] for _, e in events(read(lines)[0], site="", historical=False,
                                           example_addresses=False)]
        for _ in range(2)
    ]  # fmt: skip
    assert runs[0] == runs[1]
    assert len(set(runs[0])) == 3


def test_the_real_log_is_accounted_for_line_by_line(shared_data: Path) -> None:
    path = shared_data / "semicomplete-access.log.gz"
    with gzip.open(path, "rt", encoding="utf-8", errors="replace") as file:
        lines = file.readlines()
    views, counts = read(lines)
    assert counts.lines == len(lines) == counts.read + counts.left_out.total()
    assert len(views) == counts.read
    # Independent of our lists: what says of itself that it is a crawler, and what browsers fetch
    # besides pages.
    named = [text for text in lines if "bot.htm" in text or "feedparser" in text]
    assert len(named) > 300
    assert {view.number for view in views}.isdisjoint(
        {number for number, text in enumerate(lines, 1) if text in set(named)}
    )
    pages: Counter[str] = Counter(view.path.rpartition(".")[2] for view in views)
    assert not {"png", "css", "ico", "js", "gif"} & set(pages)
    by_visitor: dict[str, list[int]] = defaultdict(list)
    for view in views:
        by_visitor[view.visitor].append(view.time_ms)
    assert all(a <= b for times in by_visitor.values() for a, b in pairwise(times))
