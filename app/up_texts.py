"""What `dripline up` says: where everything is, what to try, and that its log is in memory."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import orjson

from app import terminal
from app.publishing import Published
from app.running import Running
from app.settings import Settings
from schemas.facts import iso

DEFAULT_PORT = 8080  # where commands look without --url
IN_MEMORY = (
    "The log is in memory: when this ends, every lead and event is gone. To keep them, run an "
    "Apache Kafka and start `dripline up --kafka HOST:PORT` (DRIPLINE_SECRET set)."
)

# The demo's live line takes over the terminal: then all else goes through it.
_note: Callable[[str], None] = terminal.note


def note(text: str) -> None:
    """One line on stderr, above a live line where there is one."""
    _note(text)


def through(write: Callable[[str], None] | None) -> None:
    """Let notes go through `write` from now on; None: to stderr again."""
    global _note
    _note = write or terminal.note


def say(text: str) -> None:
    """Output for people; above a live line where there is one."""
    if _note is terminal.note:
        terminal.say(text)
        sys.stdout.flush()
    else:
        _note(text)


def published(folder: Path, done: Sequence[Published]) -> None:
    """What became of a campaigns directory."""
    kinds = {kind: [one for one in done if one.kind == kind] for kind in ("campaign", "list")}
    changed = sum(one.changed for one in done)
    note(
        f"published {folder.name}/: {len(kinds['campaign'])} campaigns, {len(kinds['list'])} lists"
        + ("" if changed else " (nothing has changed)")
    )


def addresses(running: Running) -> None:
    """Everything somebody needs who has just started it."""
    url, key = running.url, running.write_key
    lines = [
        "",
        "Dripline is up. Ctrl-C stops it.",
        "",
        f"  page       {url}/",
        f"  collector  {url}/v1/track, /v1/batch, …     write key {key}",
    ]
    if running.inbox is not None:
        lines.append(
            f"  mails      are caught and shown at {url}/#mails (SMTP {running.inbox.address})"
        )
    kind = "embedded, in memory" if running.broker is not None else "yours"
    lines.append(f"  broker     {running.settings.bootstrap()} ({kind})")
    lines += [f"  metrics    {url}/metrics (collector)"] + [
        f"             http://127.0.0.1:{child.metrics_port}/metrics ({child.role})"
        for child in running.children
    ]
    if running.clock.speed != 1:
        lines.append(
            f"  clock      {running.clock.speed:g} times faster, it is {_now(running)}; messages "
            "do not expire by default"
        )
    if running.settings.port != DEFAULT_PORT:
        lines.append(f"  commands   of dripline that ask it need --url {url}")
    lines += ["", "Send events:", "  " + curl(running), ""]
    if running.broker is not None:
        lines += [IN_MEMORY, ""]
    say("\n".join(lines))


def curl(running: Running) -> str:
    """A line to copy into a shell: somebody tells an address and wants the newsletter."""
    who = {"userId": "ana"}
    form = {"form_id": "newsletter"}
    events = [
        {"type": "identify", **who, "traits": {"email": "ana@example.org"}},
        {"type": "track", **who, "event": "Form Submitted", "properties": form},
    ]
    body = shlex.quote(orjson.dumps({"batch": events}).decode())
    return f"curl -u {shlex.quote(running.write_key)}: {running.url}/v1/batch -d {body}"


def farewell(settings: Settings) -> None:
    """The last words; `settings` are those of the start."""
    if settings.kafka is None:
        say("Stopped; the log was in memory and is gone. " + IN_MEMORY.partition(". ")[2])
    else:
        say("Stopped; everything is in Kafka, the next start goes on from there.")


def _now(running: Running) -> str:
    return iso(running.clock.now_ms())[:16].replace("T", " ") + " UTC there"
