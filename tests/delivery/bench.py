"""One `DeliveryPartition` on the bench: every Produce is durable at once, calls are collected."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from schemas import commands, records
from schemas.commands import Command, Suppression
from schemas.ids import command_id
from schemas.records import Outcome
from schemas.state import FENCE_KEY
from schemas.topics import DEAD_LETTERS, LEAD_EVENTS, SENDS_CHANGELOG
from streams.delivery.blocked import BlockedAddresses
from streams.delivery.calls import Answer, Call
from streams.delivery.partition import DeliveryPartition
from streams.delivery.policy import POLICIES, Policy
from streams.delivery.queues import Queues
from streams.ports import Commit, Outgoing, Produce, StoredRecord

NOW = 1_800_000_000_000


def address_key(channel: str, address: str) -> str:
    """Stand in for the HMAC."""
    return f"{channel}/{address.strip().lower()}"


def mail(n: int = 1, **changes: Any) -> Command:
    """Make the n-th mail to ana."""
    fields: dict[str, Any] = {
        "id": command_id("journey", "welcome", n),
        "journey_id": "journey",
        "campaign": "trial",
        "version": 1,
        "run": 1,
        "step": "welcome",
        "lead": "ana",
        "verb": "send_email",
        "channel": "email",
        "due_ms": NOW,
        "issued_ms": NOW,
        "address": "ana@example.org",
        "template": "welcome",
    }
    return Command(**{**fields, **changes})


def hook(n: int = 1, **changes: Any) -> Command:
    """Make the n-th webhook of ana."""
    fields: dict[str, Any] = {
        "verb": "call_webhook",
        "channel": "webhook",
        "address": None,
        "template": None,
        "settings": {"url": "https://example.com/hook"},
    }
    return mail(n, **{**fields, **changes})


class Bench:
    """A partition with one lead's commands; `log` is its partition of `commands`."""

    def __init__(self, policies: dict[str, Policy] | None = None, **options: Any) -> None:
        self.now = NOW
        self.policies = policies or POLICIES
        self.options = options
        self.log: list[StoredRecord] = []
        self.changelog: list[Outgoing] = []
        self.events: list[Outgoing] = []
        self.letters: list[Outgoing] = []
        self.calls: list[Call] = []
        self.committed = 0
        self.blocked = BlockedAddresses(address_key)
        self.restart()

    def restart(self) -> None:
        """Begin with a new object, as after a crash."""
        self.calls = []
        self.queues = Queues(self.policies, self.options.get("speed", 1.0))
        self.partition = DeliveryPartition(
            0, 1, self.queues, self.blocked, now_ms=self.now, policies=self.policies, **self.options
        )
        self.changelog.append(Outgoing(FENCE_KEY, b"%d" % len(self.changelog)))
        for record in self.changelog:
            assert record.key is not None
            self.partition.recovered(record.key, record.value)
        self.read = self.partition.started(
            log_start=0, log_end=len(self.log), topic_id="t", changelog_end=len(self.changelog)
        )
        self.say()
        self.tick(0)

    def say(self, *said: Command, headers: dict[str, bytes] | None = None) -> None:
        """Append commands and hand over all that is unread."""
        for command in said:
            self.append(commands.ENCODE(command), headers=headers)
        batch, self.read = self.log[self.read :], len(self.log)
        if batch:
            self.perform(self.partition.received(batch))

    def append(
        self,
        value: bytes | None,
        schema: bytes = b"command/1",
        headers: dict[str, bytes] | None = None,
    ) -> None:
        """Append a record to the log."""
        named = [("schema", schema), *(headers or {}).items()]
        self.log.append(StoredRecord(len(self.log), self.now, b"ana", value, named))

    def tick(self, ms: int) -> None:
        """Let time go on."""
        self.now += ms
        self.perform(self.partition.tick(self.now))

    def answer(self, answer: Answer) -> Call:
        """Answer the oldest open call."""
        call = self.calls.pop(0)
        self.perform(self.partition.called(call.key, answer, self.now))
        return call

    def block(self, address: str, reason: str | None = "unsubscribed") -> None:
        """Block an address, or lift it."""
        value = commands.ENCODE(Suppression("email", reason, self.now)) if reason else None
        self.blocked.heard(address_key("email", address).encode(), value)

    def perform(self, outputs: Sequence[object]) -> None:
        """Carry outputs out."""
        waiting = list(outputs)
        while waiting:
            output = waiting.pop(0)
            match output:
                case Produce():
                    topics = {
                        LEAD_EVENTS: self.events,
                        DEAD_LETTERS: self.letters,
                        SENDS_CHANGELOG: self.changelog,
                    }
                    topic = topics[output.topic]
                    topic += output.records
                    base = len(topic) - len(output.records)
                    waiting += self.partition.acknowledged(output.ticket, base)
                case Call():
                    self.calls.append(output)
                case Commit():
                    self.committed = output.offset
                case _:
                    raise AssertionError(output)

    @property
    def outcomes(self) -> list[tuple[str, str]]:
        """(result, detail) of the outcomes told, in order."""
        told = [records.DECODERS["outcome/1"].decode(event.value or b"") for event in self.events]
        return [(one.result, one.detail) for one in told if isinstance(one, Outcome)]

    @property
    def reasons(self) -> list[str]:
        """Reasons of the dead letters, in order."""
        return [dict(letter.headers)["dripline-reason"].decode() for letter in self.letters]
