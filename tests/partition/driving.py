"""A partition object with a toy engine, and what it wants done, in the hands of a test.

The toy engine knows a few events, so that these tests are about the protocol alone: `Point` changes
the lead, `Send` issues a command, `Block` blocks an address, `Told` tells a fact without effect,
`Timer` sets one, `Raise` raises before and `Explode` after a change; a wake-up takes the timer.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
from msgspec import Raw

from schemas import facts as f
from schemas import records as r
from schemas import topics
from schemas.commands import Command
from schemas.records import Interaction, Record, WakeUp
from schemas.state import Entry, Journey, Lead, Prefix, Token
from streams.engine.changes import History
from streams.engine.handle import Handled
from streams.engine.registry import Registries, Registry
from streams.engine.turn import Block
from streams.partition.bounds import Bounds
from streams.partition.partition import LeadPartition
from streams.ports import Commit, LogRecord, Outgoing, Output, Produce, StoredRecord

T = 1_800_000_000_000
SECRET = b"secret"


def toy(
    lead: Lead | None,
    record: Record,
    registry: Registry,
    before_effect: Callable[[Lead | None], None],
    keep_refusals: bool,
    history: History,
) -> Handled:
    """See the module."""
    handled = Handled(lead, False, [], [], [], [])
    body = record.body
    name = body.event if isinstance(body, Interaction) else "wake"
    if name == "Raise":
        raise KeyError(record.lead)
    if name == "Told":
        handled.facts.append(f.EntryRefused(record.time_ms, reason="too_many_runs"))
        handled.counted.append("reentry")
    if name not in ("Point", "Send", "Block", "Timer", "Explode", "wake"):
        return handled
    if name == "wake" and not (lead and lead.journeys and due_of(lead) <= record.time_ms):
        return handled
    before_effect(lead)
    lead = lead or Lead(created_at=record.time_ms)
    handled.lead, handled.effect = lead, True
    lead.clock = record.time_ms
    lead.points += 1
    if name == "Explode":
        raise ZeroDivisionError("boom")
    _effects(name, lead, record, handled)
    return handled


def _effects(name: str | None, lead: Lead, record: Record, handled: Handled) -> None:
    if name == "Send":
        id = f"c{record.offset}"
        handled.commands.append(
            Command(id, "j", "c", 1, 1, "s", record.lead, "send_email", "email", 0, 0)
        )
        handled.facts.append(f.ActionIssued(record.time_ms, command=id))
    elif name == "Block":
        handled.blocks.append(Block("email", " Ana@Example.com", "unsubscribed", record.time_ms))
    elif name == "Timer":
        assert isinstance(record.body, Interaction)
        due = msgspec.json.decode(record.body.properties)["due"]
        entry = Entry("x", {}, {})
        lead.journeys = [Journey("j", "c", 1, 1, "", 0, 0, 0, entry, tokens=[Token("w", 0, due)])]
    elif name == "wake":
        lead.journeys = []


def due_of(lead: Lead) -> int:
    """The only timer that a toy sets."""
    return lead.journeys[0].tokens[0].due


def toy_concerns(prefix: Prefix | None, record: Record, registry: Registry) -> bool:
    """All but page views."""
    return not (isinstance(record.body, Interaction) and record.body.type == "page")


def event(
    offset: int, name: str, lead: str = "ana", at: int = T, **properties: Any
) -> StoredRecord:
    """A track event in the log."""
    raw = Raw(msgspec.json.encode(properties))
    return record(offset, Interaction("track", name, properties=raw), lead.encode(), at + offset)


def page(offset: int, lead: str = "ana") -> StoredRecord:
    """A page view, which interests nobody."""
    return record(offset, Interaction("page"), lead.encode())


def record(
    offset: int, body: r.Body, key: bytes | None = b"ana", at: int = T, id: str = ""
) -> StoredRecord:
    """A good record in the log."""
    headers = (("schema", r.NAMES[type(body)].encode()), ("id", (id or f"m{offset}").encode()))
    return StoredRecord(offset, at, key, r.ENCODE(body), headers)


class Driver:
    """A partition object, started at an empty log; `outputs` are those of the last call."""

    def __init__(
        self,
        *,
        number: int = 0,
        partitions: int = 1,
        bounds: Bounds = Bounds(),  # noqa: B008 - frozen
        registries: Registries | None = None,
        **engine: Any,
    ) -> None:
        self.registries = registries or Registries()
        engine = engine or {"handle": toy, "concerns": toy_concerns}
        self.partition = LeadPartition(
            number, partitions, self.registries, secret=SECRET, bounds=bounds, **engine
        )
        self.outputs: list[Output] = []
        self.changelog: list[Outgoing] = []
        self.end = 1

    def start(self, **where: Any) -> int:
        """Started; the log is empty unless `where` says otherwise."""
        usual: dict[str, Any] = {
            "log_start": 0, "log_end": 1_000_000, "topic_id": "t", "changelog_end": self.end,
        }  # fmt: skip
        return self.partition.started(**{**usual, **where})

    def receive(self, *records: LogRecord) -> list[Output]:
        """Hand in records."""
        self.outputs = self.partition.received(records)
        return self.outputs

    def tick(self, at: int, **more: Any) -> list[Output]:
        """Time is `at` ms after `T`."""
        self.outputs = self.partition.tick(T + at, **more)
        return self.outputs

    def produced(self, topic: str) -> list[Outgoing]:
        """What the last call wants in this topic."""
        return [
            one
            for output in self.outputs
            if isinstance(output, Produce) and output.topic == topic
            for one in output.records
        ]

    def acknowledge(self, topic: str, base: int | None = None) -> list[Output]:
        """The `Produce` of the last call for this topic is durable."""
        (produce,) = (o for o in self.outputs if isinstance(o, Produce) and o.topic == topic)
        if topic == topics.LEADS_CHANGELOG:
            self.changelog += produce.records
            base = self.end if base is None else base
            self.end = base + len(produce.records)
        self.outputs = self.partition.acknowledged(produce.ticket, -1 if base is None else base)
        return self.outputs

    def commits(self) -> list[int]:
        """Offsets that the last call wants committed."""
        return [output.offset for output in self.outputs if isinstance(output, Commit)]

    def settle(self) -> None:
        """Everything is flushed and acknowledged."""
        pending = [*self.outputs, *self.partition.flush()]
        while pending:
            output = pending.pop(0)
            if isinstance(output, Produce):
                base = -1
                if output.lane == "states":
                    self.changelog += output.records
                    base, self.end = self.end, self.end + len(output.records)
                pending += self.partition.acknowledged(output.ticket, base)
        self.outputs = []

    def successor(self, **where: Any) -> Driver:
        """A new owner that has recovered what was acknowledged here."""
        other = Driver(registries=self.registries)
        for one in self.changelog:
            assert one.key is not None
            other.partition.recovered(one.key, one.value)
        other.end = self.end + 1
        other.start(**where)
        return other


def reason(letter: Outgoing) -> str:
    """Why a record became a dead letter."""
    return dict(letter.headers)["dripline-reason"].decode()


def wake(offset: int, at: int, due: int = 0) -> StoredRecord:
    """A wake-up of ana, `at` ms after `T`."""
    return record(offset, WakeUp(T + due), b"ana", T + at)
