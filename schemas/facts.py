"""Facts: what the engine concluded from a record, one elementary statement about one lead each.

The list of kinds is closed (interfaces, Facts). A fact carries no clock: `at` is the time the
engine computed with, UTC milliseconds. Facts explain a state, nothing reads them back into the
engine. The kinds under "bookkeeping" move the state and are never shipped.

In `journey-facts` one Kafka record (header `schema: facts/1`) holds all facts of one input record
as a `FactList`; a fact is identified by (partition, offset, number), its place in the list.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, ClassVar

import msgspec
from msgspec import Struct

SCHEMA = "facts/1"
HEAD = 6  # number of the fields that every fact has


class Fact(Struct, gc=False):
    """What every fact has; `journey` to `step` are empty when it concerns the lead as a whole."""

    kind: ClassVar[str] = ""
    shipped: ClassVar[bool] = True
    hidden: ClassVar[tuple[str, ...]] = ()

    at: int
    journey: str = ""
    campaign: str = ""
    version: int = 0
    run: int = 0
    step: str = ""

    def detail(self) -> dict[str, Any]:
        """The fields of this kind, as shipped."""
        names = self.__struct_fields__[HEAD:]
        return {name: getattr(self, name) for name in names if name not in self.hidden}


class Entered(Fact):
    """A journey began. `trigger` is the verb that let the lead in; `per` its value, as JSON."""

    kind: ClassVar[str] = "entered"
    hidden: ClassVar[tuple[str, ...]] = (
        "entry", "offset", "n", "expires_at", "goal_until", "ends_at", "held_out",
    )  # fmt: skip

    trigger: str = ""
    per: str = ""
    entry: Any = None
    offset: int = 0
    n: int = 0
    expires_at: int = 0
    goal_until: int = 0
    ends_at: int = 0
    held_out: bool = False


class EntryRefused(Fact):
    """A trigger of `enter` fired and the lead was not let in; `reason` from the closed list."""

    kind: ClassVar[str] = "entry_refused"
    trigger: str = ""
    reason: str = ""


class StepTaken(Fact):
    """A journey came to a step."""

    kind: ClassVar[str] = "step_taken"
    verb: str = ""


class Waiting(Fact):
    """A journey waits at a step until `due` (None: no deadline) or for one of `for_`."""

    kind: ClassVar[str] = "waiting"
    hidden: ClassVar[tuple[str, ...]] = ("arrived_at", "for_", "mode")
    due: int | None = None
    for_: list[str] = []
    arrived_at: int = 0
    mode: str = ""

    def detail(self) -> dict[str, Any]:
        """`due`, and `for` where the wait is for something."""
        return {"due": self.due, "for": self.for_} if self.for_ else {"due": self.due}


class TimerFired(Fact):
    """A timer that was due at `due` has fired."""

    kind: ClassVar[str] = "timer_fired"
    due: int = 0


class Branched(Fact):
    """A journey took branch `which` (`then`, `else`, a position or name); `why` says from what."""

    kind: ClassVar[str] = "branched"
    which: str = ""
    why: str = ""


class SplitAssigned(Fact):
    """A split's sticky decision."""

    kind: ClassVar[str] = "split_assigned"
    branch: str = ""


class MessageHeld(Fact):
    """A message waits at its step until `until`."""

    kind: ClassVar[str] = "message_held"
    hidden: ClassVar[tuple[str, ...]] = ("since", "after")
    until: int = 0
    reason: str = ""
    since: int = 0
    after: str = ""


class ActionIssued(Fact):
    """A command went out; `command` is its id."""

    kind: ClassVar[str] = "action_issued"
    hidden: ClassVar[tuple[str, ...]] = ("transactional", "once")
    command: str = ""
    verb: str = ""
    channel: str = ""
    template: str | None = None
    due: int = 0
    transactional: bool = False
    once: bool = False


class ActionSuppressed(Fact):
    """An outward step issued nothing, for `reason`."""

    kind: ClassVar[str] = "action_suppressed"
    verb: str = ""
    reason: str = ""
    template: str | None = None


class OutcomeSeen(Fact):
    """What a sink told of a command: `delivered`, `failed`, `bounced`, `unknown`."""

    kind: ClassVar[str] = "outcome"
    command: str = ""
    channel: str = ""
    result: str = ""


class Converted(Fact):
    """The goal was reached."""

    kind: ClassVar[str] = "converted"
    event: str = ""


class LateEvent(Fact):
    """An event came after a wait's `deadline` whose own time (`event_at`) lies before it."""

    kind: ClassVar[str] = "late_event"
    event: str = ""
    event_at: int = 0
    deadline: int = 0


class Completed(Fact):
    """The journey came to its end."""

    kind: ClassVar[str] = "completed"


class Left(Fact):
    """The journey ended before its end, for `reason`."""

    kind: ClassVar[str] = "left"
    reason: str = ""


class Migrated(Fact):
    """The journey went over to another version."""

    kind: ClassVar[str] = "migrated"
    from_version: int = 0
    to_version: int = 0


