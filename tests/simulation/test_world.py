"""The world in memory, and what of the language only late or early wake-ups can show."""

from collections.abc import Sequence
from typing import Any

import msgspec
import pytest

from schemas.changes import Change, digest_of
from schemas.records import ENCODE, Interaction, WakeUp
from schemas.state import Lead
from streams.engine.yaml_reading import load_yaml
from streams.simulation.scenario_values import instant
from streams.simulation.world import World

WAITS = """
campaign: waits
enter: [{event: Go}]
steps:
  - {wait_for: {event: Paid}, within: 1 hour, then: [{add_tags: paid}], else: [{add_tags: late}]}
  - {send_email: one}
  - {wait: 2 hours}
  - {send_email: two}
"""
ANA = Lead(traits={"email": "ana@example.com"})


def changes(*documents: str) -> list[Change]:
    """Campaigns as they are published."""
    read = [load_yaml(document)[0] for document in documents]
    return [Change("campaign", d["campaign"], "publish", d, digest_of(d)) for d in read]


def at(time: str) -> int:
    """A time of the fifth of January, as ms."""
    return instant(f"2026-01-05T{time}Z", "")


def event(name: str) -> Interaction:
    """A tracked event."""
    return Interaction("track", name, "ana")


def without_wake_ups(world: World, name: str, time: str) -> None:
    """Append an event while the waker sleeps."""
    headers = (("schema", b"interaction/1"), ("id", f"{name} {time}".encode()))
    world.append_raw(b"ana", ENCODE(event(name)), headers, at(time))


def wake_up(world: World, time: str) -> None:
    """Append a wake-up by hand."""
    headers = (("schema", b"wake-up/1"), ("id", f"wake {time}".encode()))
    world.append_raw(b"ana", ENCODE(WakeUp(at(time))), headers, at(time))


def told(world: World, kind: str) -> list[tuple[int, dict[str, Any]]]:
    """(time, detail) of all facts of one kind."""
    return [(f.at, f.detail) for told in world.facts for f in told.facts if f.fact == kind]


def test_timers_due_before_a_record_fire_before_it_at_their_due_times() -> None:
    world = World(changes(WAITS), {"ana": ANA}, first_ms=at("09:00:00"))
    without_wake_ups(world, "Go", "10:00:00")

    without_wake_ups(world, "Paid", "20:00:00")

    lead = world.lead("ana")
    assert lead is not None
    assert lead.tags == ["late"]
    assert [(c.step, c.due_ms, c.issued_ms) for c in world.commands] == [
        ("steps[1]", at("11:00:00"), at("20:00:00")),
        ("steps[3]", at("13:00:00"), at("20:00:00")),
    ]
    assert [time for time, _ in told(world, "timer_fired")] == [at("11:00:00"), at("13:00:00")]


def test_a_late_wake_up_fires_what_is_due_at_or_before_it() -> None:
    world = World(changes(WAITS), {"ana": ANA}, first_ms=at("09:00:00"))
    without_wake_ups(world, "Go", "10:00:00")

    wake_up(world, "12:59:59")
    assert [c.step for c in world.commands] == ["steps[1]"]

    wake_up(world, "13:00:00")
    assert [c.step for c in world.commands] == ["steps[1]", "steps[3]"]


def test_early_and_repeated_wake_ups_do_nothing() -> None:
    world = World(changes(WAITS), {"ana": ANA}, first_ms=at("09:00:00"))
    without_wake_ups(world, "Go", "10:00:00")
    facts = len(world.facts)

    wake_up(world, "10:59:59")
    assert len(world.facts) == facts

    wake_up(world, "11:00:00")
    wake_up(world, "11:00:00")
    assert [c.step for c in world.commands] == ["steps[1]"]


@pytest.mark.parametrize(
    ("went", "entered"),
    [
        ("10:00:00", "12:00:00"),  # the identify had an effect, its time is remembered
        ("12:05:00", "12:05:00"),  # "Other" had none, its time is not
    ],
)
def test_now_is_the_later_of_the_records_time_and_the_leads_clock(went: str, entered: str) -> None:
    world = World(changes(WAITS), {"ana": ANA}, first_ms=at("09:00:00"))
    world.append_raw(
        b"ana",
        ENCODE(Interaction("identify", None, "ana", traits=msgspec.Raw(b'{"plan":"pro"}'))),
        (("schema", b"interaction/1"), ("id", b"i")),
        at("12:00:00"),
    )
    without_wake_ups(world, "Other", "12:10:00")

    without_wake_ups(world, "Go", went)

    assert [time for time, _ in told(world, "entered")] == [at(entered)]


def test_a_command_carries_when_it_was_due_and_when_it_was_issued() -> None:
    world = World(changes(WAITS), {"ana": ANA}, first_ms=at("09:00:00"))
    without_wake_ups(world, "Go", "10:00:00")

    wake_up(world, "12:00:00")

    (command,) = world.commands
    assert (command.due_ms, command.issued_ms) == (at("11:00:00"), at("12:00:00"))


def test_note_and_name_are_free_text() -> None:
    noted = (
        "{campaign: noted, name: Für alle, enter: [{event: Go}], "
        "steps: [{add_tags: a, note: because}]}"
    )
    world = World(changes(noted), first_ms=at("09:00:00"))

    world.append("ana", event("Go"), at("10:00:00"))

    lead = world.lead("ana")
    assert lead is not None
    assert lead.tags == ["a"]


def test_a_page_that_interests_nobody_brings_no_lead_into_being() -> None:
    world = World(changes(WAITS), first_ms=at("09:00:00"))

    world.append("ben", Interaction("page", None, "ben"), at("10:00:00"))
    world.append("ben", event("Paid"), at("10:00:00"))

    assert world.lead("ben") is None
    assert world.facts == []


LEADS = [f"lead-{number}" for number in range(5)]


def play(leads: Sequence[str]) -> dict[str, list[tuple[int, str, dict[str, Any]]]]:
    """The facts of each lead of a small traffic that only the named leads take part in."""
    scoring = """
campaign: scoring
enter: [{event: Go}, {event: Paid}]
reentry: after_exit
steps: [{change_points: 7}, {wait: 25 minutes}, {add_to_list: warm}]
"""
    world = World(changes(WAITS, scoring), first_ms=at("09:00:00"))
    for step in range(60):
        lead = LEADS[step * 7 % 5]
        if lead in leads:
            name = ("Go", "Paid", "Other")[step * 5 % 3]
            world.append(lead, event(name), at("10:00:00") + step * 97_000, id=f"e{step}")
    world.advance(at("23:00:00"))
    found: dict[str, list[tuple[int, str, dict[str, Any]]]] = {lead: [] for lead in leads}
    for record in world.facts:
        for fact in record.facts:
            detail = {name: v for name, v in fact.detail.items() if name != "command"}
            found[record.lead].append((fact.at, fact.fact, detail))
    return found


@pytest.mark.parametrize("lead", LEADS)
def test_the_outcome_for_a_lead_does_not_depend_on_other_leads(lead: str) -> None:
    assert play([lead])[lead] == play(LEADS)[lead]
    assert play([lead])[lead]
