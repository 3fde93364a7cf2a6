"""What an event means besides its name: forms, files, messages, consent, counters, sessions.

Source: interfaces, "Events and what they mean"; campaign-language, `spends_time`, `times()`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from schemas import facts as f
from schemas.records import Interaction
from schemas.state import Session
from streams.engine import bounds, counters
from streams.engine.events import SITE_TYPES, Event, Message, Occurrence, page_of
from streams.engine.triggers import FILE_DOWNLOADED, FORM_SUBMITTED, SPENT_SEPARATOR
from streams.engine.turn import Turn, fresh_session

if TYPE_CHECKING:
    from streams.engine.changing import Changes

SESSION_GAP_MS = 30 * 60_000
MESSAGE_EVENTS = {
    "Email Opened": "opens",
    "Email Link Clicked": "clicks",
    "Email Replied": "replies",
}
CONSENT_EVENTS = frozenset({"Unsubscribed", "Email Bounced", "Email Marked as Spam"})


def describe(occurrence: Occurrence, event: Event) -> None:
    """Fill in what triggers look for in a tracked event of this name."""
    name = event.name
    if name == FORM_SUBMITTED:
        occurrence.form = _text(event.properties.get("form_id"))
    elif name == FILE_DOWNLOADED:
        occurrence.download = _text(event.properties.get("name"))
    elif name in MESSAGE_EVENTS:
        occurrence.message = _message(MESSAGE_EVENTS[name], event.properties)


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def _message(verb: str, properties: dict[str, Any]) -> Message:
    token = properties.get("message")
    known = token if isinstance(token, dict) else {}
    text = {key: value for key, value in known.items() if isinstance(value, str)}
    return Message(
        verb, text.get("command_id", ""), text.get("journey_id", ""), text.get("step", ""),
        text.get("template") or _text(properties.get("template")) or "",
        _text(properties.get("link_url")) or _text(properties.get("url")) or "",
    )  # fmt: skip


def consent(changes: Changes, event: Event) -> None:
    """Consent or deliverability that an event takes away."""
    channel = _text(event.properties.get("channel")) or "email"
    if event.name == "Unsubscribed":
        changes.unsubscribe(channel)
    elif event.name == "Email Marked as Spam":
        changes.unsubscribe("email")
    elif event.name == "Email Bounced":
        changes.bounce("email", _text(event.properties.get("email")))


def count(turn: Turn, event: Event, at: int) -> None:
    """Move the counters of live campaigns that count this event."""
    turn.campaign_zone = "UTC"  # filters are shared by campaigns
    for counter in turn.registry.counters_of(event.name):
        if counter.filter is not None and not turn.truth(counter.filter, None, event, event):
            continue
        before = turn.lead.counters.get(counter.spec.key)
        if before is None and len(turn.lead.counters) >= bounds.COUNTERS:
            turn.tell(f.LimitReached(turn.now, limit="counters"))
            continue
        after = counters.counted(before, counter.spec, at, turn.now)
        if after != (before or {}):
            turn.tell(f.CounterMoved(turn.now, counter=counter.spec.key, buckets=after))


def visit(turn: Turn, interaction: Interaction, occurrence: Occurrence) -> None:
    """Move the session by one record, and tell which `spends_time` it proves.

    Time between two records of a session belongs to the page of the earlier one; a gap of over
    30 minutes ends a session; each proof comes once a session.
    """
    wanted = turn.registry.sessions
    if not wanted or not _on_site(interaction):
        return
    session = turn.lead.session
    now = turn.now
    if session is None or now - session.last_at > SESSION_GAP_MS:
        session = Session(now, now)
    else:
        session = fresh_session(session)
        passed = now - session.last_at
        for key, matches in wanted.items():
            if matches is None or matches(session.path, session.url):
                session.spent[key] = session.spent.get(key, 0) + passed
    page = page_of(interaction)
    if page is not None:
        session.path, session.url = page.path, page.url
    session.last_at = now
    proved = tuple(
        key
        for key in wanted
        if key not in session.proved
        and session.spent.get(key, 0) >= int(key.split(SPENT_SEPARATOR, 1)[0])
    )
    session.proved += proved
    occurrence.spent = proved
    turn.tell(f.SessionMoved(now, session=session))


def _on_site(interaction: Interaction) -> bool:
    """Mails are read elsewhere: what a mail program or provider tells belongs to no visit."""
    if interaction.type in SITE_TYPES:
        return True
    name = interaction.event or ""
    return interaction.type == "track" and not name.startswith("Email ") and name != "Unsubscribed"
