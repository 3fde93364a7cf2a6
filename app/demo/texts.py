"""What the demo says."""

from __future__ import annotations

from collections.abc import Mapping

from app import up_texts
from app.demo.readers import Read
from app.demo.tally import Tally
from app.running import Running
from schemas.facts import iso

_DAYS = ("Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed")  # the epoch was a Thursday
_DAY_MS = 86_400_000


def line(running: Running, tally: Tally, events: int, read: Read) -> str:
    """One line of what happens."""
    now = running.clock.now_ms()
    day, time = _DAYS[now // _DAY_MS % 7], iso(now)[11:16]
    return (
        f"{day} {time}  {events:,} events  {tally.entered.total():,} entered  "
        f"{tally.waiting:,} waiting  {tally.branched:,} branched  {_mails(running):,} mails "
        f"({read.opened:,} opened, {read.clicked:,} clicked)  {tally.points:,.0f} points"
    )


def summary(running: Running, tally: Tally, events: int, read: Read) -> list[str]:
    """What has come of it so far, counted."""
    hours = (running.clock.now_ms() - running.clock.log_ms) // 3_600_000
    return [
        "",
        f"After {hours} hours of the site's time, {events:,} events:",
        f"  entered     {tally.entered.total():,} ({_each(tally.entered)})",
        f"  waiting     {tally.waiting:,} now",
        f"  branched    {tally.branched:,}",
        f"  sent        {_mails(running):,} mails, {running.catcher.total:,} calls to the CRM",
        f"  suppressed  {tally.suppressed.total():,} ({_each(tally.suppressed)})",
        f"  opened      {read.opened:,}, clicked {read.clicked:,}, "
        f"unsubscribed {read.unsubscribed:,}",
        f"  gained      {tally.points:,.0f} points, {tally.lists.total():,} memberships of lists "
        f"({_each(tally.lists)})",
        f"  ended       {tally.completed:,} completed, {tally.left.total():,} left "
        f"({_each(tally.left)}), {tally.converted:,} reached a goal",
        "",
    ]


def next_things(running: Running, tally: Tally) -> list[str]:
    """What to try while it runs."""
    at = "" if running.settings.port == up_texts.DEFAULT_PORT else f" --url {running.url}"
    lead = tally.busiest() or "v-00001"
    things = {
        f"{running.url}/": "the page: campaigns, facts, mails",
        f".venv/bin/dripline lead show {lead}{at}": "one lead and what it did",
        f".venv/bin/dripline export --lead {lead}{at}": "its log",
        f".venv/bin/dripline verify{at}": "fold the whole log again and compare",
        ".venv/bin/dripline test examples": "the campaigns' own tests",
        ".venv/bin/dripline campaign show examples trial-nurture": "a campaign as text",
    }
    width = max(map(len, things))
    return [
        "Try next, in another terminal (it goes on until Ctrl-C):",
        *(f"  {command:<{width}}  {meaning}" for command, meaning in things.items()),
        "",
    ]


def _each(counted: Mapping[str, int]) -> str:
    ordered = sorted(counted.items(), key=lambda item: -item[1])
    return ", ".join(f"{name} {number:,}" for name, number in ordered) or "none"


def _mails(running: Running) -> int:
    return running.inbox.total if running.inbox is not None else 0
