"""`spends_time`: how long a visit has lasted, on the site or on pages."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.engine.meaning import SESSION_GAP_MS
from tests.engine.folding import Log, ms

START = ms("2026-01-05T10:00")
MINUTE = 60_000


def watch(trigger: str, reentry: str = "after_exit") -> Log:
    return Log(f"""
campaign: c
enter: [{{{trigger}}}]
reentry: {reentry}
steps: [{{change_points: 1}}]
""")


def points(log: Log) -> float:
    return 0 if log.lead is None else log.lead.points


def visit(log: Log, *pages: tuple[float, str]) -> list[float]:
    """Pages at minutes; the points after each."""
    found = []
    for minute, path in pages:
        at = START + int(minute * MINUTE)
        if path == "Heartbeat":
            log.track(at, path)
        else:
            log.page(at, path)
        found.append(points(log))
    return found


def test_the_first_record_that_proves_it_and_once_a_session() -> None:
    log = watch("spends_time: 5 minutes")
    assert visit(log, (0, "/"), (3, "/a"), (5, "/b"), (9, "/c"), (20, "/d")) == [0, 0, 1, 1, 1]
    assert visit(log, (60, "/"), (64, "/a"), (66, "/b")) == [1, 1, 2]


def test_a_gap_of_over_thirty_minutes_ends_a_session() -> None:
    log = watch("spends_time: 30 minutes")
    assert visit(log, (0, "/"), (30, "/a")) == [0, 1]
    log = watch("spends_time: 30 minutes")
    assert visit(log, (0, "/"), (30.001, "/a"), (60, "/b")) == [0, 0, 0]


def test_time_belongs_to_the_page_of_the_earlier_record() -> None:
    log = watch('spends_time: 5 minutes, on: "/docs/*"')
    assert visit(log, (0, "/docs/a"), (3, "/"), (10, "/docs/b"), (11, "/docs/c"), (12, "/")) == [
        0, 0, 0, 0, 1,
    ]  # fmt: skip


def test_heartbeats_are_such_records_and_stay_on_the_page() -> None:
    log = watch('spends_time: 5 minutes, on: "/docs/*"')
    assert visit(log, (0, "/docs/a"), (3, "Heartbeat"), (5, "Heartbeat")) == [0, 0, 1]


def test_pages_may_be_named_by_their_full_url() -> None:
    log = watch('spends_time: 5 minutes, on: ["https://a.example/*", "/x"]')
    log.page(START, "/docs", properties={"url": "https://a.example/docs"})
    log.page(START + 5 * MINUTE, "/")
    assert points(log) == 1


def test_two_lengths_are_proved_each_by_itself() -> None:
    log = Log(
        "{campaign: a, enter: [{spends_time: 1 minute}], steps: [{change_points: 1}]}",
        "{campaign: b, enter: [{spends_time: 2 minutes}], steps: [{change_points: 10}]}",
    )
    assert visit(log, (0, "/"), (1, "/"), (2, "/")) == [0, 1, 11]


@pytest.mark.parametrize("event", ["Email Opened", "Email Delivered", "Unsubscribed"])
def test_what_a_mail_program_tells_is_no_visit(event: str) -> None:
    log = watch("spends_time: 5 minutes")
    log.page(START, "/")
    log.track(START + 10 * MINUTE, event)
    assert points(log) == 0
    log.page(START + 11 * MINUTE, "/")
    assert points(log) == 1


def test_historical_records_are_no_visit() -> None:
    log = watch("spends_time: 5 minutes")
    log.page(START, "/", historical=True)
    log.page(START + 6 * MINUTE, "/")
    assert points(log) == 0


def test_a_wait_and_an_exit_may_ask_for_time_too() -> None:
    log = Log("""
campaign: c
enter: [{event: Go}]
exit: [{spends_time: 20 minutes}]
steps: [{wait_for: {spends_time: 5 minutes}}, {change_points: 1}, {wait: 1 day}]
""")
    log.track(START, "Go")
    assert visit(log, (0, "/"), (5, "/"), (20, "/")) == [0, 1, 1]
    assert log.reasons() == ["exit_trigger"]


def test_sessions_are_kept_only_while_somebody_asks() -> None:
    log = Log("{campaign: c, enter: [{event: Go}], steps: [{add_tags: x}]}")
    log.track(START, "Go")
    log.page(START + MINUTE, "/")
    assert log.lead is not None
    assert log.lead.session is None


@given(
    st.lists(
        st.tuples(st.integers(0, 40 * MINUTE), st.sampled_from(["/docs/a", "/", "Heartbeat"])),
        min_size=1, max_size=12,
    )
)  # fmt: skip
def test_as_the_definition_says(steps: list[tuple[int, str]]) -> None:
    """Against a sum over the whole history, in every session."""
    log = watch('spends_time: 20 minutes, on: "/docs/*"', reentry="always")
    at, history = START, []
    for passed, path in steps:
        at += passed
        history.append((at, path))
        visit(log, ((at - START) / MINUTE, path))
    proofs, spent, done, page, last = 0, 0, False, "", 0
    for at, path in history:
        if at - last > SESSION_GAP_MS:
            spent, done, page = 0, False, ""
        elif page.startswith("/docs/"):
            spent += at - last
        if spent >= 20 * MINUTE and not done:
            proofs, done = proofs + 1, True
        page = page if path == "Heartbeat" else path
        last = at
    assert points(log) == proofs
