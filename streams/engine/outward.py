"""The outward steps: they issue a command, or are suppressed with a reason, and go on at once.

Source: campaign-language, "Outward steps". A command carries the values, as of issue, of exactly
the paths that its template and texts name.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from schemas import facts as f
from schemas.campaigns import Definition, Duration, Step
from schemas.commands import Command
from schemas.ids import command_id
from schemas.state import Journey
from streams.engine import time
from streams.engine.changing import ADDRESSES, BOUNCED, UNSUBSCRIBED
from streams.engine.liquid_paths import paths
from streams.engine.plan import Node

if TYPE_CHECKING:
    from streams.engine.turn import Turn

MESSAGES = {"send_email": "email", "send_sms": "sms", "send_push": "push"}


class OutwardNode(Node):
    """`send_email`, `call_webhook`: what all outward steps have in common."""

    def __init__(self, step: Step, definition: Definition) -> None:
        super().__init__(step)
        self.message = step.verb in MESSAGES
        self.channel = MESSAGES.get(step.verb, "webhook")
        self.template: str | None = str(step.value) if self.message else None
        self.transactional = bool(step.options.get("transactional"))
        self.expires_after: Duration | None = step.options.get("expires_after")
        self.settings = _settings(step, definition, self.channel)
        self.paths = frozenset(path for text in _texts(self.settings) for path in paths(text))

    def take(self, turn: Turn, journey: Journey) -> Node | None:
        """Issue or suppress, and go on."""
        reason = self._suppressed(turn)
        if reason is not None:
            turn.say(
                f.ActionSuppressed, journey, self.id, verb=self.verb, reason=reason,
                template=self.template,
            )  # fmt: skip
        else:
            self._issue(turn, journey)
        return self.next

    def _suppressed(self, turn: Turn) -> str | None:
        """Why a message must not go out, the first that holds in the language's order."""
        if not self.message:
            return None
        state = turn.lead.blocked.get(self.channel, "")
        if state == UNSUBSCRIBED and not self.transactional:
            return "unsubscribed"
        if "to" in self.settings:
            return None
        if not self._address(turn):
            return "no_address"
        return "bounced" if state.startswith(BOUNCED) else None

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
            transactional=self.transactional,
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


def data_for(turn: Turn, journey: Journey, wanted: Iterable[str]) -> dict[str, Any]:
    """The values of these paths, nested as the paths are; unknown ones are left out."""
    data: dict[str, Any] = {}
    for path in sorted(wanted):
        head, *rest = path.split(".")
        source = _source(turn, journey, head, rest[0] if rest else "")
        value, found = _pick(source, rest)
        if found:
            _put(data, [head, *rest], value)
    return data


def _source(turn: Turn, journey: Journey, head: str, name: str) -> Any:
    lead = turn.lead
    if head == "lead":
        own = {
            "id": turn.lead_id, "points": lead.points, "tags": lead.tags, "lists": lead.lists,
            "timezone": turn.zone_of(journey).key, "created_at": f.iso(lead.created_at),
        }  # fmt: skip
        return {name: own[name]} if name in own else lead.traits
    if head == "journey":
        return {
            "id": journey.id, "campaign": journey.campaign, "run": journey.run,
            "entered_at": f.iso(journey.entered_at), "variant": dict(journey.splits),
        }  # fmt: skip
    event = {"entry": journey.entry, "event": turn.at_hand}.get(head)
    if event is None:
        return None
    return {"name": event.name, "properties": event.properties, "context": event.context}


def _pick(source: Any, names: list[str]) -> tuple[Any, bool]:
    for name in names:
        if isinstance(source, list) and name.isdecimal() and int(name) < len(source):
            source = source[int(name)]
        elif isinstance(source, dict) and name in source:
            source = source[name]
        else:
            return None, False
    return source, source is not None


def _put(data: dict[str, Any], names: list[str], value: Any) -> None:
    for name in names[:-1]:
        below = data.setdefault(name, {})
        if not isinstance(below, dict):
            return
        data = below
    data.setdefault(names[-1], value)
