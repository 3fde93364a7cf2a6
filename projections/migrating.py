"""Brings a database's tables and views to what this version expects. Forward only.

`migrations/NNNN_name.sql` holds one statement each. What was applied stands in
`dripline.migrations` with its checksum; a file that was changed afterwards is an error.
"""

from __future__ import annotations

from hashlib import blake2b
from pathlib import Path

from msgspec import Struct

from projections.store import Store
from projections.tables import DATABASE
from schemas.errors import Halt

FOLDER = Path(__file__).parent / "migrations"
APPLIED = f"{DATABASE}.migrations"
HEADINGS = ("Grain", "Key", "Source", "Dedup", "Rebuild")


class Migration(Struct, frozen=True):
    """One file: its number, name, statement and checksum (of every byte)."""

    number: int
    name: str
    sql: str
    checksum: str

    def heading(self, word: str) -> str:
        """What the comment on top says after `-- Word: `."""
        found = [line for line in self.sql.splitlines() if line.startswith(f"-- {word}: ")]
        return found[0].partition(": ")[2] if found else ""


def migrations(folder: Path = FOLDER) -> list[Migration]:
    """All files, by number."""
    found = []
    for path in sorted(folder.glob("*.sql")):
        sql = path.read_text(encoding="utf-8")
        number, _, name = path.stem.partition("_")
        found.append(
            Migration(int(number), name, sql, blake2b(sql.encode(), digest_size=16).hexdigest())
        )
    return found


def migrate(store: Store, folder: Path = FOLDER) -> list[str]:
    """Apply what is missing, in order; the names of those.

    A crash between a statement and its entry applies it again: each is written with IF NOT EXISTS.
    Raises `Halt` when an applied file was changed, or the database is newer than this version.
    """
    store.execute(f"CREATE DATABASE IF NOT EXISTS {DATABASE}")
    store.execute(
        f"CREATE TABLE IF NOT EXISTS {APPLIED} (number UInt32, name String, checksum String) "
        "ENGINE = ReplacingMergeTree ORDER BY number"
    )
    answer = store.query(f"SELECT number, name, checksum FROM {APPLIED} FINAL")  # noqa: S608
    applied = {int(number): (name, checksum) for number, name, checksum in answer.rows}
    known = migrations(folder)
    if unknown := applied.keys() - {one.number for one in known}:
        raise Halt(
            f"the tables were made by a newer version (migration {max(unknown)}): start that one"
        )
    done = []
    for one in known:
        if one.number in applied:
            if applied[one.number][1] != one.checksum:
                raise Halt(
                    f"migration {one.number:04d}_{one.name}.sql was changed after it was applied: "
                    "put the old file back, and write a new one"
                )
            continue
        store.execute(one.sql)
        store.insert(
            APPLIED,
            {"number": [one.number], "name": [one.name], "checksum": [one.checksum]},
        )
        done.append(one.name)
    return done
