"""The outward steps: they issue a command, or are suppressed with a reason, and go on at once.

Source: campaign-language, "Outward steps". A message may be held at its step, and a step with
`on_success` or `on_failure` waits for the sink's outcome. A command carries the values, as of
issue, of exactly the paths that its template and texts name.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

from schemas import facts as f
from schemas.campaigns import Definition, Duration, Step
from schemas.commands import Command
from schemas.ids import command_id
from schemas.state import QUARTER_MS, Journey, Token
from streams.engine import time
from streams.engine.changing import ADDRESSES, BOUNCED, UNSUBSCRIBED
from streams.engine.expression_names import EVENT_PARTS
from streams.engine.holding import Hold, hold, too_many
from streams.engine.liquid_paths import paths, split_paths
from streams.engine.plan import STOP, Mover, Node
from streams.engine.waiting import Pause

if TYPE_CHECKING:
    from streams.engine.turn import Turn

OUTCOME_MS = 7 * time.DAY_MS
MESSAGES = {"send_email": "email", "send_sms": "sms", "send_push": "push"}


class OutwardNode(Pause):
    """`send_email`, `call_webhook`: what all outward steps have in common."""

    def __init__(self, step: Step, definition: Definition) -> None:
        super().__init__(step)
        self.asks = step.on_success is not None or step.on_failure is not None
        self.succeeded: Node | None = None
        self.failed: Node | None = None
        self.message = step.verb in MESSAGES
        self.channel = MESSAGES.get(step.verb, "webhook")
        self.template: str | None = str(step.value) if self.message else None
        self.transactional = bool(step.options.get("transactional"))
        self.once = bool(step.options.get("once_per_lead"))
        self.expires_after: Duration | None = step.options.get("expires_after")
        self.settings = _settings(step, definition, self.channel)
        self.paths = frozenset(path for text in _texts(self.settings) for path in paths(text))

    def take(self, turn: Turn, journey: Journey) -> Node | None:
        """Issue, hold or suppress."""
        return self._attempt(turn, journey, turn.now, turn.previous.get(journey.id, ""))

    def _attempt(self, turn: Turn, journey: Journey, since: int, after: str) -> Node | None:
        reason = self._suppressed(turn, journey)
        if reason is not None:
            self.suppress(turn, journey, reason)
            return self.next
        if self.message and not self.transactional:
            held = hold(turn, journey, self.channel, after)
            if held is not None:
                return self._hold(turn, journey, held, since, after)
        self._issue(turn, journey)
        if not self.asks:
            return self.next
        turn.say(
            f.Waiting, journey, self.id, due=turn.now + OUTCOME_MS, for_=["outcome"],
            arrived_at=turn.now, mode="outcome",
        )  # fmt: skip
        return STOP

    def _hold(self, turn: Turn, journey: Journey, held: Hold, since: int, after: str) -> Node:
        if held.until is None:
            turn.leave(journey, "unschedulable", self.id)
        else:
            turn.say(
                f.MessageHeld, journey, self.id, until=held.until, reason=held.reason,
                since=since, after=after,
            )  # fmt: skip
        return STOP

    def suppress(self, turn: Turn, journey: Journey, reason: str) -> None:
        """Tell that the step issues nothing."""
        turn.say(
            f.ActionSuppressed, journey, self.id, verb=self.verb, reason=reason,
            template=self.template,
        )  # fmt: skip

    def fired(self, turn: Turn, journey: Journey, token: Token) -> Node | None:
        """A held message is tried again; without an outcome by now the action has failed."""
        turn.say(f.TimerFired, journey, self.id, due=token.due)
        turn.say(f.Departed, journey, self.id)
        if token.mode == "held":
            return self._attempt(turn, journey, token.arrived_at, token.after)
        turn.say(f.Branched, journey, self.id, which="on_failure", why="no_outcome")
        return self.failed

    def told(self, turn: Turn, journey: Journey, result: str) -> Node | None:
        """The sink's final outcome, where it is waited for."""
        turn.say(f.Departed, journey, self.id)
        which = "on_success" if result == "delivered" else "on_failure"
        turn.say(f.Branched, journey, self.id, which=which, why=result)
        return self.succeeded if result == "delivered" else self.failed

    def reschedule(self, turn: Turn, journey: Journey, token: Token, by: Mover) -> Node | None:
        """A held message is looked at anew; an outcome's time-out is exact."""
        if token.mode != "held":
            return STOP
        held = hold(turn, journey, self.channel, token.after)
        until = turn.now if held is None else held.until
        if until != token.due:
            self._hold(
                turn, journey, Hold(until, held.reason if held else "quiet_hours"),
                token.arrived_at, token.after,
            )  # fmt: skip
        return STOP

    def _suppressed(self, turn: Turn, journey: Journey) -> str | None:
        """Why it must not go out, the first that holds in the language's order."""
        if journey.held_out and not self.transactional:
            return "holdout"
        if not self.message:
            return None
        state = turn.lead.blocked.get(self.channel, "")
        if state == UNSUBSCRIBED and not self.transactional:
            return "unsubscribed"
        if "to" not in self.settings:
            if not self._address(turn):
                return "no_address"
            if state.startswith(BOUNCED):
                return "bounced"
        if not self.transactional and too_many(turn, journey, self.channel):
            return "frequency_cap"
        return "already_sent" if self.once and self.template in turn.lead.once else None

    def _address(self, turn: Turn) -> str | None:
        address = turn.lead.traits.get(ADDRESSES.get(self.channel, ""))
        return address.strip() or None if isinstance(address, str) else None

    def _issue(self, turn: Turn, journey: Journey) -> None:
        occurrence = journey.occurrences.get(self.id, 0) + 1
        command = command_id(journey.id, self.id, occurrence)
        zone = turn.zone_of(journey)
        expires = time.add(turn.now, self.expires_after, zone) if self.expires_after else None
        template = turn.registry.templates.get(self.template) if self.template else None
        wanted = self.paths | template.paths if template else self.paths
        turn.commands.append(
            Command(
                command, journey.id, journey.campaign, journey.version, journey.run, self.id,
                turn.lead_id, self.verb, self.channel, turn.now, turn.time_ms, expires,
                self._address(turn) if self.message and "to" not in self.settings else None,
                self.template, template.digest if template else None, self.settings,
                data_for(turn, journey, wanted), zone.key,
                turn.plan(journey).definition.priority, self.transactional,
            )
        )  # fmt: skip
        turn.say(
            f.ActionIssued, journey, self.id, command=command, verb=self.verb,
            channel=self.channel, template=self.template, due=turn.now,
            transactional=self.transactional, once=self.template in turn.registry.once,
        )  # fmt: skip


