"""`dripline export | verify | dead-letters`: what lies in Kafka."""

from __future__ import annotations

import sys
from typing import Annotated, Any

import cyclopts
import msgspec
from cyclopts import Parameter

from app import terminal
from app.broker_address import with_broker
from app.settings import load_settings
from app.terminal import Json, Url

DIFFERS = 1
_DIFFERENCES_SHOWN = 20
# Keys the hashes in `suppressions`, which are no part of a state: any text folds alike.
_ANY_SECRET = b"verify"


def export(
    *,
    lead: Annotated[
        str | None, Parameter(help="Only this lead's records (and its partition's markers).")
    ] = None,
    url: Url = None,
) -> None:
    """Print the log as JSON lines, as `simulate --events` takes them."""
    from app.export import export as lines

    settings = with_broker(load_settings(), url)
    for line in lines(settings.bootstrap(), lead):
        sys.stdout.buffer.write(line + b"\n")
    sys.stdout.buffer.flush()


def verify(
    *,
    partition: Annotated[int | None, Parameter(help="Only this one.")] = None,
    url: Url = None,
    json: Json = False,
) -> int:
    """Fold the log again and compare with the changelog, lead by lead; 1 when they differ."""
    from app.verify import verified

    settings = with_broker(load_settings(), url)
    secret = settings.signing_secret() if settings.secret else _ANY_SECRET
    status = 0
    for one in verified(settings.bootstrap(), secret, partition):
        if json:
            terminal.json_line(msgspec.to_builtins(one))
        else:
            _print(one)
        if one.verdict.differences:
            status = DIFFERS
    return status


def _print(one: Any) -> None:
    verdict = one.verdict
    said = f"partition {one.partition}: {verdict.leads} leads, {verdict.records} records"
    if verdict.older:
        said += f", {len(verdict.older)} older than the log's start ({one.log_start})"
    if verdict.quarantined:
        said += f", {len(verdict.quarantined)} quarantined"
    terminal.say(said + (", they differ:" if verdict.differences else ", all equal"))
    for difference in verdict.differences[:_DIFFERENCES_SHOWN]:
        terminal.say(
            f"  {difference.lead}: {difference.field}: stored {difference.stored}, "
            f"folded {difference.folded}"
        )


def register(app: cyclopts.App) -> None:
    """Add this module's commands."""
    app.command(export)
    app.command(verify)
