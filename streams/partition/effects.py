"""What handled records send out, as records of Kafka: commands, facts, suppressions, dead letters.

Contents and ids depend on the log alone: a replay after a crash says the same again.
"""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import Struct, field

from schemas import commands as cmd
from schemas import facts as f
from schemas.changes import Change
from schemas.ids import record_id
from schemas.records import Record
from streams.engine.handle import Handled
from streams.partition import suppression
from streams.ports import Headers, Outgoing

_COMMAND = ("schema", cmd.SCHEMA.encode())
_FACTS = ("schema", f.SCHEMA.encode())
_SUPPRESSION = ("schema", b"suppression/1")


class Place(Struct, frozen=True):
    """Where a record that concerns no lead lies."""

    partition: int
    offset: int
    time_ms: int
    id: str


class Effects(Struct):
    """In the order in which they go out, topic by topic."""

    suppressions: list[Outgoing] = field(default_factory=list)
    commands: list[Outgoing] = field(default_factory=list)
    facts: list[Outgoing] = field(default_factory=list)
    dead_letters: list[Outgoing] = field(default_factory=list)

    def add(self, key: bytes, record: Record, handled: Handled, secret: bytes) -> None:
        """What one record of a lead led to."""
        for command in handled.commands:
            headers = (_COMMAND, ("id", command.id.encode()))
            self.commands.append(Outgoing(key, cmd.ENCODE(command), headers))
        if handled.facts:
            rows = [f.row(fact) for fact in handled.facts]
            self.add_facts(key, record.lead, record, rows)
        for n, block in enumerate(handled.blocks):
            address_key = suppression.key(secret, block.channel, block.address)
            id = record_id("suppression", record.partition, record.offset, n)
            value = None
            if block.reason is not None:
                value = cmd.ENCODE(cmd.Suppression(block.channel, block.reason, block.at_ms))
            self.suppressions.append(
                Outgoing(address_key, value, (_SUPPRESSION, ("id", id.encode())))
            )

    def extend(self, later: Effects) -> None:
        """Append what came later."""
        self.suppressions += later.suppressions
        self.commands += later.commands
        self.facts += later.facts
        self.dead_letters += later.dead_letters

    def add_changes(self, place: Place, changes: Iterable[tuple[int, Change]]) -> int:
        """The changes that took effect with a change marker; tells how many."""
        rows = [
            f.row(
                f.CampaignChanged(
                    place.time_ms, campaign=change.id if change.kind == "campaign" else "",
                    change=number, what=change.key, do=change.do,
                )
            )
            for number, change in changes
        ]  # fmt: skip
        if rows:
            self.add_facts(None, "", place, rows)
        return len(rows)

    def add_facts(
        self, key: bytes | None, lead: str, record: Record | Place, rows: list[f.FactRow]
    ) -> None:
        """The facts of one input record, as one record."""
        value = f.ENCODE(
            f.FactList(lead, record.partition, record.offset, record.time_ms, record.id, rows)
        )
        self.facts.append(Outgoing(key, value, fact_headers(record.partition, record.offset)))


def fact_headers(partition: int, offset: int) -> Headers:
    """The headers of the facts of the record at this place."""
    return (_FACTS, ("id", record_id("facts", partition, offset).encode()))
