"""Rows, tables and views, on chDB; replays and doubled batches change nothing."""

import random
from collections.abc import Iterable
from pathlib import Path

import pytest

from projections import migrating, tables
from projections.batches import Batch, Place
from projections.chdb_store import ChdbStore
from projections.clamping import LATEST_MS
from projections.migrating import HEADINGS, migrate, migrations
from projections.rows import Unusable, rows_of
from projections.store import Refused
from schemas import topics
from schemas.errors import Halt
from streams.ports import StoredRecord
from tests.projections.recording import (
    COUNTS,
    LOG,
    MONDAY,
    all_topics,
    counted,
    fact,
    fact_list,
    journey,
    lead_state,
    source,
)


def insert(store: ChdbStore, records: Iterable[tuple[str, StoredRecord]]) -> None:
    batch = Batch(1_000_000, 60.0)
    for topic, record in records:
        where = source(topic)
        batch.add(Place("t", topic, 0), record.offset, rows_of(where, record), 0.0)
    for table, _, columns in batch.columns():
        store.insert(f"dripline.{table}", columns)


def ask(store: ChdbStore, sql: str) -> list[dict[str, object]]:
    answer = store.query(sql)
    return [dict(zip(answer.columns, row, strict=True)) for row in answer.rows]


def test_migrations_are_applied_once(bare: ChdbStore) -> None:
    names = [one.name for one in migrations()]

    assert migrate(bare) == names
    assert migrate(bare) == []


def test_a_migration_that_was_changed_afterwards_is_an_error(
    bare: ChdbStore, tmp_path: Path
) -> None:
    for one in migrations():
        (tmp_path / f"{one.number:04d}_{one.name}.sql").write_text(one.sql)
    migrate(bare, tmp_path)
    with (tmp_path / "0001_positions.sql").open("a") as file:
        file.write("-- changed\n")

    with pytest.raises(Halt, match="0001_positions"):
        migrate(bare, tmp_path)


def test_tables_of_a_newer_version_are_an_error(bare: ChdbStore) -> None:
    migrate(bare)
    more = {"number": [9999], "name": ["later"], "checksum": ["x"]}
    bare.insert(migrating.APPLIED, more)

    with pytest.raises(Halt, match="newer"):
        migrate(bare)


def test_every_migration_says_what_it_holds() -> None:
    found = migrations()

    assert [one.number for one in found] == list(range(1, len(found) + 1))
    silent = [one.name for one in found for word in HEADINGS if not one.heading(word)]
    assert silent == []


def test_the_columns_are_those_of_the_tables(chdb: ChdbStore) -> None:
    found = {
        table: tuple(row[0] for row in chdb.query(f"DESCRIBE dripline.{table}").rows)
        for table in tables.COLUMNS
    }

    assert found == tables.COLUMNS


def test_every_topic_becomes_rows(chdb: ChdbStore) -> None:
    insert(chdb, all_topics())

    assert counted(chdb) == COUNTS
    (row,) = ask(chdb, "SELECT * FROM dripline.interactions FINAL WHERE type = 'track'")
    assert row["properties"] == '{"plan":"pro"}'
    assert row["time"] == "2026-01-05 10:00:00.000"
    assert (row["log"], row["offset"], row["id"], row["lead"]) == (LOG, 0, "m-0", "ana")


def test_replays_and_doubled_and_cut_batches_change_nothing(chdb: ChdbStore) -> None:
    records = list(all_topics())
    chance = random.Random(5)
    for _ in range(20):
        begin = chance.randrange(len(records))
        insert(chdb, records[begin : chance.randrange(begin, len(records)) + 1])
    insert(chdb, records)
    insert(chdb, records)

    assert counted(chdb) == COUNTS


def test_the_highest_watermark_wins_in_any_order(chdb: ChdbStore) -> None:
    states = [
        (topics.LEADS_CHANGELOG, lead_state(mark, [journey()], offset=place))
        for place, mark in enumerate((5, 9, 7))
    ]
    for one in states:
        insert(chdb, [one])

    assert ask(chdb, "SELECT watermark FROM dripline.leads FINAL") == [{"watermark": 9}]
    assert ask(chdb, "SELECT watermark FROM dripline.journeys FINAL") == [{"watermark": 9}]


def test_records_that_are_no_rows_are_told_apart() -> None:
    broken = [
        (topics.LEAD_EVENTS, StoredRecord(0, MONDAY, b"ana", b"{}")),
        (topics.LEAD_EVENTS, StoredRecord(0, MONDAY, b"", b"{}", (("schema", b"wake-up/1"),))),
        (topics.LEAD_EVENTS, StoredRecord(0, MONDAY, b"a", b"{", (("schema", b"outcome/1"),))),
        (topics.JOURNEY_FACTS, StoredRecord(0, MONDAY, b"ana", None)),
        (topics.LEADS_CHANGELOG, StoredRecord(0, MONDAY, b"ana", b"short")),
    ]
    for topic, record in broken:
        with pytest.raises(Unusable):
            rows_of(source(topic), record)


