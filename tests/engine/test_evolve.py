"""`evolve` never fails, whatever the fact and whatever the lead."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import inspect, structs

from schemas import facts as f
from schemas.state import Entry, Journey, Lead, Past, Sent, Session, Token, encode
from streams.engine import bounds
from streams.engine.evolve import evolve, journey_of, moves, past_key

NAMES = st.sampled_from(["", "a", "b", "c"])
TIMES = st.integers(0, 4)
ANYTHING = st.one_of(
    st.none(), st.booleans(), st.integers(-3, 3), st.floats(allow_nan=False), NAMES,
    st.lists(NAMES, max_size=2), st.dictionaries(NAMES, TIMES, max_size=2),
)  # fmt: skip
WHATS = st.sampled_from(
    ["points", "tags.a", "tags.", "lists.b", "traits.a", "traits.a.b", "traits", "timezone",
     "consent.email", "consent.", "nothing", ""]
)  # fmt: skip
KINDS = [kind for kind in f.Fact.__subclasses__() if kind.__module__ == f.__name__]

tokens = st.builds(Token, NAMES, TIMES, TIMES, TIMES)
sents = st.builds(Sent, NAMES, NAMES, NAMES, TIMES)
journeys = st.builds(
    Journey, NAMES, NAMES, TIMES, TIMES, NAMES, TIMES, TIMES, TIMES,
    st.just(Entry("", {}, {})), st.sampled_from(["active", "completed"]),
    st.lists(tokens, max_size=2), st.dictionaries(NAMES, NAMES, max_size=2),
    st.dictionaries(NAMES, TIMES, max_size=2), st.lists(sents, max_size=2),
    goal_until=TIMES, converted=st.booleans(),
)  # fmt: skip
leads = st.builds(
    Lead, TIMES, TIMES, TIMES, st.dictionaries(NAMES, ANYTHING, max_size=2), TIMES,
    st.lists(NAMES, unique=True, max_size=3), st.lists(NAMES, unique=True, max_size=3),
    st.dictionaries(NAMES, NAMES, max_size=2), NAMES, st.lists(journeys, max_size=3),
    st.dictionaries(NAMES, st.builds(Past, TIMES, TIMES, TIMES), max_size=2),
)  # fmt: skip


def value_of(field: inspect.Field) -> st.SearchStrategy[Any]:
    """Any value of a field's type; `what` as facts have it, and what is `Any` anything."""
    if field.name == "what":
        return WHATS
    if field.name == "entry":
        return st.just(Entry("x", {}, {})) | st.none()
    if field.name == "session":
        return st.none() | st.builds(Session, TIMES, TIMES)
    if field.name == "buckets":
        return st.none() | st.dictionaries(TIMES, TIMES, max_size=2)
    match field.type:
        case inspect.IntType():
            return TIMES
        case inspect.BoolType():
            return st.booleans()
        case inspect.BytesType():
            return st.just(b"12345678")
        case inspect.UnionType():
            return st.none() | (TIMES if field.name == "due" else NAMES)
        case inspect.ListType():
            return st.lists(NAMES, max_size=2)
        case inspect.StrType():
            return NAMES
        case _:
            return ANYTHING


def facts_of(kind: type[f.Fact]) -> st.SearchStrategy[f.Fact]:
    info = inspect.type_info(kind)
    assert isinstance(info, inspect.StructType)
    return st.builds(kind, **{field.name: value_of(field) for field in info.fields})


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_it_never_fails(kind: type[f.Fact]) -> None:
    @settings(max_examples=40)
    @given(leads, facts_of(kind))
    def try_out(lead: Lead, fact: f.Fact) -> None:
        before = encode(lead, 0)
        evolve(lead, fact)
        after = encode(lead, 0)
        assert moves(fact) or after == before

    try_out()


@given(leads, st.sampled_from(["", "a", "b", "x"]))
def test_a_journey_is_found_by_its_id(lead: Lead, name: str) -> None:
    found = journey_of(lead, name)
    ids = [journey.id for journey in lead.journeys]
    assert (found is None) == (name not in ids)
    if found is not None:
        assert found is lead.journeys[ids.index(name)]


def changed(what: str, after: Any) -> f.LeadChanged:
    return f.LeadChanged(1, what=what, after=after)


