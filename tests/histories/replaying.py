"""Fold a recorded log."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec

from schemas import commands, exports, facts
from schemas.state import decode
from streams.engine.registry import Registries
from streams.partition.folding import Fold
from streams.ports import StoredRecord

HERE = Path(__file__).parent


def fold(lines: Iterable[bytes]) -> dict[str, Any]:
    """The end states, the facts and the commands of a log, as plain data."""
    registries = Registries()
    plain = Fold(0, 1, registries, secret=b"history", keep_refusals=True)
    told: list[list[Any]] = []
    issued: list[dict[str, Any]] = []
    for line in map(exports.DECODE, lines):
        for one in line.changes:
            registries.append(one.number, one.change)
        record = StoredRecord(
            line.offset, line.time_ms, line.raw_key(), line.raw_value(), line.raw_headers()
        )
        effects = plain.take(record)
        for sent in effects.facts:
            of_record = facts.DECODE(sent.value or b"")
            told += [
                [facts.iso(row.at), of_record.lead, row.fact, row.campaign, row.run, row.step]
                for row in of_record.facts
            ]
        issued += [
            msgspec.to_builtins(commands.DECODE(sent.value or b"")) for sent in effects.commands
        ]
    states = plain.states()
    return {
        "leads": {key.decode(): msgspec.to_builtins(decode(states[key])) for key in sorted(states)},
        "facts": told,
        "commands": issued,
    }
