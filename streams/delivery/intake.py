"""Taking in: from a record of `commands` to a send, a repeated one, or a dead letter."""

from __future__ import annotations

import msgspec

from schemas import commands
from schemas.commands import Command
from schemas.errors import DataError, Halt
from schemas.ids import lead_id_problem, partition_of
from schemas.topics import DEAD_LETTERS
from streams.delivery import tellings
from streams.delivery.book import Book
from streams.delivery.counts import DeliveryCounts, count
from streams.delivery.desk import Desk
from streams.delivery.sends import FINISHED, TAKEN, OpenSend, Send, key_of, open_send
from streams.ports import LogRecord, Produce

RETRY_HEADER = "dripline-retry"
MAX_ID_CHARS = 256
MAX_BYTES = 1024 * 1024  # ours are a hundredth of it; a send lies whole in the changelog


class Intake:
    """What comes in is entered into the book and handed to the desk.

    A command is known by its id. Only the header `dripline-retry`, with another letter's number
    than the last time, makes a known one come alive again.
    """

    def __init__(
        self,
        number: int,
        partitions: int,
        book: Book,
        desk: Desk,
        counts: DeliveryCounts,
        horizon_ms: int,
    ) -> None:
        self._number = number
        self._partitions = partitions
        self._book = book
        self._desk = desk
        self._counts = counts
        self._horizon_ms = horizon_ms
        self._retries: dict[bytes, tuple[LogRecord, Command, int]] = {}

    def take(self, record: LogRecord, outputs: list[object]) -> None:
        """The next record. Raises `Halt` when it is not the next one."""
        self._contiguous(record.offset)
        try:
            command = read_command(record, self._number, self._partitions)
        except DataError as error:
            self._refuse(record, error, outputs)
            return
        key = key_of(command.id)
        retry = _retry_of(record)
        entry = self._book.open.get(key)
        if entry is None and self._is_news(key, retry):
            entry = self._entry(key, record, command)
            self._book.take_in(record.offset, entry)
            self._desk.enter(entry, self._horizon_ms)
        elif entry is not None and self._comes_too_soon(entry, retry):
            ticket = self._desk.next_ticket()
            self._retries[key] = (record, command, ticket)
            self._book.take_in(record.offset, letter=ticket)
        else:
            self._counts.repeated += 1
            self._book.position = record.offset + 1

    def skip(self, first: int, last: int) -> None:
        """Nothing lies at [first, last). Raises `Halt` when `first` is not the next offset."""
        self._contiguous(first)
        self._book.position = last

    def told(self, before: OpenSend) -> None:
        """A send has ended: a retry by hand that waited for that begins."""
        waiting = self._retries.pop(before.key, None)
        if waiting is None:
            return
        record, command, ticket = waiting
        entry = self._entry(before.key, record, command)
        self._book.reopen(entry, self._desk.now_ms)
        self._book.letter_written(ticket)
        self._desk.enter(entry, self._horizon_ms)

    def _contiguous(self, offset: int) -> None:
        if offset != self._book.position:
            raise Halt(
                f"partition {self._number} of commands: offset {self._book.position} was to come, "
                f"{offset} came; commands in between would be lost"
            )

    def _refuse(self, record: LogRecord, error: DataError, outputs: list[object]) -> None:
        ticket = self._desk.next_ticket()
        letter = tellings.dead_letter_of_record(record, self._number, error.reason, error.detail)
        outputs.append(Produce(ticket, "commands", DEAD_LETTERS, 0, [letter]))
        count(self._counts.dead_letters, error.reason)
        self._book.take_in(record.offset, letter=ticket)

    def _is_news(self, key: bytes, retry: str) -> bool:
        """Of a command that is not open: a new one, or a new retry of one that is done."""
        return key not in self._book.done or retry not in ("", self._book.retried(key)[1])

    def _comes_too_soon(self, entry: OpenSend, retry: str) -> bool:
        """A retry of a command whose last result is still to be told (seen after a crash)."""
        return (
            entry.send.status == FINISHED
            and retry not in ("", entry.send.letter)
            and entry.key not in self._retries
        )

    def _entry(self, key: bytes, record: LogRecord, command: Command) -> OpenSend:
        retry = _retry_of(record)
        self._counts.taken_in += 1
        self._counts.retried_by_hand += bool(retry)
        send = Send(
            status=TAKEN,
            round=self._book.retried(key)[0] + 1 if key in self._book.done else 0,
            epoch=0,
            offset=record.offset,
            time_ms=record.timestamp,
            at_ms=self._desk.now_ms,
            not_before_ms=command.due_ms if command.due_ms > command.issued_ms else 0,
            letter=retry,
            key=record.key or b"",
            value=record.value or b"",
            headers=[(name, value or b"") for name, value in record.headers],
        )
        return open_send(key, send, command)


def read_command(record: LogRecord, number: int, partitions: int) -> Command:
    """The command of a record in partition `number`.

    Raises `DataError`: `unknown_schema`, `bad_command` (not JSON, a field missing or of the wrong
    type, an id nobody can use), `wrong_partition`.
    """
    schema = _header(record, "schema")
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


def _header(record: LogRecord, name: str) -> bytes | None:
    found = None
    for key, value in record.headers:
        if key == name:
            found = value
    return found


def _retry_of(record: LogRecord) -> str:
    return (_header(record, RETRY_HEADER) or b"").decode("utf-8", "replace")
