"""Reading a record of `commands`: a command, or why it is none."""

from __future__ import annotations

import msgspec

from schemas import commands
from schemas.commands import Command
from schemas.errors import DataError
from schemas.ids import lead_id_problem, partition_of
from streams.ports import LogRecord

RETRY_HEADER = "dripline-retry"
MAX_ID_CHARS = 256
MAX_BYTES = 1024 * 1024  # ours are a hundredth of it; a send lies whole in the changelog


def header(record: LogRecord, name: str) -> bytes | None:
    """The last value of a header, or None."""
    found = None
    for key, value in record.headers:
        if key == name:
            found = value
    return found


def read_command(record: LogRecord, number: int, partitions: int) -> Command:
    """The command of a record in partition `number`.

    Raises `DataError`: `unknown_schema`, `bad_command` (not JSON, a field missing or of the wrong
    type, an id nobody can use), `wrong_partition`.
    """
    schema = header(record, "schema")
    if schema != commands.SCHEMA.encode():
        raise DataError("unknown_schema", f"header schema is {schema!r}, not {commands.SCHEMA}")
    if len(record.value or b"") > MAX_BYTES:
        raise DataError("bad_command", f"is longer than {MAX_BYTES} bytes")
    try:
        command = commands.DECODE(record.value or b"")
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise DataError("bad_command", str(error)) from None
    if not command.id or len(command.id) > MAX_ID_CHARS:
        raise DataError("bad_command", f"id must have 1 to {MAX_ID_CHARS} characters")
    problem = lead_id_problem(command.lead)
    if problem is not None:
        raise DataError("bad_command", f"lead {problem}")
    home = partition_of(command.lead, partitions)
    if home != number:
        raise DataError("wrong_partition", f"its lead belongs to partition {home}, not {number}")
    return command
