"""`simulate`: recorded interactions, and logs that were exported."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec
import orjson
import pytest

from app.scenario_files import run_paths
from app.simulate import simulate
from schemas.changes import Change, digest_of
from schemas.errors import UsageError
from schemas.exports import ENCODE, NumberedChange, line_of
from schemas.facts import printed
from schemas.ids import partition_of
from schemas.records import ChangeMarker
from streams.engine.yaml_reading import load_yaml
from streams.simulation.simulate import Summary, is_export, simulate_events, simulate_export
from streams.simulation.world import World
from tests.simulation.test_world import at, event

NURTURE = """
campaign: nurture
enter: [{event: Signed Up}]
steps: [{wait: 1 hour}, {send_email: hello}, {wait: 3 days}, {change_points: 5}]
"""
EVENTS = [
    {"type": "track", "event": "Signed Up", "userId": "ana", "timestamp": "2026-01-05T10:00:00Z"},
    {"type": "identify", "userId": "ana", "traits": {"email": "ana@example.com"},
     "timestamp": "2026-01-05T09:00:00Z"},
    {"type": "page", "anonymousId": "x", "properties": {"path": "/"},
     "timestamp": "2026-01-05T11:30:00+01:00"},
    {"type": "track", "event": "Paid", "userId": "ana"},
]  # fmt: skip


def published(text: str) -> Change:
    """A campaign as it is published."""
    document = load_yaml(text)[0]
    return Change("campaign", document["campaign"], "publish", document, digest_of(document))


def lines(rows: Iterable[Any]) -> list[bytes]:
    """Rows as JSON lines."""
    return [orjson.dumps(row) for row in rows]


def kinds(facts: Iterable[dict[str, Any]]) -> list[tuple[str, str]]:
    """(time, kind) of facts."""
    return [(fact["at"][:19], fact["fact"]) for fact in facts]


def test_events_are_taken_in_order_of_their_times_with_wake_ups_between() -> None:
    summary = Summary()

    facts = list(simulate_events([published(NURTURE)], lines(EVENTS), summary))

    assert kinds(facts) == [
        ("2026-01-05T09:00:00", "lead_changed"),
        ("2026-01-05T10:00:00", "entered"),
        ("2026-01-05T10:00:00", "step_taken"),
        ("2026-01-05T10:00:00", "waiting"),
    ]
    assert (summary.records, summary.wake_ups) == (4, 0)


def test_until_goes_on_behind_the_last_event() -> None:
    summary = Summary()
    until = at("10:59:59") + 1_000

    facts = list(simulate_events([published(NURTURE)], lines(EVENTS), summary, until_ms=until))

    issued = [fact for fact in facts if fact["fact"] == "action_issued"]
    assert [fact["at"] for fact in issued] == ["2026-01-05T11:00:00.000Z"]
    assert [fact["cause"]["offset"] for fact in issued] == [4]
    assert (summary.records, summary.wake_ups, summary.waiting) == (4, 1, 1)
    assert summary.next_due_ms == at("11:00:00") + 3 * 86_400_000


def test_lines_that_are_no_events_are_counted_with_their_reason() -> None:
    summary = Summary()
    bad = [
        b"{", b"[]", b"", b'{"type":"unknown","userId":"a"}', b'{"type":"track","userId":"a"}',
        b'{"type":"page"}', b'{"type":"page","userId":"a","timestamp":"soon"}',
        b'{"type":"page","userId":"a\\u0000"}',
    ]  # fmt: skip

    facts = list(simulate_events([published(NURTURE)], [*lines(EVENTS), *bad], summary))

    assert len(facts) == 4
    assert [one.line for one in summary.rejected] == [5, 6, 8, 9, 10, 11, 12]


def test_a_repeated_message_id_is_one_event() -> None:
    twice = [{**EVENTS[0], "messageId": "m"}, {**EVENTS[0], "messageId": "m"}]
    again = NURTURE.replace("steps", "reentry: always\nsteps")

    facts = list(simulate_events([published(again)], lines(twice), Summary()))

    assert [kind for _, kind in kinds(facts)].count("entered") == 1


def exported(partitions: int) -> tuple[list[bytes], list[dict[str, Any]]]:
    """The log of a world as `export` prints it, and the facts that were told of it."""
    world = World(first_ms=at("08:00:00"))
    world.publish(published(NURTURE), at("09:00:00"))
    for minute, lead in enumerate(("ana", "ben", "cy", "ana", "dee")):
        world.append(lead, event("Signed Up"), at("10:00:00") + minute * 60_000)
    second = NURTURE.replace("1 hour", "2 hours")
    world.publish(published(second), at("10:30:00"))
    world.append("eve", event("Signed Up"), at("10:31:00"))
    world.advance(at("23:00:00"))
    numbers = iter([published(NURTURE), published(second)])
    found = []
    changes = 0
    for record in world.log:
        line = line_of(0, record.offset, record.timestamp, record.key, list(record.headers),
                       record.value)  # fmt: skip
        if line.marker:
            assert msgspec.json.decode(record.value or b"", type=ChangeMarker).number == changes
            line.partitions = partitions
            line.changes = (NumberedChange(changes, next(numbers)),)
            changes += 1
        found.append(ENCODE(line))
    return found, [printed(told, fact) for told in world.facts for fact in told.facts]


def test_an_exported_log_gives_the_facts_that_were_told_of_it() -> None:
    log, told = exported(1)
    summary = Summary()

    facts = list(simulate_export(log, summary))

    assert facts == told
    assert {fact["fact"] for fact in facts} >= {"campaign_changed", "timer_fired", "entry_refused"}
    assert (summary.records, summary.wake_ups, summary.leads) == (len(log), 5, 5)


def test_the_log_of_one_lead_gives_its_facts() -> None:
    log, told = exported(1)
    of_ana = [line for line in log if b'"key":"ana"' in line or b"change-marker" in line]

    facts = list(simulate_export(of_ana, Summary()))

    assert [f for f in facts if f["lead"]] == [f for f in told if f["lead"] == "ana"]


def test_what_lies_in_the_wrong_partition_is_a_dead_letter() -> None:
    log, _ = exported(2)
    wrong = sum(
        b'"key":"%s"' % lead.encode() in line
        for lead in ("ana", "ben", "cy", "dee", "eve")
        if partition_of(lead, 2) != 0
        for line in log
    )
    summary = Summary()

    list(simulate_export(log, summary))

    assert wrong > 0
    assert summary.dead_letters == {"wrong_partition": wrong}


def test_the_two_inputs_are_told_apart() -> None:
    assert is_export(exported(1)[0][0])
    assert not is_export(lines(EVENTS)[0])
    assert not is_export(b"{")


def test_the_command_reads_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    campaigns = tmp_path / "campaigns"
    campaigns.mkdir()
    (campaigns / "nurture.yaml").write_text(NURTURE)
    (tmp_path / "events.jsonl").write_bytes(b"\n".join(lines(EVENTS)))
    (tmp_path / "leads.jsonl").write_text('{"lead": "ben", "points": 7, "tags": ["vip"]}\n')

    status = simulate(
        tmp_path, tmp_path / "events.jsonl", tmp_path / "leads.jsonl", "2026-01-31T00:00:00Z"
    )

    out, err = capsys.readouterr()
    facts = [orjson.loads(line) for line in out.splitlines()]
    assert status == 0
    assert facts[-1]["fact"] == "completed"
    assert facts[0].keys() >= {"at", "lead", "fact", "detail", "cause"}
    assert "4 records, 2 wake-ups, 2 leads" in err


@pytest.mark.parametrize(
    "leads",
    ['{"points": 1}', '{"lead": "a", "colour": 1}', '{"lead": "a"}\n{"lead": "a"}', "{"],
)
def test_leads_that_cannot_be_read_are_bad_input(tmp_path: Path, leads: str) -> None:
    (tmp_path / "campaigns").mkdir()
    (tmp_path / "campaigns" / "nurture.yaml").write_text(NURTURE)
    (tmp_path / "events.jsonl").write_bytes(b"\n".join(lines(EVENTS)))
    (tmp_path / "leads.jsonl").write_text(leads)

    with pytest.raises(UsageError, match=r"leads, line \d"):
        simulate(tmp_path, tmp_path / "events.jsonl", tmp_path / "leads.jsonl")


def test_scenarios_below_a_path_are_run_a_line_each(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    good = "scenario: Good\ncampaigns: [../campaigns/nurture.yaml]\nthen: []\n"
    for folder in ("campaigns", "scenarios"):
        (tmp_path / folder).mkdir()
    (tmp_path / "campaigns" / "nurture.yaml").write_text(NURTURE)
    (tmp_path / "scenarios" / "a.yaml").write_text(good)

    assert run_paths([tmp_path]) == 0
    assert capsys.readouterr().out.splitlines() == [
        f"ok   Good ({tmp_path}/scenarios/a.yaml)",
        "1 passed, 0 failed",
    ]

    (tmp_path / "scenarios" / "b.yaml").write_text(good.replace("nurture", "missing"))
    (tmp_path / "scenarios" / "c.yaml").write_text("scenario: Broken\nthen: [")
    (tmp_path / "scenarios" / "d.yaml").write_text("no: scenario")

    assert run_paths([tmp_path]) == 1
    out = capsys.readouterr().out.splitlines()
    assert [line[:4] for line in out if not line.startswith("     ")] == ["ok  ", "FAIL", "FAIL",
                                                                         "1 pa"]  # fmt: skip
    assert out[-1] == "1 passed, 2 failed"

    assert run_paths([tmp_path], json=True) == 1
    told = [orjson.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [row.get("passed") for row in told] == [True, False, False, 1]


def test_paths_without_scenarios_are_wrong_usage(tmp_path: Path) -> None:
    with pytest.raises(UsageError):
        run_paths([tmp_path / "missing"])
    with pytest.raises(UsageError):
        run_paths([tmp_path])