def _settings(step: Step, definition: Definition, channel: str) -> dict[str, Any]:
    if step.verb == "call_webhook":
        return dict(step.value)
    names = ("subject", "from", "to")
    settings = {name: step.options[name] for name in names if step.options.get(name) is not None}
    return {**definition.channel_defaults.get(channel, {}), **settings}


def _texts(value: Any) -> Iterable[str]:
    """Every text within the settings: each may be a Liquid source."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for item in value.values():
            yield from _texts(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _texts(item)


def data_for(turn: Turn, journey: Journey, wanted: frozenset[str]) -> dict[str, Any]:
    """The values of these paths, nested as the paths are; unknown ones are left out."""
    data: dict[str, Any] = {}
    for path in split_paths(wanted):
        source = _source(turn, journey, path[0], path[1] if len(path) > 1 else "")
        value, found = _pick(source, path[1:])
        if found:
            _put(data, path, value)
    return data


def _source(turn: Turn, journey: Journey, head: str, name: str) -> Any:
    """An object in which `name` can be looked up, where there is such a thing."""
    if head == "lead":
        own = _OWN.get(name)
        return turn.lead.traits if own is None else {name: own(turn, journey)}
    if head == "journey":
        part = _JOURNEY.get(name)
        return None if part is None else {name: part(journey)}
    event = journey.entry if head == "entry" else turn.at_hand if head == "event" else None
    return None if event is None else {name: getattr(event, name)} if name in EVENT_PARTS else None


_OWN: dict[str, Callable[[Turn, Journey], Any]] = {
    "id": lambda turn, journey: turn.lead_id,
    "points": lambda turn, journey: turn.lead.points,
    "tags": lambda turn, journey: turn.lead.tags,
    "lists": lambda turn, journey: turn.lead.lists,
    "timezone": lambda turn, journey: turn.zone_of(journey).key,
    "created_at": lambda turn, journey: f.iso(turn.lead.created_at),
    "last_seen_at": lambda turn, journey: f.iso(turn.lead.quarter * QUARTER_MS),
}
_JOURNEY: dict[str, Callable[[Journey], Any]] = {
    "id": lambda journey: journey.id,
    "campaign": lambda journey: journey.campaign,
    "run": lambda journey: journey.run,
    "entered_at": lambda journey: f.iso(journey.entered_at),
    "variant": lambda journey: dict(journey.splits),
}


def _pick(source: Any, names: Sequence[str]) -> tuple[Any, bool]:
    for name in names:
        if isinstance(source, list) and name.isdecimal() and int(name) < len(source):
            source = source[int(name)]
        elif isinstance(source, dict) and name in source:
            source = source[name]
        else:
            return None, False
    return source, source is not None


def _put(data: dict[str, Any], names: Sequence[str], value: Any) -> None:
    for name in names[:-1]:
        below = data.setdefault(name, {})
        if not isinstance(below, dict):
            return
        data = below
    data.setdefault(names[-1], value)
