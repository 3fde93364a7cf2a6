"""Counts of a campaign follow from its facts alone, and each fact counts once."""

import pytest

from app.web import funnel as funnels
from app.web import view as views
from app.web.funnel import Funnels
from app.web.view import View
from schemas import state
from schemas.facts import ENCODE, FactList, FactRow
from schemas.state import Lead


def fact(kind: str, step: str = "", journey: str = "j1", **detail: object) -> FactRow:
    return FactRow(1, kind, "welcome", 1, 1, journey, step, dict(detail))


def counted(*rows: FactRow) -> funnels.Funnel:
    every = Funnels()
    for row in rows:
        every.count(row)
    return every.funnel("welcome")


def test_journey_is_counted_from_entry_to_end() -> None:
    funnel = counted(
        fact("entered", trigger="event"),
        fact("step_taken", "hello", verb="send_email"),
        fact("action_issued", "hello", command="c"),
        fact("step_taken", "pause", verb="wait"),
        fact("waiting", "pause", due=5),
        fact("outcome", "hello", command="c", result="delivered"),
        fact("timer_fired", "pause", due=5),
        fact("step_taken", "more", verb="send_email"),
        fact("action_suppressed", "more", reason="unsubscribed"),
        fact("completed"),
        fact("entry_refused", journey="", reason="only_if"),
    )

    assert (funnel.entered, funnel.active, funnel.completed, funnel.waiting) == (1, 0, 1, 0)
    assert funnel.refused == {"only_if": 1}
    assert funnel.steps["hello"].sent == 1
    assert funnel.steps["hello"].outcomes == {"delivered": 1}
    assert funnel.steps["more"].suppressed == {"unsubscribed": 1}
    assert [funnel.steps[step].came for step in ("hello", "pause", "more")] == [1, 1, 1]


@pytest.mark.parametrize(
    ("then", "waiting"),
    [
        ([], 1),
        ([fact("waiting", "pause", due=9)], 1),  # the timer is set anew
        ([fact("outcome", "other", result="failed")], 1),
        ([fact("converted", event="x")], 1),
        ([fact("timer_fired", "pause")], 0),
        ([fact("branched", "pause", which="then")], 0),
        ([fact("step_taken", "next")], 0),
        ([fact("left", reason="goal")], 0),
        ([fact("completed")], 0),
        ([fact("migrated")], 0),
        ([fact("waiting", "other", journey="j2")], 2),
    ],
)
def test_who_waits_is_who_has_not_gone_on(then: list[FactRow], waiting: int) -> None:
    funnel = counted(
        fact("entered"), fact("entered", journey="j2"), fact("waiting", "pause"), *then
    )

    assert funnel.waiting == waiting


def test_journey_waits_at_two_steps_of_a_parallel() -> None:
    at_both = [fact("waiting", "left"), fact("waiting", "right")]

    assert counted(*at_both).waiting == 2
    assert counted(*at_both, fact("step_taken", "x")).waiting == 2
    assert counted(*at_both, fact("timer_fired", "left")).steps["right"].waiting == 1
    assert counted(*at_both, fact("completed")).waiting == 0


def test_held_message_waits_until_it_is_decided() -> None:
    held = fact("message_held", "hello", until=5, reason="quiet_hours")

    assert counted(held).steps["hello"].waiting == 1
    assert counted(held, fact("action_issued", "hello")).waiting == 0
    assert counted(held, fact("action_suppressed", "hello", reason="expired")).waiting == 0


def test_branches_and_reasons_are_told_apart() -> None:
    funnel = counted(
        fact("branched", "if", which="then"),
        fact("branched", "if", which="else"),
        fact("branched", "if", which="then"),
        fact("split_assigned", "split", branch="a"),
        fact("left", reason="goal"),
        fact("left", journey="j2", reason="expired"),
    )

    assert funnel.steps["if"].branched == {"then": 2, "else": 1}
    assert funnel.steps["split"].branched == {"a": 1}
    assert funnel.left == {"goal": 1, "expired": 1}


def test_places_are_bounded_and_say_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(funnels, "PLACES_MAX", 3)
    every = Funnels()

    for number in range(5):
        every.count(fact("waiting", "pause", journey=f"j{number}"))
    for number in range(5):
        every.count(fact("timer_fired", "pause", journey=f"j{number}"))

    assert every.places_dropped
    assert every.funnel("welcome").waiting == 0


def facts_at(offset: int, lead: str = "ana") -> bytes:
    return ENCODE(FactList(lead, 0, offset, 1, "id", [fact("entered")]))


def test_facts_told_again_after_a_crash_count_once() -> None:
    view = View()

    for offset in (3, 7, 9, 7, 9, 12):  # the worker began again behind its marker
        view.take_facts(0, facts_at(offset))
    view.take_facts(1, facts_at(3))  # another partition has offsets of its own

    assert view.funnel("welcome").entered == 5


def test_poison_among_the_facts_is_counted_and_passed() -> None:
    view = View()

    for value in (b"", None, b"\xff", b"[]", b'{"lead":1}'):
        view.take_facts(0, value)
    view.take_state(0, b"ana", b"short")
    view.take_facts(0, facts_at(1))

    assert view.unreadable == 6
    assert view.funnel("welcome").entered == 1


def test_latest_facts_come_newest_first_and_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(views, "FACT_LISTS_MAX", 10)
    view = View()

    for offset in range(30):
        view.take_facts(0, facts_at(offset, lead=f"lead-{offset % 3}"))

    assert [facts.offset for facts, _ in view.latest(limit=3)] == [29, 28, 27]
    assert [facts.offset for facts, _ in view.latest(lead="lead-0")] == [27, 24, 21]
    assert list(view.latest(campaign="other")) == []


def test_state_with_the_highest_watermark_wins() -> None:
    """A worker that had lost its partition may write an older state behind a newer one."""
    view = View()

    for watermark, points in ((5, 1), (9, 2), (7, 3)):
        view.take_state(0, b"ana", state.encode(Lead(points=points), watermark))
    view.take_state(0, state.MARKER_KEY, b"x" * 40)
    view.take_state(0, b"bob", state.encode(Lead(), 1))
    view.take_state(0, b"bob", None)

    stored = view.state("ana")
    assert stored is not None
    assert stored.lead().points == 2
    assert view.state("bob") is None
    assert view.leads == 1


def test_states_are_bounded_and_the_longest_unchanged_go(monkeypatch: pytest.MonkeyPatch) -> None:
    size = len(state.encode(Lead(), 1))
    monkeypatch.setattr(views, "STATE_BYTES_MAX", 3 * size)
    view = View()

    for lead in (b"a", b"b", b"c", b"a", b"d"):
        view.take_state(0, lead, state.encode(Lead(), 1))

    assert [view.state(lead) is not None for lead in "abcd"] == [True, False, True, True]
    assert view.states_forgotten
