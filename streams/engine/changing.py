"""Changes of the lead itself, by steps or by records: told as facts, and what follows is queued.

Source: campaign-language, "Inward steps". Every change goes through here, whoever made it, so
that triggers (`joins_list`, `reaches_points`, …) fire alike.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson

from schemas import facts as f
from schemas.state import Journey
from streams.engine import bounds
from streams.engine.events import Occurrence
from streams.engine.expression_operators import equal, settled
from streams.engine.turn import Block

if TYPE_CHECKING:
    from streams.engine.turn import Turn

ADDRESSES = {"email": "email", "sms": "phone", "push": "push_token"}
CHANNELS = {trait: channel for channel, trait in ADDRESSES.items()}
UNSUBSCRIBED = "unsubscribed"
BOUNCED = "bounced:"


class Changes:
    """Changes of one turn by one author: a journey's step, or (None) the record itself.

    A record's changes belong to its own occurrence; those of steps become further ones.
    """

    def __init__(
        self,
        turn: Turn,
        journey: Journey | None = None,
        step: str = "",
        occurrence: Occurrence | None = None,
    ) -> None:
        self.turn = turn
        self.journey = journey
        self.step = step
        self._occurrence = occurrence

    def _tell(self, what: str, before: Any, after: Any) -> None:
        turn, journey = self.turn, self.journey
        if journey is None:
            turn.tell(f.LeadChanged(turn.now, what=what, before=before, after=after))
        else:
            turn.say(f.LeadChanged, journey, self.step, what=what, before=before, after=after)

    def _limit(self, limit: str) -> None:
        turn, journey = self.turn, self.journey
        if journey is None:
            turn.tell(f.LimitReached(turn.now, limit=limit))
        else:
            turn.say(f.LimitReached, journey, self.step, limit=limit)

    def _follows(self) -> Occurrence:
        return self._occurrence or self.turn.happens(self.journey)

    def points(self, after: float) -> None:
        """Set the points; a number beyond 64 bits becomes a float, one that is not finite none."""
        before = self.turn.lead.points
        after = settled(after)
        if after is not None and after != before:
            self._tell("points", before, after)
            self._follows().points = (before, after)

    def join(self, name: str) -> None:
        """Become a member of a list."""
        lists = self.turn.lead.lists
        if name in lists:
            return
        if len(lists) >= bounds.LISTS:
            self._limit("lists")
            return
        self._tell(f"lists.{name}", False, True)
        self.turn.moved.append(f"lists.{name}")
        occurrence = self._follows()
        occurrence.joined = (*occurrence.joined, name)

    def leave_list(self, name: str) -> None:
        """Leave a list."""
        if name in self.turn.lead.lists:
            self._tell(f"lists.{name}", True, False)
            self.turn.moved.append(f"lists.{name}")
            occurrence = self._follows()
            occurrence.left = (*occurrence.left, name)

    def tag(self, name: str) -> None:
        """Add a tag."""
        tags = self.turn.lead.tags
        if name in tags:
            return
        if len(tags) >= bounds.TAGS:
            self._limit("tags")
            return
        self._tell(f"tags.{name}", False, True)

    def untag(self, name: str) -> None:
        """Take a tag away."""
        if name in self.turn.lead.tags:
            self._tell(f"tags.{name}", True, False)

    def fields(self, values: dict[str, Any]) -> None:
        """Set traits; null takes one away, an equal value changes nothing."""
        changed: dict[str, tuple[Any, Any]] = {}
        traits = self.turn.lead.traits
        for name, after in values.items():
            before = traits.get(name)
            if same(before, after):
                continue
            if after is not None and not self._fits(name, after):
                self._limit("traits")
                continue
            self._tell(f"traits.{name}", before, after)
            changed[name] = (before, after)
            self._lift_bounce(name, after)
        if changed:
            occurrence = self._follows()
            occurrence.fields = {**(occurrence.fields or {}), **changed}
            self.turn.moved.extend(changed)

    def _fits(self, name: str, value: Any) -> bool:
        traits = self.turn.lead.traits
        if name not in traits and len(traits) >= bounds.TRAITS:
            return False
        rest = {key: kept for key, kept in traits.items() if key != name}
        return len(orjson.dumps({**rest, name: value})) <= bounds.TRAITS_BYTES

    def _lift_bounce(self, trait: str, after: Any) -> None:
        """A bounced address no longer matters once another one is given."""
        channel = CHANNELS.get(trait)
        state = self.turn.lead.blocked.get(channel, "") if channel else ""
        if not state.startswith(BOUNCED) or not isinstance(after, str):
            return
        if _address(after) != _address(state.removeprefix(BOUNCED)):
            self._tell(f"consent.{channel}", state, None)

    def unsubscribe(self, channel: str) -> None:
        """No messages on this channel from now on."""
        before = self.turn.lead.blocked.get(channel)
        if before == UNSUBSCRIBED:
            return
        if channel not in ADDRESSES and len(self.turn.lead.blocked) >= bounds.CHANNELS:
            self._limit("channels")
            return
        self._tell(f"consent.{channel}", before, UNSUBSCRIBED)
        self._block(channel, UNSUBSCRIBED)
        occurrence = self._follows()
        occurrence.lost = (*occurrence.lost, (channel, UNSUBSCRIBED))

    def subscribe(self, channel: str) -> None:
        """Messages on this channel are welcome again."""
        before = self.turn.lead.blocked.get(channel)
        if before == UNSUBSCRIBED:
            self._tell(f"consent.{channel}", before, None)
            self._block(channel, None)

    def bounce(self, channel: str, address: str | None) -> None:
        """The address does not take messages, until another one is given."""
        own = self.turn.lead.traits.get(ADDRESSES.get(channel, ""))
        if not isinstance(own, str):
            return
        if address is not None and _address(address) != _address(own):
            return
        before = self.turn.lead.blocked.get(channel)
        if before is not None:
            return
        self._tell(f"consent.{channel}", None, BOUNCED + own)
        self._block(channel, "bounced")
        occurrence = self._follows()
        occurrence.lost = (*occurrence.lost, (channel, "bounced"))

    def _block(self, channel: str, reason: str | None) -> None:
        address = self.turn.lead.traits.get(ADDRESSES.get(channel, ""))
        if isinstance(address, str) and address:
            self.turn.blocks.append(Block(channel, address, reason, self.turn.now))


def _address(text: str) -> str:
    """An address as it is compared, here and in `suppressions`."""
    return text.strip().lower()


def same(a: Any, b: Any) -> bool:
    """Equal as JSON, null included: numbers by value, but true is not 1."""
    return equal(a, b) if a is not None else b is None
