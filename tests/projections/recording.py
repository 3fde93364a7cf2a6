"""Records of every topic, made by hand, as the projector reads them."""

from collections.abc import Iterator, Sequence
from typing import Any

from msgspec import json as msgjson

from projections.rows import Source
from projections.store import Store
from schemas import changes, commands, facts, records, state, topics
from streams.ports import StoredRecord

LOG = "log-1"
MONDAY = 1_767_607_200_000  # 2026-01-05T10:00:00Z


def source(topic: str, partition: int = 0) -> Source:
    return Source(topic, LOG, partition)


def event(offset: int, body: Any, lead: str = "ana") -> StoredRecord:
    headers = (("schema", records.NAMES[type(body)].encode()), ("id", b"m-%d" % offset))
    return StoredRecord(offset, MONDAY + offset, lead.encode(), records.ENCODE(body), headers)


def fact_list(
    offset: int, rows: Sequence[facts.FactRow], lead: str = "ana", at: int = 0
) -> StoredRecord:
    value = facts.FactList(lead, 0, offset, MONDAY + offset, f"m-{offset}", list(rows))
    return StoredRecord(at, MONDAY, lead.encode(), facts.ENCODE(value))


def fact(kind: str, journey: str = "j1", at: int = MONDAY, **detail: Any) -> facts.FactRow:
    step = detail.pop("step", "")
    return facts.FactRow(at, kind, "welcome", 1, 1, journey, step, detail)


def command(number: int, offset: int = 0) -> StoredRecord:
    value = commands.Command(
        f"c{number}", "j1", "welcome", 1, 1, "hello", "ana", "send_email", "email",
        due_ms=MONDAY, issued_ms=MONDAY,
    )  # fmt: skip
    return StoredRecord(offset, MONDAY, b"ana", commands.ENCODE(value))


def change(offset: int) -> StoredRecord:
    value = changes.Change("campaign", "welcome", "publish", {"name": "Welcome"}, "d1")
    return StoredRecord(offset, MONDAY, b"campaign/welcome", changes.ENCODE(value))


def journey(name: str = "j1", **more: Any) -> state.Journey:
    entry = state.Entry("Signed Up", {}, {})
    return state.Journey(name, "welcome", 1, 1, "", MONDAY, 0, 0, entry, **more)


def lead_state(
    watermark: int, journeys: Sequence[state.Journey] = (), lead: str = "ana", offset: int = 0
) -> StoredRecord:
    found = state.Lead(clock=MONDAY, created_at=MONDAY, journeys=list(journeys), tags=["vip"])
    return StoredRecord(offset, MONDAY, lead.encode(), state.encode(found, watermark))


def all_topics() -> Iterator[tuple[str, StoredRecord]]:
    """One or more records of each topic."""
    raw = msgjson.encode({"plan": "pro"})
    visit = records.Interaction("track", "Signed Up", "ana", properties=records.Raw(raw))
    yield topics.LEAD_EVENTS, event(0, visit)
    yield topics.LEAD_EVENTS, event(1, records.WakeUp(MONDAY))
    yield topics.LEAD_EVENTS, event(2, records.ByHand("enter", "welcome", "jo"))
    yield (
        topics.LEAD_EVENTS,
        event(3, records.Outcome("c1", "j1", "welcome", "hello", "email", "delivered")),
    )
    yield topics.LEAD_EVENTS, event(4, records.ChangeMarker(0))
    yield topics.JOURNEY_FACTS, fact_list(0, [fact("entered"), fact("step_taken", step="hello")])
    yield topics.COMMANDS, command(1)
    yield topics.CAMPAIGN_CHANGES, change(0)
    yield topics.LEADS_CHANGELOG, lead_state(0, [journey()])
    yield topics.LEADS_CHANGELOG, StoredRecord(1, MONDAY, state.MARKER_KEY, b"x")


COUNTS = {
    "interactions": 2, "journey_facts": 2, "commands": 1, "outcomes": 1, "leads": 1,
    "journeys": 1, "campaigns": 1,
}  # fmt: skip


def counted(store: Store) -> dict[str, int]:
    """Rows of each table, as FINAL sees them."""
    return {
        table: int(store.query(f"SELECT count() FROM dripline.{table} FINAL").rows[0][0])
        for table in COUNTS
    }
