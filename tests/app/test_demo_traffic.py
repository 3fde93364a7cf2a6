"""The demo's traffic: the same for a seed, and of the measured shape."""

import gzip
from collections import Counter, defaultdict
from itertools import islice, pairwise
from pathlib import Path
from typing import Any

import pytest

from app.demo import site
from app.demo.measure import VISIT_GAP_MS, figures
from app.demo.site import measured
from app.demo.traffic import HOUR_MS, Traffic

START = 1_795_392_000_000  # a Monday
HOURS = 24 * 7


def week(seed: int) -> list[tuple[int, dict[str, Any]]]:
    """A week's events with their arrivals."""
    found = []
    for arrival, event in Traffic(seed, START, measured()).events():
        if arrival >= START + HOURS * HOUR_MS:
            return found
        found.append((arrival, event))
    raise AssertionError("the traffic ended")


@pytest.fixture(scope="module")
def events() -> list[tuple[int, dict[str, Any]]]:
    return week(1)


def people(events: list[tuple[int, dict[str, Any]]]) -> list[tuple[int, dict[str, Any]]]:
    return [(at, event) for at, event in events if event["anonymousId"].startswith("v-")]


def test_a_seed_gives_the_same_traffic_and_another_one_does_not() -> None:
    first, again, other = (
        list(islice(Traffic(seed, START, measured()).events(), 2_000)) for seed in (1, 1, 2)
    )
    assert first == again
    assert first != other


def test_arrivals_never_go_back_and_nothing_arrives_before_it_happened(
    events: list[tuple[int, dict[str, Any]]],
) -> None:
    assert all(a <= b for (a, _), (b, _) in pairwise(events))
    happened = [event["timestamp"] for _, event in events]
    assert happened != sorted(happened)  # some arrive late


def test_some_events_arrive_twice_as_often_as_measured(
    events: list[tuple[int, dict[str, Any]]],
) -> None:
    ids = Counter(event["messageId"] for _, event in events)
    repeated = sum(number - 1 for number in ids.values()) / len(events)
    assert repeated == pytest.approx(measured().repeated_share, rel=0.3)


def test_visits_are_as_long_and_as_frequent_as_measured(
    events: list[tuple[int, dict[str, Any]]],
) -> None:
    pages: dict[str, dict[str, int]] = defaultdict(dict)
    for at, event in people(events):
        if event["type"] == "page":
            pages[event["anonymousId"]].setdefault(event["messageId"], at)
    lengths: list[int] = []
    for visitor in pages.values():
        times = sorted(visitor.values())
        lengths.append(1)
        for before, after in pairwise(times):
            if after - before > VISIT_GAP_MS:
                lengths.append(1)
            else:
                lengths[-1] += 1
    shape = measured().pages_a_visit
    for length in (1, 2, 3):
        share = sum(each == length for each in lengths) / len(lengths)
        assert share == pytest.approx(shape[length - 1], abs=0.03)
    an_hour = len(pages) / HOURS / site.SCALE
    assert an_hour == pytest.approx(measured().visitors_an_hour, rel=0.1)


def test_crawlers_and_feed_readers_ask_as_often_as_measured(
    events: list[tuple[int, dict[str, Any]]],
) -> None:
    asked = Counter(
        event["anonymousId"].partition("-")[0] for _, event in events if event["type"] == "page"
    )
    shape = measured()
    assert asked["crawler"] / asked["v"] == pytest.approx(
        shape.per_page_view(shape.crawler_share), rel=0.1
    )
    assert asked["feedreader"] / asked["v"] == pytest.approx(
        shape.per_page_view(shape.feed_reader_share), rel=0.1
    )


def test_people_sign_up_as_often_as_measured_and_tell_an_address_first(
    events: list[tuple[int, dict[str, Any]]],
) -> None:
    told: dict[str, list[str]] = defaultdict(list)
    visitors = {event["anonymousId"] for _, event in people(events)}
    for _, event in people(events):
        kind = event.get("event") or event["type"]
        if kind in ("identify", "Form Submitted") and kind not in told[event["anonymousId"]]:
            told[event["anonymousId"]].append(kind)
    assert all(kinds[0] == "identify" for kinds in told.values())
    assert len(told) / len(visitors) == pytest.approx(measured().sign_up_share, rel=0.25)


def test_the_kept_figures_are_those_of_the_real_log(shared_data: Path) -> None:
    with gzip.open(shared_data / "semicomplete-access.log.gz", "rt", encoding="utf-8") as file:
        found = figures(file.readlines())
    assert {name: getattr(measured(), name) for name in found} == found