def test_times_beyond_what_a_column_can_hold_become_the_last_one(chdb: ChdbStore) -> None:
    far = fact("entered", at=253_402_300_799_000)
    insert(chdb, [(topics.JOURNEY_FACTS, fact_list(0, [far]))])

    sql = "SELECT toUnixTimestamp64Milli(at) AS at FROM dripline.journey_facts FINAL"
    assert [int(str(row["at"])) for row in ask(chdb, sql)] == [LATEST_MS]


def test_entries_and_exits_add_up(chdb: ChdbStore) -> None:
    lists = [
        fact_list(0, [fact("entered", "j1"), fact("entered", "j2")]),
        fact_list(1, [fact("entered", "j3"), fact("completed", "j3")]),
        fact_list(2, [fact("left", "j2", reason="exit")]),
    ]
    insert(chdb, [(topics.JOURNEY_FACTS, one) for one in lists])
    states = [lead_state(0, [journey("j1"), journey("j2")]), lead_state(2, [journey("j1")])]
    insert(chdb, [(topics.LEADS_CHANGELOG, one) for one in states])

    (row,) = ask(chdb, "SELECT * FROM dripline.entries_and_exits")
    assert row.pop("campaign") == "welcome"
    assert {name: int(str(value)) for name, value in row.items()} == {
        "entered": 3, "active": 1, "completed": 1, "left": 1, "difference": 0,
    }  # fmt: skip


def test_variants_are_compared_with_the_hold_out(chdb: ChdbStore) -> None:
    lists = []
    for n in range(40):
        name = f"j{n}"
        told = [fact("entered", name)]
        if n < 20:
            told.append(fact("action_suppressed", name, step="hello", reason="holdout"))
        else:
            branch = "a" if n % 2 else "b"
            told.append(fact("split_assigned", name, step="which", branch=branch))
        if n in range(5) or n in range(20, 30):
            told.append(fact("converted", name, MONDAY + 60_000))
        lists.append((topics.JOURNEY_FACTS, fact_list(n, told)))
    insert(chdb, lists)

    rows = ask(
        chdb,
        "SELECT split, variant, toInt32(entered) AS entered, toInt32(converted) AS converted, "
        "round(lift, 3) AS lift, round(difference_low, 3) AS low, "
        "round(difference_high, 3) AS high "
        "FROM dripline.conversions_by_variant ORDER BY split, variant",
    )
    # p1 = 0.5 of 20, p0 = 0.25 of 20: 0.25 ± 1.96 · sqrt(0.25/20 + 0.1875/20)
    assert rows[0] == {
        "split": "", "variant": "all", "entered": 20, "converted": 10, "lift": 1.0,
        "low": -0.04, "high": 0.54,
    }  # fmt: skip
    assert [(row["split"], row["variant"], row["entered"]) for row in rows[1:]] == [
        ("which", "a", 10),
        ("which", "b", 10),
    ]
    (time,) = ask(chdb, "SELECT * FROM dripline.time_to_convert")
    assert (float(str(time["p50_seconds"])), int(str(time["conversions"]))) == (60.0, 15)


def test_funnel_hours_and_timeline(chdb: ChdbStore) -> None:
    insert(chdb, all_topics())

    funnel = ask(
        chdb, "SELECT step, toInt32(reached) AS reached, share FROM dripline.campaign_funnel"
    )
    assert funnel == [{"step": "hello", "reached": 1, "share": 1}]
    hours = ask(chdb, "SELECT hour, toInt32(taken) AS taken FROM dripline.step_metrics_hourly")
    assert hours == [{"hour": "2026-01-05 10:00:00", "taken": 1}]
    line = ask(
        chdb, "SELECT what FROM dripline.lead_timeline WHERE lead = 'ana' ORDER BY offset, number"
    )
    assert [row["what"] for row in line] == [
        "track", "entered", "step_taken", "by_hand", "delivered",
    ]  # fmt: skip


def test_wrong_sql_is_refused(chdb: ChdbStore) -> None:
    with pytest.raises(Refused, match="nowhere"):
        chdb.query("SELECT nowhere")


def test_a_batch_is_full_by_rows_or_by_age() -> None:
    place = Place("t", topics.COMMANDS, 0)
    batch = Batch(2, 10.0)
    assert not batch.full(1_000.0)
    batch.add(place, 3, [("commands", ())], 0.0)
    assert not batch.full(9.0)
    assert batch.full(10.0)
    batch.add(place, 4, [("commands", ())], 1.0)
    assert batch.full(1.0)
    assert (batch.first[place], batch.last[place]) == (3, 4)
    assert batch.positions()["next_offset"] == [5]


def test_every_table_and_view_is_documented_as_its_file_says() -> None:
    page = Path(migrating.__file__).parents[1] / "docs" / "reference" / "tables.md"
    documented = [line for line in page.read_text().splitlines() if line.startswith("| `")]

    words = ("Grain", "Key", "Source", "Dedup")
    assert documented == [
        f"| `{one.name}` | {' | '.join(one.heading(word) for word in words)} |"
        for one in migrations()
    ]
