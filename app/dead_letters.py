"""Dead letters: what could not be handled, and what a person did about it.

A letter is named by its offset in `dead-letters`. What was done is a record there as well: header
`dripline-resolved` (`retry` or `drop`), its key naming the letter. Nothing is ever deleted; a
letter that was written twice (a replay after a crash) is listed once, as the first of the two.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from typing import Literal

import msgspec
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError
from msgspec import Struct

from app.clock import clock_of
from app.log_reading import LogReader
from app.settings import Settings
from schemas import commands
from schemas.errors import Unreachable, UsageError
from schemas.facts import iso
from schemas.ids import record_id
from schemas.topics import COMMANDS, DEAD_LETTERS, LEAD_EVENTS
from streams.delivery.intake import RETRY_HEADER
from streams.ports import LogRecord

Deed = Literal["retry", "drop"]

RESOLVED = "dripline-resolved"
SCHEMA = "resolution/1"
OURS = "dripline-"
REQUEST_SECONDS = 20.0


class Letter(Struct, frozen=True):
    """One dead letter. Times are ms; `resolved` is "" for one that is still open.

    `topic`, `partition` and `offset` (-1: nowhere) tell where the record came from, `key`, `value`
    and `headers` are as they came. `cut_bytes` is the size of one that was too long to be copied:
    then it is only where it came from. `copies` counts how often it was written.
    """

    number: int
    at_ms: int
    reason: str
    detail: str
    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...]
    cut_bytes: int = 0
    copies: int = 1
    resolved: str = ""
    resolved_ms: int = 0

    @property
    def place(self) -> str:
        """Where it came from: equal for two copies of one letter."""
        if self.offset < 0:
            return f"{DEAD_LETTERS}/0/{self.number}"
        return f"{self.topic}/{self.partition}/{self.offset}"


class Resolution(Struct, frozen=True, omit_defaults=True):
    """Value of the record that says what was done about the letter of that number."""

    letter: int
    do: Deed
    at_ms: int
    by: str = ""


def letters(settings: Settings, *, resolved: bool = False, reason: str = "") -> list[Letter]:
    """The open letters, oldest first; with `resolved` all of them, with `reason` only those.

    Raises `Unreachable`, `Halt` when the topic is not there.
    """
    found = _read(settings)
    return [
        letter
        for letter in found.values()
        if (resolved or not letter.resolved) and reason in ("", letter.reason)
    ]


def letter(settings: Settings, number: int) -> Letter:
    """One letter, open or not; of a copy, the first one. Raises `UsageError` when there is none."""
    return _known(_read(settings), (number,))[0]


def retry(settings: Settings, numbers: Sequence[int], *, by: str = "") -> list[Letter]:
    """Append what came to the end of the topic it came from, then mark the letters as done.

    The header `dripline-retry` tells delivery that a command it knows is to be tried again. All
    is checked before anything is appended. Raises `UsageError` for a letter that is not there or
    was resolved, that did not come from a topic, or whose command has expired; `Unreachable`.
    """
    chosen = _open(_read(settings), numbers)
    now_ms = clock_of(settings.clock).now_ms()
    whole = [_whole(settings, one) for one in chosen]
    for one in whole:
        _check_retry(one, now_ms)
    asyncio.run(_append(settings, whole, "retry", by, now_ms))
    return chosen


def drop(settings: Settings, numbers: Sequence[int], *, by: str = "") -> list[Letter]:
    """Mark letters as done without doing anything.

    Raises `UsageError` for one that is not there or was resolved; `Unreachable`.
    """
    chosen = _open(_read(settings), numbers)
    now_ms = clock_of(settings.clock).now_ms()
    asyncio.run(_append(settings, chosen, "drop", by, now_ms))
    return chosen


def _read(settings: Settings) -> dict[int, Letter]:
    """All letters by number, copies left out, with what was done about them."""
    found: dict[int, Letter] = {}
    first: dict[str, int] = {}
    with LogReader(settings.bootstrap()) as reader:
        for record in reader.read(DEAD_LETTERS, 0):
            headers = {name: value or b"" for name, value in record.headers}
            if RESOLVED in headers:
                _resolve(found, first, record, headers)
                continue
            new = _letter(record, headers)
            known = first.setdefault(new.place, new.number)
            if known == new.number:
                found[known] = new
            else:
                found[known] = msgspec.structs.replace(found[known], copies=found[known].copies + 1)
    return found


def _letter(record: LogRecord, headers: dict[str, bytes]) -> Letter:
    def text(name: str) -> str:
        return headers.get(OURS + name, b"").decode("utf-8", "replace")

    def number(name: str, otherwise: int) -> int:
        value = text(name)
        return int(value) if value.isdecimal() else otherwise

    return Letter(
        number=record.offset,
        at_ms=record.timestamp,
        reason=text("reason") or "unknown",
        detail=text("detail"),
        topic=text("topic"),
        partition=number("partition", -1),
        offset=number("offset", -1),
        key=record.key,
        value=record.value,
        headers=tuple(
            (name, value or b"") for name, value in record.headers if not name.startswith(OURS)
        ),
        cut_bytes=number("cut-bytes", 0),
    )


def _resolve(
    found: dict[int, Letter], first: dict[str, int], record: LogRecord, headers: dict[str, bytes]
) -> None:
    number = first.get((record.key or b"").decode("utf-8", "replace"))
    if number is not None:
        deed = headers[RESOLVED].decode("utf-8", "replace")
        found[number] = msgspec.structs.replace(
            found[number], resolved=deed, resolved_ms=record.timestamp
        )


def _known(found: dict[int, Letter], numbers: Iterable[int]) -> list[Letter]:
    missing = [str(number) for number in numbers if number not in found]
    if missing:
        raise UsageError(
            f"there is no dead letter {', '.join(missing)}: `dripline dead-letters list` shows "
            "their numbers"
        )
    return [found[number] for number in dict.fromkeys(numbers)]


def _open(found: dict[int, Letter], numbers: Sequence[int]) -> list[Letter]:
    chosen = _known(found, numbers)
    for one in chosen:
        if one.resolved:
            raise UsageError(
                f"dead letter {one.number} was resolved at {iso(one.resolved_ms)} ({one.resolved})"
            )
    return chosen


def _whole(settings: Settings, one: Letter) -> Letter:
    """With key, value and headers of a letter that was too long to be copied."""
    if not one.cut_bytes or one.offset < 0:
        return one
    with LogReader(settings.bootstrap()) as reader:
        for record in reader.read(one.topic, one.partition, one.offset):
            if record.offset != one.offset:
                break
            headers = tuple((name, value or b"") for name, value in record.headers)
            return msgspec.structs.replace(one, key=record.key, value=record.value, headers=headers)
    raise UsageError(
        f"dead letter {one.number} was too long to be copied, and {one.place} is no longer there"
    )


def _check_retry(one: Letter, now_ms: int) -> None:
    if one.topic not in (COMMANDS, LEAD_EVENTS) or one.partition < 0:
        raise UsageError(
            f"dead letter {one.number} did not come from a topic but from {one.topic or 'nowhere'}:"
            " send it again the way it came, or drop it"
        )
    if one.topic != COMMANDS:
        return
    try:
        command = commands.DECODE(one.value or b"")
    except msgspec.MsgspecError:
        return
    if command.expires_ms is not None and command.expires_ms < now_ms:
        raise UsageError(
            f"dead letter {one.number}: command {command.id} has expired at "
            f"{iso(command.expires_ms)} and would not be carried out: drop it"
        )


async def _append(
    settings: Settings, chosen: Sequence[Letter], deed: Deed, by: str, now_ms: int
) -> None:
    """The bytes first, then the word that it was done: a crash in between leaves a letter open
    that was retried, and delivery knows the second retry by its number."""
    producer = AIOKafkaProducer(
        bootstrap_servers=settings.bootstrap(),
        client_id="dripline-dead-letters",
        acks="all",
        enable_idempotence=not settings.embedded,
        request_timeout_ms=int(REQUEST_SECONDS * 1000),
        max_request_size=10 * 1024 * 1024,
    )
    try:
        await producer.start()
        for one in chosen:
            if deed == "retry":
                await producer.send_and_wait(
                    one.topic, one.value, key=one.key, partition=one.partition,
                    timestamp_ms=now_ms,
                    headers=[
                        *((name, value) for name, value in one.headers if name != RETRY_HEADER),
                        (RETRY_HEADER, str(one.number).encode()),
                    ],
                )  # fmt: skip
            await producer.send_and_wait(
                DEAD_LETTERS,
                msgspec.json.encode(Resolution(one.number, deed, now_ms, by)),
                key=one.place.encode(),
                partition=0,
                timestamp_ms=now_ms,
                headers=[
                    ("schema", SCHEMA.encode()),
                    ("id", record_id("resolution", one.place, one.number, deed).encode()),
                    (RESOLVED, deed.encode()),
                ],
            )
    except KafkaError as error:
        raise Unreachable(
            f"Kafka at {settings.bootstrap()} did not take it ({type(error).__name__}): look with "
            "`dripline dead-letters list` what is still open, and do it again"
        ) from error
    finally:
        await producer.stop()
