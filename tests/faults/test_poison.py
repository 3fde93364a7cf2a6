"""Bytes that nobody should write into the log: each ends as designed, and the stream goes on."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer

from schemas import topics as names
from streams.partition.dead_letters import MAX_BYTES
from tests.faults.appending import SCHEMA, Raw, append, raw, track
from tests.faults.installation import CAMPAIGNS, Installation, eventually
from tests.faults.raising_worker import CURSED
from tests.kafka.server import KafkaServer

PARTITIONS = 6
HEADERS = [("schema", SCHEMA), ("id", b"x")]
GOOD = raw("ana", {"type": "track", "event": "Product Viewed"}, "x", PARTITIONS)
ELSEWHERE = (GOOD.partition + 1) % PARTITIONS

POISON = {
    "no headers": (Raw(b"ana", b"\x00\xff\xfe", [], 0), "no_schema"),
    "nothing at all": (Raw(None, None, [], 1), "no_schema"),
    "unknown schema": (GOOD._replace(headers=[("schema", b"interaction/99")]), "unknown_schema"),
    "malformed JSON": (GOOD._replace(value=b'{"type": "track", '), "bad_json"),
    "not UTF-8": (GOOD._replace(value=b'{"type": "track", "event": "\xff"}'), "bad_json"),
    "no value": (GOOD._replace(value=None), "bad_json"),
    "unknown type": (GOOD._replace(value=b'{"type": "conjure"}'), "bad_field"),
    "wrong field": (GOOD._replace(value=b'{"type": "track", "event": 7}'), "bad_field"),
    "1 MB": (
        GOOD._replace(value=b'{"type":"track","event":"' + b"x" * 1_000_000 + b'"}'),
        "too_large",
    ),
    "8 MB": (GOOD._replace(value=b"x" * 8_380_000), "too_large"),
    "no key": (GOOD._replace(key=None), "no_key"),
    "key of control characters": (GOOD._replace(key=b"\x00marker"), "bad_lead_id"),
    "key not UTF-8": (GOOD._replace(key=b"\xff\xfe"), "bad_lead_id"),
    "wrong partition": (GOOD._replace(partition=ELSEWHERE), "wrong_partition"),
    "deep": (GOOD._replace(value=b"[" * 50_000), "bad_field"),
}


@pytest.fixture
def installation(own_kafka: KafkaServer, tmp_path: Path) -> Iterator[Installation]:
    made = Installation(own_kafka, tmp_path / "roles", PARTITIONS)
    made.publish(sorted(CAMPAIGNS.glob("*.yaml")), {"SINK": "http://127.0.0.1:1/"})
    yield made
    made.stop()


def headers(record: Any) -> dict[str, str]:
    return {name: value.decode(errors="replace") for name, value in record.headers}


async def test_poison_becomes_dead_letters_as_it_came(installation: Installation) -> None:
    worker = installation.start("worker")
    await asyncio.to_thread(worker.wait_ready)
    before = [track("ana", "Product Viewed", number) for number in range(10)]
    after = [track("ana", "Product Viewed", number) for number in range(10, 20)]
    await append(installation.kafka.bootstrap, before)

    places = await append(installation.kafka.bootstrap, [bad for bad, _ in POISON.values()])

    await append(installation.kafka.bootstrap, after)
    await asyncio.to_thread(installation.settle, [worker])
    letters = {
        (headers(letter)["dripline-partition"], headers(letter)["dripline-offset"]): letter
        for letter in installation.records(names.DEAD_LETTERS)
    }
    assert len(letters) == len(POISON)
    for (what, (bad, reason)), (partition, offset) in zip(POISON.items(), places, strict=True):
        letter = letters[str(partition), str(offset)]
        assert headers(letter)["dripline-reason"] == reason, what
        if len(bad.value or b"") > MAX_BYTES:
            assert headers(letter)["dripline-cut-bytes"] == str(_size(bad)), what
            continue
        assert (letter.key, letter.value) == (bad.key, bad.value), what
        theirs = [pair for pair in letter.headers if not pair[0].startswith("dripline-")]
        assert theirs == bad.headers, what
    assert _points(installation) == 20
    assert await asyncio.to_thread(worker.stop) == 0
    for one in installation.verified():
        assert one.verdict.agrees, one.verdict


async def test_lead_whose_handling_raises_is_quarantined(installation: Installation) -> None:
    worker = installation.start("worker", module="tests.faults.raising_worker")
    await asyncio.to_thread(worker.wait_ready)
    records = [
        track(lead, "Product Viewed", number)
        for number in range(5)
        for lead in ("ana", CURSED, "bob")
    ]

    await append(installation.kafka.bootstrap, records)

    await asyncio.to_thread(installation.settle, [worker])
    reasons = [
        (letter.key, headers(letter)["dripline-reason"])
        for letter in installation.records(names.DEAD_LETTERS)
    ]
    assert {key for key, _ in reasons} == {CURSED.encode()}
    assert len(reasons) == 5
    kinds = [(facts.lead, row.fact) for _, facts in installation.facts() for row in facts.facts]
    assert kinds.count((CURSED, "quarantined")) == 1
    assert kinds.count(("ana", "completed")) == kinds.count(("bob", "completed")) == 5
    assert await asyncio.to_thread(worker.stop) == 0

    # It stays so after a restart, with an engine that is well again.
    again = installation.start("worker")
    await asyncio.to_thread(again.wait_ready)
    await append(installation.kafka.bootstrap, [track(CURSED, "Product Viewed", 6)])
    await asyncio.to_thread(eventually, lambda: len(installation.records(names.DEAD_LETTERS)) == 6)
    assert headers(installation.records(names.DEAD_LETTERS)[-1])["dripline-reason"] == "quarantined"
    assert await asyncio.to_thread(again.stop) == 0
    verdicts = [one.verdict for one in installation.verified()]
    assert all(verdict.agrees for verdict in verdicts), verdicts
    assert [lead for verdict in verdicts for lead in verdict.quarantined] == [CURSED]


async def test_transactions_of_outside_producers_leave_no_gap(installation: Installation) -> None:
    """Their markers take offsets: a worker that took those for lost records would never start."""
    worker = installation.start("worker")
    await asyncio.to_thread(worker.wait_ready)
    producer = AIOKafkaProducer(
        bootstrap_servers=installation.kafka.bootstrap, transactional_id="outside"
    )
    await producer.start()
    for number in range(3):
        await producer.begin_transaction()
        sent = track("ana", "Product Viewed", number)
        await producer.send_and_wait(
            names.LEAD_EVENTS, sent.value, key=sent.key, partition=sent.partition,
            headers=sent.headers,
        )  # fmt: skip
        await producer.commit_transaction()
    await producer.stop()
    await append(installation.kafka.bootstrap, [track("ana", "Product Viewed", 3)])

    await asyncio.to_thread(installation.settle, [worker])

    assert _points(installation) == 4
    assert await asyncio.to_thread(worker.stop) == 0
    again = installation.start("worker")
    await asyncio.to_thread(again.wait_ready)
    assert await asyncio.to_thread(again.stop) == 0
    for one in installation.verified():
        assert one.verdict.agrees, one.verdict


def _size(record: Raw) -> int:
    headers = sum(len(name) + len(value) for name, value in record.headers)
    return len(record.key or b"") + len(record.value or b"") + headers


def _points(installation: Installation) -> int:
    """Ana's points, as the facts tell."""
    changes = [
        row.detail["after"]
        for _, facts in installation.facts()
        for row in facts.facts
        if facts.lead == "ana" and row.detail.get("what") == "points"
    ]
    return int(max(changes))