def test_lists_and_tags_stay_unique_and_in_order_of_joining() -> None:
    lead = Lead(tags=["a", "b"])
    old = lead.tags
    for what, after in (("tags.c", True), ("tags.a", False), ("tags.b", True)):
        evolve(lead, changed(what, after))
    assert lead.tags == ["c", "b"]
    assert old == ["a", "b"]


def test_a_trait_is_taken_away_by_null_and_its_name_may_hold_dots() -> None:
    lead = Lead(traits={"a.b": 1})
    evolve(lead, changed("traits.a.b", None))
    evolve(lead, changed("traits.c.d", 2))
    assert lead.traits == {"c.d": 2}


def entered(n: int, per: str = "") -> f.Entered:
    return f.Entered(10 + n, f"j{n}", "c", 1, n, per=per, entry=Entry("", {}, {}), offset=n)


def test_journeys_are_sorted_by_the_record_that_began_them() -> None:
    lead = Lead()
    for n in (3, 1, 2):
        evolve(lead, entered(n))
    assert [journey.id for journey in lead.journeys] == ["j1", "j2", "j3"]
    assert structs.asdict(lead.past["c"])["runs"] == 3


def test_an_end_is_remembered_for_the_campaign_and_the_value() -> None:
    lead = Lead()
    evolve(lead, entered(1, "5"))
    evolve(lead, f.Completed(20, "j1", "c"))
    evolve(lead, entered(2, "6"))
    evolve(lead, f.Left(30, "j2", "c", reason="removed"))
    five, six, all_ = (lead.past[key] for key in (past_key("c", "5"), past_key("c", "6"), "c"))
    assert (five.completed, six.completed, all_.completed) == (True, False, True)
    assert (five.removed_by_hand, six.removed_by_hand, all_.removed_by_hand) == (
        False, True, True,
    )  # fmt: skip
    assert [past.exited_at for past in (five, six, all_)] == [20, 30, 30]
    assert lead.journeys == []


def test_a_completed_journey_stays_until_its_goal_is_over() -> None:
    for until, converted, stays in ((0, False, False), (100, False, True), (100, True, False)):
        lead = Lead()
        fact = entered(1)
        fact.goal_until = until
        evolve(lead, fact)
        if converted:
            evolve(lead, f.Converted(15, "j1", "c"))
        evolve(lead, f.Waiting(16, "j1", "c", step="s", due=50))
        evolve(lead, f.Completed(20, "j1", "c"))
        assert [journey.status for journey in lead.journeys] == ["completed"] * stays
        assert all(not journey.tokens for journey in lead.journeys)
        evolve(lead, f.Converted(30, "j1", "c"))
        assert lead.journeys == []


def test_deadlines_messages_and_ids_have_an_end() -> None:
    lead = Lead()
    evolve(lead, entered(1))
    for n in range(300):
        evolve(lead, f.Departed(n, "j1", "c", step=f"s{n}", deadline=n + 1))
        evolve(lead, f.ActionIssued(n, "j1", "c", step="s", command=str(n), channel="email"))
        evolve(lead, f.IdRemembered(n, hash=n.to_bytes(8, "big")))
    (journey,) = lead.journeys
    assert [entry[0] for entry in journey.timed_out] == [
        f"s{n}" for n in range(300 - bounds.DEADLINES_REMEMBERED, 300)
    ]
    assert [sent.command for sent in journey.sent] == [
        str(n) for n in range(300 - bounds.MESSAGES_REMEMBERED, 300)
    ]
    assert journey.occurrences == {"s": 300}
    assert len(lead.ids) == 8 * bounds.IDS
    assert len(lead.sends["email"]) == bounds.SENDS


def test_a_deadline_of_the_same_step_replaces_the_older() -> None:
    lead = Lead()
    evolve(lead, entered(1))
    for n in (1, 2):
        evolve(lead, f.Waiting(n, "j1", "c", step="s", due=n + 5))
        evolve(lead, f.Departed(n, "j1", "c", step="s", deadline=n + 5))
    assert lead.journeys[0].timed_out == [("s", 7)]
    assert lead.journeys[0].tokens == []


def test_a_timer_that_is_set_anew_counts_up() -> None:
    lead = Lead()
    evolve(lead, entered(1))
    for due in (5, 6, None):
        evolve(lead, f.Waiting(1, "j1", "c", step="s", due=due, arrived_at=1))
    (token,) = lead.journeys[0].tokens
    assert (token.due, token.generation) == (0, 2)
