"""`dripline simulate`: the files on both sides of a simulation."""

from __future__ import annotations

import gzip
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import Any

import orjson

from app.campaign_files import load
from schemas.changes import Change
from schemas.errors import UsageError
from schemas.facts import iso
from streams.simulation.recorded_lines import read_leads
from streams.simulation.scenario_values import instant
from streams.simulation.simulate import Summary, is_export, simulate_events, simulate_export

REJECTED_SHOWN = 10
UNKNOWN = frozenset({"unknown-template", "unknown-list", "unknown-connector"})


def simulate(
    campaigns: Path | None, events: Path, leads: Path | None = None, until: str | None = None
) -> int:
    """Print the facts as JSON lines and a summary on stderr; the exit status is 0.

    `events` and `leads` may be `-` (standard input) or gzipped. With an exported log the
    campaigns are those of the log: `campaigns` may be left out and is not used. Raises
    `UsageError` for input that cannot be used.
    """
    until_ms = instant(until, "--until") if until is not None else None
    summary = Summary()
    with _lines(events) as lines:
        first = next((line for line in lines if line.strip()), b"")
        every = chain([first], lines)
        if is_export(first):
            if leads is not None:
                raise UsageError("--leads goes with events: an exported log has its leads in it")
            if campaigns is not None:
                _tell("the campaigns are those of the exported log, --campaigns is not used")
            facts = simulate_export(every, summary, until_ms=until_ms)
        else:
            facts = simulate_events(
                _changes(campaigns), every, summary, leads=_leads(leads), until_ms=until_ms
            )
        for fact in facts:
            sys.stdout.write(orjson.dumps(fact).decode() + "\n")
    _tell(*_summary(summary))
    return 0


def _leads(path: Path | None) -> Sequence[Any]:
    if path is None:
        return []
    with _lines(path) as lines:
        return read_leads(lines)


def _changes(path: Path | None) -> list[Change]:
    """The campaigns, lists and templates of a directory, as they would be published.

    What a campaign names need not be there: nothing is sent.
    """
    if path is None:
        raise UsageError("--campaigns names the directory of the campaigns to run")
    files = load([path])
    findings = files.lint()
    errors = [f for f in findings if f.severity == "error" and f.code not in UNKNOWN]
    if errors:
        first = errors[0]
        raise UsageError(
            f"{len(errors)} errors in {path}; the first: {first.file}:{first.line}: "
            f"{first.message} (`dripline campaign lint {path}` shows all)"
        )
    if missing := [finding for finding in findings if finding.code in UNKNOWN]:
        _tell(f"{len(missing)} templates or lists that are named do not exist")
    return files.changes(by="simulate")


@contextmanager
def _lines(path: Path) -> Iterator[Iterator[bytes]]:
    if str(path) == "-":
        yield iter(sys.stdin.buffer)
        return
    try:
        with open(path, "rb") as file:
            stream: Iterable[bytes] = file
            if file.peek(2)[:2] == b"\x1f\x8b":
                stream = gzip.GzipFile(fileobj=file)
            yield iter(stream)
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror or error}") from None


def _summary(summary: Summary) -> Iterable[str]:
    yield f"{summary.records} records, {summary.wake_ups} wake-ups, {summary.leads} leads"
    for name, counts in (
        ("facts", summary.facts),
        ("issued", summary.actions),
        ("suppressed", summary.suppressed),
        ("dead letters", summary.dead_letters),
    ):
        if counts:
            yield f"{name}: " + ", ".join(f"{n} {what}" for what, n in counts.most_common())
    if summary.waiting:
        yield f"{summary.waiting} journeys are still running"
    if summary.next_due_ms is not None:
        yield f"the next timer is due at {iso(summary.next_due_ms)} (--until T goes on up to T)"
    if summary.rejected:
        yield f"{len(summary.rejected)} lines could not be used:"
        yield from (f"  line {one.line}: {one.reason}" for one in summary.rejected[:REJECTED_SHOWN])


def _tell(*lines: str) -> None:
    for line in lines:
        sys.stderr.write(line + "\n")
