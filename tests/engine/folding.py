"""A log of one lead, folded record by record, with what must hold for every record checked.

After each record: the same record on a decoded copy of the state gives the same bytes, facts and
commands; a state survives encoding; a record without effect leaves the bytes as they were; and
what `concerns` rules out has no effect.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from schemas import facts as f
from schemas.changes import Change, digest_of
from schemas.commands import Command
from schemas.records import ENCODE, NO_JSON, ByHand, Interaction, Outcome, Record, WakeUp
from schemas.state import Journey, Lead, decode, encode, prefix_of
from streams.engine.handle import Handled, concerns, handle
from streams.engine.registry import EMPTY, Registry
from streams.engine.yaml_reading import load_yaml

Document = str | dict[str, Any]


def ms(moment: str | int) -> int:
    """UTC ms of an ISO text; numbers as they are."""
    if isinstance(moment, int):
        return moment
    found = datetime.fromisoformat(moment)
    found = found if found.tzinfo else found.replace(tzinfo=UTC)
    return (found - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)


def iso(moment: int) -> str:
    """An instant as short as it can be read: `2026-01-05T10:00`."""
    text = datetime.fromtimestamp(moment / 1000, UTC).isoformat().removesuffix("+00:00")
    return text.removesuffix(":00") if len(text) == 19 else text


def change_of(document: Document) -> Change:
    """The publishing of a campaign, list or template, in YAML or as plain data.

    A template is `{"template": name, "html": …}`.
    """
    if isinstance(document, str):
        document, _, findings = load_yaml(document)
        assert not findings, findings
    assert isinstance(document, dict)
    kind = next(kind for kind in ("campaign", "list", "template") if kind in document)
    name = document[kind]
    if kind == "template":
        document = {key: value for key, value in document.items() if key != "template"}
    return Change(kind, name, "publish", document, digest_of(document))  # type: ignore[arg-type]


def registry_of(*documents: Document) -> Registry:
    """A registry in which these were published, one after the other."""
    registry = EMPTY
    for number, document in enumerate(documents):
        registry = registry.with_change(number, change_of(document))
    return registry


def raw(value: Any) -> msgspec.Raw:
    return NO_JSON if value is None else msgspec.Raw(msgspec.json.encode(value))


class Changes:
    """How the changes took effect in a partition: the `History` that a fold is given."""

    def __init__(self, registry: Registry) -> None:
        self.registries = {registry.number: registry}
        self.times: dict[int, int] = {}

    def time(self, number: int) -> int:
        return self.times.get(number, 0)

    def registry(self, number: int) -> Registry:
        return self.registries[number]


class Log:
    """One lead's log. Times are ISO texts (UTC) or ms; each call appends and handles a record."""

    def __init__(self, *documents: Document, lead: str = "ana") -> None:
        self.registry = registry_of(*documents)
        self.history = Changes(self.registry)
        self.name = lead
        self.lead: Lead | None = None
        self.offset = 0
        self.facts: list[f.Fact] = []
        self.commands: list[Command] = []
        self.counted: list[str] = []
        self.handled: list[Handled] = []
        self.undo: list[bytes | None] = []

    def publish(self, document: Document, at: str | int = 0) -> None:
        """A change that takes effect here at `at`; the lead takes it in with its next record."""
        number = self.registry.number + 1
        self.registry = self.registry.with_change(number, change_of(document))
        self.history.registries[number] = self.registry
        self.history.times[number] = ms(at)

    # Records

    def take(self, at: str | int, body: Any, *, id: str | None = None) -> Handled:
        """Append a record and handle it."""
        self.offset += 1
        record = Record(0, self.offset, ms(at), self.name, id or f"m{self.offset}", body)
        return self.handle(record)

    def track(self, at: str | int, event: str, properties: Any = None, **more: Any) -> Handled:
        return self.take(at, _interaction("track", event, properties=properties, **more))

    def page(self, at: str | int, path: str, **more: Any) -> Handled:
        properties = {"path": path, **more.pop("properties", {})}
        return self.take(at, _interaction("page", None, properties=properties, **more))

    def identify(self, at: str | int, **traits: Any) -> Handled:
        return self.take(at, _interaction("identify", None, traits=traits))

    def wake(self, at: str | int) -> Handled:
        return self.take(at, WakeUp(ms(at)))

    def by_hand(self, at: str | int, do: Any, target: str, **more: Any) -> Handled:
        return self.take(at, ByHand(do, target, **more))

    def outcome(self, at: str | int, command: Command, result: Any, **more: Any) -> Handled:
        return self.take(
            at,
            Outcome(command.id, command.journey_id, command.campaign, command.step,
                    command.channel, result, **more),
        )  # fmt: skip

    def opened(self, at: str | int, command: Command, event: str = "Email Opened") -> Handled:
        token = {
            "command_id": command.id, "journey_id": command.journey_id, "step": command.step,
            "template": command.template,
        }  # fmt: skip
        return self.track(at, event, {"message": token, "link_url": "https://example.com/a"})

    def until(self, end: str | int) -> None:
        """Punctual wake-ups for all that is due up to `end`."""
        while self.lead is not None:
            due = prefix_of(encode(self.lead, 0)).next_due
            if due > ms(end):
                return
            self.wake(max(due, self.lead.clock))

    # Handling, and what must hold

    def handle(self, record: Record) -> Handled:
        before = None if self.lead is None else encode(self.lead, 0)
        copy = None if before is None else decode(before)
        prefix = None if before is None else prefix_of(before)
        expected = concerns(prefix, record, self.registry)
        undo: list[bytes | None] = []
        handled = handle(
            self.lead, record, self.registry,
            before_effect=lambda lead: undo.append(None if lead is None else encode(lead, 0)),
            keep_refusals=True, history=self.history,
        )  # fmt: skip
        again = handle(
            copy, reread(record), self.registry, keep_refusals=True, history=self.history
        )  # fmt: skip
        self._check(handled, again, before, expected, undo)
        self.lead = handled.lead
        self.facts += handled.facts
        self.commands += handled.commands
        self.counted += handled.counted
        self.handled.append(handled)
        return handled

    @staticmethod
    def _check(
        handled: Handled, again: Handled, before: bytes | None, expected: bool,
        undo: list[bytes | None],
    ) -> None:  # fmt: skip
        after = None if handled.lead is None else encode(handled.lead, 0)
        other = None if again.lead is None else encode(again.lead, 0)
        assert after == other, "a decoded state is folded otherwise"
        assert shipped(handled) == shipped(again)
        assert handled.effect == again.effect
        if after is not None:
            assert encode(decode(after), 0) == after
        assert undo == ([before] if handled.effect else [])
        if not handled.effect:
            assert after == before
            assert not handled.commands
            assert not handled.blocks
        if not expected:
            assert not handled.effect, "concerns ruled out a record that had an effect"
            assert not handled.facts

    # What came out

    def sent(self, commands: Iterable[Command] | None = None) -> list[tuple[str, str]]:
        """(due, template or step) of the commands."""
        found = self.commands if commands is None else commands
        return [(iso(command.due_ms), command.template or command.step) for command in found]

    def told(self, kind: type[f.Fact]) -> list[Any]:
        return [fact for fact in self.facts if type(fact) is kind]

    def reasons(self) -> list[str]:
        """Why journeys left, in order."""
        return [fact.reason for fact in self.told(f.Left)]

    def refusals(self) -> list[str]:
        return [fact.reason for fact in self.told(f.EntryRefused)]

    def journeys(self) -> list[Journey]:
        return [] if self.lead is None else self.lead.journeys

    def waiting(self) -> list[tuple[str, str | None]]:
        """(step, due) of every token."""
        return [
            (token.step, iso(token.due) if token.due else None)
            for journey in self.journeys()
            for token in journey.tokens
        ]

    def bytes(self) -> bytes:
        assert self.lead is not None
        return encode(self.lead, 0)


def _interaction(kind: Any, event: str | None, **fields: Any) -> Interaction:
    for name in ("properties", "traits", "context"):
        if name in fields:
            fields[name] = raw(fields[name])
    return Interaction(kind, event, **fields)


def reread(record: Record) -> Record:
    """The record as another process reads it."""
    body = record.body
    again = msgspec.json.decode(ENCODE(body), type=type(body))
    return Record(
        record.partition, record.offset, record.time_ms, record.lead, record.id, again
    )  # fmt: skip


def shipped(handled: Handled) -> bytes:
    """All that leaves the engine, as bytes."""
    return msgspec.json.encode([
        [f.row(fact) for fact in handled.facts], handled.commands, handled.blocks,
        handled.counted,
    ])  # fmt: skip
