"""The gauge of running journeys follows the stored states, and its labels are bounded."""

from collections.abc import Iterator

import pytest

from app import journey_census, metrics
from app.journey_census import CAMPAIGNS_MAX, JourneyCensus
from schemas.state import Entry, Journey, Lead, encode
from streams.partition.states import States


@pytest.fixture(autouse=True)
def _nothing_shown() -> Iterator[None]:
    metrics.JOURNEYS.clear()
    yield
    metrics.JOURNEYS.clear()


def lead(*campaigns: str, status: str = "active") -> Lead:
    return Lead(
        journeys=[
            Journey(f"j{n}", campaign, 1, 1, "", 0, 0, n, Entry("", {}, {}), status=status)
            for n, campaign in enumerate(campaigns)
        ]
    )


def stored(*leads: Lead) -> States:
    states = States()
    for number, each in enumerate(leads):
        states.recovered(b"lead-%d" % number, encode(each, number))
    return states


def shown() -> dict[str, float]:
    (family,) = metrics.JOURNEYS.collect()
    return {sample.labels["campaign"]: sample.value for sample in family.samples}


def test_active_journeys_of_all_partitions_are_counted() -> None:
    census = JourneyCensus()
    partitions = {
        0: stored(lead("welcome", "winback"), lead("welcome")),
        1: stored(lead("welcome"), lead("winback", status="completed"), lead()),
    }

    for _ in range(2):  # the first call only finds out what there is
        census.walk(partitions)

    assert shown() == {"welcome": 3, "winback": 1}


def test_campaigns_that_nobody_is_in_any_more_go() -> None:
    census = JourneyCensus()
    states = stored(lead("welcome"))
    for _ in range(2):
        census.walk({0: states})

    states.recovered(b"lead-0", encode(lead("winback"), 9))
    census.walk({0: states})

    assert shown() == {"winback": 1}


def test_a_walk_may_take_several_calls(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journey_census, "LEADS_A_CALL", 2)
    census = JourneyCensus()
    partitions = {0: stored(*[lead("welcome")] * 3), 1: stored(*[lead("welcome")] * 2)}

    census.walk(partitions)
    census.walk(partitions)
    assert shown() == {}
    for _ in range(2):
        census.walk(partitions)

    assert shown() == {"welcome": 5}


def test_small_campaigns_are_counted_together() -> None:
    census = JourneyCensus()
    large = [lead(f"c{n}") for n in range(CAMPAIGNS_MAX)] * 2
    small = [lead("s1"), lead("s2"), lead("s3")]

    for _ in range(2):
        census.walk({0: stored(*large, *small)})

    found = shown()
    assert len(found) == CAMPAIGNS_MAX + 1
    assert found["other"] == 3


def test_stored_bytes_are_those_of_the_values() -> None:
    states = stored(lead("welcome"), lead("winback"))
    states.recovered(b"lead-0", encode(lead("welcome", "winback"), 7))
    states.recovered(b"lead-1", None)
    slot = states.slot(b"new")
    states.put(slot, lead("a", "b", "c"), 8)
    states.encode_changed(9)

    assert states.stored_bytes == sum(len(value) for value in states.values) > 0


def test_only_what_must_be_decoded_is_a_miss() -> None:
    states = stored(lead("welcome"), lead("winback"))
    for slot in (0, 0, 1):
        states.lead(slot)
    states.cool()
    states.lead(0)  # still warm

    assert (states.lookups, states.misses) == (4, 2)
