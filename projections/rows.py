"""From a record of a topic to rows. Pure: the same record gives the same rows each time.

Only the topic's own log and the record go in, so a replay, a crash in mid-batch or a doubled batch
adds nothing that FINAL does not take away again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import msgspec
from msgspec import Raw, Struct

from projections import state_rows, tables
from projections.clamping import clamped
from schemas import changes, commands, facts, records, topics
from schemas.ids import lead_id_problem

Row = tuple[Any, ...]
Rows = list[tuple[str, Row]]
text_of = msgspec.json.Encoder().encode

TOPICS: tuple[str, ...] = (
    topics.LEAD_EVENTS,
    topics.JOURNEY_FACTS,
    topics.COMMANDS,
    topics.CAMPAIGN_CHANGES,
    topics.LEADS_CHANGELOG,
)


class Source(Struct, frozen=True):
    """Where a record lies. `log` is the id of the topic that the rows are keyed by: of
    `campaign-changes` for its own records, of `lead-events` for all others."""

    topic: str
    log: str
    partition: int


class KafkaRecord(Protocol):
    """A record as kafka-python gives it; `timestamp` in ms."""

    @property
    def offset(self) -> int: ...
    @property
    def timestamp(self) -> int: ...
    @property
    def key(self) -> bytes | None: ...
    @property
    def value(self) -> bytes | None: ...
    @property
    def headers(self) -> Sequence[tuple[str, bytes]]: ...


class Unusable(Exception):
    """A record that is no row: the worker has sent it to the dead letters as well."""


def rows_of(source: Source, record: KafkaRecord) -> Rows:
    """The rows of one record, often none (wake-ups, markers).

    Raises `Unusable` for a record that does not have the form of its topic; it is counted.
    """
    try:
        return _READERS[source.topic](source, record)
    except (msgspec.MsgspecError, UnicodeDecodeError, state_rows.NoState) as error:
        raise Unusable(f"{type(error).__name__}: {error}") from error


def _lead_events(source: Source, record: KafkaRecord) -> Rows:
    named = dict(record.headers)
    decoder = records.DECODERS.get(named.get("schema", b"").decode())
    if decoder is None or record.value is None or record.key is None:
        raise Unusable("no known schema, no key or no value")
    lead = record.key.decode()
    if problem := lead_id_problem(lead):
        raise Unusable(f"the lead's id {problem}")
    body = decoder.decode(record.value)
    head = (
        source.log, source.partition, record.offset, clamped(record.timestamp),
        named.get("id", b"").decode(), lead,
    )  # fmt: skip
    match body:
        case records.Interaction():
            return [(tables.INTERACTIONS, head + _interaction(body))]
        case records.ByHand():
            what = text_of({"target": body.target, "by": body.by, "rules": body.rules}).decode()
            said = ("by_hand", body.do, "", "", what, "", "", "", 0)
            return [(tables.INTERACTIONS, head + said)]
        case records.Outcome():
            return [(tables.OUTCOMES, head + _outcome(body))]
    return []


def _interaction(body: records.Interaction) -> Row:
    return (
        body.type, body.event or "", body.userId or "", body.anonymousId or "",
        _json(body.properties), _json(body.traits), _json(body.context), body.timestamp or "",
        int(body.historical),
    )  # fmt: skip


def _outcome(body: records.Outcome) -> Row:
    return (
        body.command_id, body.journey_id, body.campaign, body.step, body.channel, body.result,
        body.detail, body.address or "",
    )  # fmt: skip


def _json(raw: Raw) -> str:
    return bytes(raw).decode()


def _journey_facts(source: Source, record: KafkaRecord) -> Rows:
    found = facts.DECODE(record.value or b"")
    time_ms = clamped(found.time_ms)
    return [
        (
            tables.FACTS,
            (
                source.log, found.partition, found.offset, number, time_ms, clamped(fact.at),
                found.record, found.lead, fact.fact, fact.campaign, fact.version, fact.run,
                fact.journey, fact.step, text_of(fact.detail).decode(),
            ),
        )
        for number, fact in enumerate(found.facts)
    ]  # fmt: skip


def _commands(source: Source, record: KafkaRecord) -> Rows:
    found = commands.DECODE(record.value or b"")
    row = (
        source.log, source.partition, found.id, clamped(found.issued_ms), clamped(found.due_ms),
        found.journey_id, found.campaign, found.version, found.run, found.step, found.lead,
        found.verb, found.channel, found.address or "", found.template or "",
        found.template_digest or "", text_of(found.settings).decode(),
        text_of(found.data).decode(),
    )  # fmt: skip
    return [(tables.COMMANDS, row)]


def _changes(source: Source, record: KafkaRecord) -> Rows:
    found = changes.DECODE(record.value or b"")
    row = (
        source.log, record.offset, clamped(record.timestamp), found.kind, found.id, found.do,
        found.digest, found.by, text_of(found.document).decode(),
    )  # fmt: skip
    return [(tables.CAMPAIGNS, row)]


def _states(source: Source, record: KafkaRecord) -> Rows:
    return state_rows.rows_of_state(source.log, source.partition, record.key, record.value)


_READERS: dict[str, Callable[[Source, KafkaRecord], Rows]] = {
    topics.LEAD_EVENTS: _lead_events,
    topics.JOURNEY_FACTS: _journey_facts,
    topics.COMMANDS: _commands,
    topics.CAMPAIGN_CHANGES: _changes,
    topics.LEADS_CHANGELOG: _states,
}
