"""`dripline dead-letters list | show | retry | drop`: what could not be handled."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import cyclopts
from cyclopts import Parameter

from app import terminal
from app.broker_address import with_broker
from app.settings import Settings, load_settings
from app.terminal import Json, Url
from schemas.errors import UsageError
from schemas.facts import iso

if TYPE_CHECKING:
    from app.dead_letters import Letter

letters = cyclopts.App(name="dead-letters", help="What could not be handled: see it, try again.")

Numbers = Annotated[int, Parameter(help="Their numbers, as `list` shows them.")]


@letters.command(name="list")
def listed(
    *,
    resolved: Annotated[
        bool, Parameter(negative=(), help="Also those that were retried or dropped.")
    ] = False,
    reason: Annotated[str, Parameter(help="Only those of this reason.")] = "",
    url: Url = None,
    json: Json = False,
) -> None:
    """List the open ones, oldest first."""
    from app import dead_letters

    found = dead_letters.letters(_settings(url), resolved=resolved, reason=reason)
    if json:
        for letter in found:
            terminal.json_line(_plain(letter))
        return
    terminal.table(
        ["number", "at", "reason", "from", "detail", ""],
        (
            [one.number, iso(one.at_ms), one.reason, one.place, one.detail, one.resolved]
            for one in found
        ),
    )
    terminal.say(f"{len(found)} dead letters")


@letters.command
def show(number: int, /, *, url: Url = None, json: Json = False) -> None:
    """Show one with key, headers and value."""
    from app import dead_letters

    plain = _plain(dead_letters.letter(_settings(url), number))
    if json:
        terminal.json_line(plain)
    else:
        for name, value in plain.items():
            terminal.say(f"{name}: {value}")


@letters.command
def retry(*numbers: Numbers, by: str = "", url: Url = None, json: Json = False) -> None:
    """Append them again to the end of the topic they came from."""
    from app import dead_letters

    _told(dead_letters.retry(_settings(url), _some(numbers), by=by), "retried", json)


@letters.command
def drop(*numbers: Numbers, by: str = "", url: Url = None, json: Json = False) -> None:
    """Mark them as done without doing anything."""
    from app import dead_letters

    _told(dead_letters.drop(_settings(url), _some(numbers), by=by), "dropped", json)


def _settings(url: str | None) -> Settings:
    return with_broker(load_settings(), url)


def _some(numbers: Sequence[int]) -> Sequence[int]:
    if not numbers:
        raise UsageError("name one or more dead letters by number: `dripline dead-letters list`")
    return numbers


def _told(done: Sequence[Letter], deed: str, json: bool) -> None:
    for one in done:
        if json:
            terminal.json_line({"number": one.number, "done": deed})
        else:
            terminal.say(f"dead letter {one.number} ({one.reason}): {deed}")


def _plain(one: Letter) -> dict[str, Any]:
    """As JSON: bytes as text, what is not UTF-8 with replacement signs."""
    return {
        "number": one.number,
        "at": iso(one.at_ms),
        "reason": one.reason,
        "detail": one.detail,
        "topic": one.topic,
        "partition": one.partition,
        "offset": one.offset,
        "key": _text(one.key),
        "headers": {name: _text(value) for name, value in one.headers},
        "value": _text(one.value),
        "cut_bytes": one.cut_bytes,
        "copies": one.copies,
        "resolved": one.resolved or None,
    }


def _text(raw: bytes | None) -> str | None:
    return None if raw is None else raw.decode(errors="replace")


def register(app: cyclopts.App) -> None:
    """Add this module's commands."""
    app.command(letters)
