"""`dripline import access-log | segment`: real data in, posted to the collector."""

from __future__ import annotations

import gzip
import io
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Annotated, Any, cast

import cyclopts
from cyclopts import Parameter

from app import segment_lines, terminal
from app.access_log import Counts, events, kept_rules, page_views
from app.instance import Instance
from app.posting import Pace, Posted, Poster, clock_of, write_key_of
from app.settings import load_settings
from app.terminal import Json, Url
from schemas.errors import UsageError

imports = cyclopts.App(name="import", help="Real data in, posted to the collector.")

Live = Annotated[
    bool, Parameter(negative=(), help="Paced as they happened, on the instance's clock.")
]
Historical = Annotated[
    bool,
    Parameter(negative=(), help="At once; changes leads without moving journeys (default)."),
]
DryRun = Annotated[bool, Parameter(negative=(), help="Only count; nothing is sent.")]
WriteKey = Annotated[str | None, Parameter(help="Default: the settings', else the instance's.")]


File = Annotated[str, Parameter(allow_leading_hyphen=True)]  # `-` is stdin


@imports.command(name="access-log")
def access_log(
    file: File,
    /,
    *,
    live: Live = False,
    historical: Historical = False,
    dry_run: DryRun = False,
    example_addresses: Annotated[
        bool,
        Parameter(negative=(), help="Every third visitor with two pages tells a made-up address."),
    ] = False,
    site: Annotated[str, Parameter(help="Put before each path: https://example.org")] = "",
    write_key: WriteKey = None,
    url: Url = None,
    json: Json = False,
) -> int:
    """Post the page views of people in an Apache or nginx log (`-`: stdin; .gz is unpacked).

    Every line is counted: accepted, left out for a reason, or rejected by the collector.
    """
    slow = _pacing(live, historical)
    counts = Counts()
    with _lines(file) as (lines, position):
        told = events(
            page_views(lines, kept_rules(), counts),
            site=site.rstrip("/"),
            historical=not slow,
            example_addresses=example_addresses,
        )
        timed = ((view.time_ms, event) for view, event in told)
        posted = _post(timed, position, slow, dry_run, write_key, url)
    return _report(counts, posted, ("page", "identify"), dry_run, json)


@imports.command
def segment(
    file: File,
    /,
    *,
    live: Live = False,
    historical: Historical = False,
    dry_run: DryRun = False,
    write_key: WriteKey = None,
    url: Url = None,
    json: Json = False,
) -> int:
    """Post Segment-shaped JSON lines (`-`: stdin; .gz is unpacked)."""
    slow = _pacing(live, historical)
    counts = Counts()
    with _lines(file) as (lines, position):
        timed = segment_lines.events(lines, counts, historical=not slow)
        posted = _post(timed, position, slow, dry_run, write_key, url)
    return _report(counts, posted, segment_lines.KINDS, dry_run, json)


def _pacing(live: bool, historical: bool) -> bool:
    if live and historical:
        raise UsageError("--live and --historical exclude each other")
    return live


def _post(
    timed: Iterator[tuple[int, dict[str, Any]]],
    position: Position,
    live: bool,
    dry_run: bool,
    write_key: str | None,
    url: str | None,
) -> Posted:
    """Send all; with `dry_run` count all as accepted."""
    if dry_run:
        posted = Posted()
        for _, event in timed:
            posted.accepted[event["type"]] += 1
        return posted
    settings = load_settings()
    instance = Instance.of(settings, url)
    key = write_key_of(instance, write_key, settings.keys())
    pace = None
    if live:
        clock = clock_of(instance)
        pace = Pace(clock)
        terminal.note(f"paced as they happened, {clock.speed:g} times as fast")
    poster = Poster(instance, key, pace)
    with terminal.progress() as progress:
        bar = progress.add_task("sending", total=position.size, note="")
        for happened_ms, event in timed:
            poster.send(event, happened_ms)
            progress.update(
                bar,
                completed=position.bytes_read(),
                note=f"{poster.posted.accepted.total():,} accepted",
            )
        poster.flush()
    return poster.posted


def _report(
    counts: Counts, posted: Posted, kinds: tuple[str, ...], dry_run: bool, json: bool
) -> int:
    """Print the counts; 1 when the collector rejected something."""
    # An invented identify comes on top of the lines: it is no line of the file.
    extra = posted.accepted["identify"] if kinds == ("page", "identify") else 0
    extra_rejected = posted.rejected["identify"] if kinds == ("page", "identify") else 0
    accepted = posted.accepted.total() - extra
    rejected = posted.rejected.total() - extra_rejected
    if json:
        terminal.json_line(
            {
                "lines": counts.lines,
                "accepted": accepted,
                "left_out": dict(sorted(counts.left_out.items())),
                "rejected": rejected,
                "rejected_reasons": dict(posted.reasons),
                "invented_addresses": extra,
                "out_of_order": counts.out_of_order,
                "dry_run": dry_run,
            }
        )
    else:
        left = counts.left_out.total()
        terminal.say(
            f"{counts.lines:,} lines: {accepted:,} accepted, {left:,} left out, "
            f"{rejected:,} rejected" + (" (dry run: nothing was sent)" if dry_run else "")
        )
        for reason, number in counts.left_out.most_common():
            terminal.say(f"  left out, {reason.replace('_', ' ')}: {number:,}")
        for reason, number in posted.reasons.most_common():
            terminal.say(f"  rejected, {reason}: {number:,}")
        if extra:
            terminal.say(f"  {extra:,} visitors told a made-up address (traits.invented: true)")
    return 1 if rejected or extra_rejected else 0


class Position:
    """How far a file has been read, in bytes of the file as it lies on the disk."""

    def __init__(self, raw: IO[bytes] | None, size: int | None) -> None:
        self._raw = raw
        self.size = size

    def bytes_read(self) -> int:
        """Bytes read so far; 0 where that is not known."""
        return self._raw.tell() if self._raw is not None and self.size is not None else 0


@contextmanager
def _lines(file: str) -> Iterator[tuple[Iterator[str], Position]]:
    """The lines of a file, of stdin for `-`; gzip is known by its magic number."""
    if file == "-":
        yield _text(cast(io.BufferedReader, sys.stdin.buffer)), Position(None, None)
        return
    try:
        opened = Path(file).open("rb")  # noqa: SIM115 - closed below; only opening may fail so
    except OSError as error:
        raise UsageError(f"cannot read {file}: {error.strerror}") from None
    with opened:
        yield _text(opened), Position(opened, Path(file).stat().st_size)


def _text(raw: io.BufferedReader) -> Iterator[str]:
    """Lines as text; what is not UTF-8 becomes a replacement sign, so that it is valid JSON."""
    packed = raw.peek(2)[:2] == b"\x1f\x8b"
    stream: Iterable[bytes] = gzip.GzipFile(fileobj=raw) if packed else raw
    try:
        for line in stream:
            yield line.decode(errors="replace")
    except (EOFError, gzip.BadGzipFile) as error:
        raise UsageError(f"the file is broken gzip: {error}") from None


def register(app: cyclopts.App) -> None:
    """Add this module's commands."""
    app.command(imports)