class LeadChanged(Fact):
    """The lead itself changed: `what` is `points`, `tags.<name>`, `lists.<name>` (before and after
    are false and true), `traits.<name>`, `consent.<channel>` (null, `unsubscribed`, `bounced:…`)
    or `timezone` (the browser's); `journey` is empty when the record said so itself."""

    kind: ClassVar[str] = "lead_changed"
    what: str = ""
    before: Any = None
    after: Any = None


class Merged(Fact):
    """An anonymous lead became part of this one."""

    kind: ClassVar[str] = "merged"
    alias: str = ""


class MergeRefused(Fact):
    """An anonymous lead asked to become part of this one, and could not."""

    kind: ClassVar[str] = "merge_refused"
    alias: str = ""
    reason: str = ""


class EventRecorded(Fact):
    """A step recorded an event of this lead."""

    kind: ClassVar[str] = "event_recorded"
    name: str = ""
    properties: Any = None


class LimitReached(Fact):
    """A bound was met; `limit` names it, what was beyond it was not taken."""

    kind: ClassVar[str] = "limit_reached"
    limit: str = ""


class Quarantined(Fact):
    """Handling a record of this lead raised; its records go to dead letters from here on."""

    kind: ClassVar[str] = "quarantined"
    error: str = ""


class CampaignChanged(Fact):
    """A change took effect in this partition; `change` is its number."""

    kind: ClassVar[str] = "campaign_changed"
    change: int = 0
    what: str = ""
    do: str = ""


# Bookkeeping: moves the state, is never shipped.


class Seen(Fact):
    """`last_seen_at` moved to this quarter hour (milliseconds / 900,000)."""

    shipped: ClassVar[bool] = False
    quarter: int = 0


class SessionMoved(Fact):
    """The lead's session after a record; None when no live campaign looks at sessions."""

    shipped: ClassVar[bool] = False
    session: Any = None


class CounterMoved(Fact):
    """One counter's buckets after an event."""

    shipped: ClassVar[bool] = False
    counter: str = ""
    buckets: Any = None


class IdRemembered(Fact):
    """The client's message id of a record that had an effect, as 8 bytes."""

    shipped: ClassVar[bool] = False
    hash: bytes = b""


class TriggerSeen(Fact):
    """A trigger that a wait may ask for later (`since: entry`, own messages) has fired."""

    shipped: ClassVar[bool] = False
    trigger: str = ""


class Departed(Fact):
    """A journey left the step at which it waited; `deadline` (0: none) is one that ran out."""

    shipped: ClassVar[bool] = False
    deadline: int = 0


class EntryArmed(Fact):
    """An entry timer is set to `due` (0: taken away); `key` is the trigger's position."""

    shipped: ClassVar[bool] = False
    key: str = ""
    due: int = 0


class ChangesTaken(Fact):
    """The lead has taken in so many changes of campaigns and lists."""

    shipped: ClassVar[bool] = False
    change: int = 0


class Jumped(Fact):
    """A `jump_to` was taken once more."""

    shipped: ClassVar[bool] = False


class Forked(Fact):
    """A `parallel` begins with so many branches; 0: it has ended."""

    shipped: ClassVar[bool] = False
    branches: int = 0


class BranchEnded(Fact):
    """One branch of a `parallel` has come to its end."""

    shipped: ClassVar[bool] = False
    branch: int = 0


class Forgotten(Fact):
    """A journey that had ended and was kept for its goal only is dropped."""

    shipped: ClassVar[bool] = False


SHIPPED: dict[str, type[Fact]] = {kind.kind: kind for kind in Fact.__subclasses__() if kind.shipped}


class FactRow(Struct, omit_defaults=True):
    """One fact as it is shipped and printed."""

    at: int
    fact: str
    campaign: str = ""
    version: int = 0
    run: int = 0
    journey: str = ""
    step: str = ""
    detail: dict[str, Any] = {}


class FactList(Struct):
    """Value in `journey-facts`: the facts of the record at (partition, offset), in order."""

    lead: str
    partition: int
    offset: int
    time_ms: int
    record: str
    facts: list[FactRow]


ENCODE = msgspec.json.Encoder().encode
DECODE = msgspec.json.Decoder(FactList).decode


def row(fact: Fact) -> FactRow:
    """The fact as shipped."""
    return FactRow(
        fact.at, fact.kind, fact.campaign, fact.version, fact.run, fact.journey, fact.step,
        fact.detail(),
    )  # fmt: skip


def iso(ms: int) -> str:
    """A UTC instant as people read it: `2026-01-05T10:00:00.000Z`."""
    return (
        datetime.fromtimestamp(ms // 1000, UTC).strftime("%Y-%m-%dT%H:%M:%S") + f".{ms % 1000:03d}Z"
    )


_TIMES = {"due", "until", "deadline", "event_at"}


def printed(facts: FactList, row: FactRow) -> dict[str, Any]:
    """One line of `simulate`: the fact with its lead, ISO times and its cause."""
    line: dict[str, Any] = {"at": iso(row.at), "lead": facts.lead}
    for name in ("campaign", "version", "run", "step"):
        if value := getattr(row, name):
            line[name] = value
    line["fact"] = row.fact
    line["detail"] = {
        key: iso(value) if key in _TIMES and isinstance(value, int) else value
        for key, value in row.detail.items()
    }
    line["cause"] = {"partition": facts.partition, "offset": facts.offset, "id": facts.record}
    return line
