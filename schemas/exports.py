"""One line of `dripline export`: a record of `lead-events` as JSON (clarifications Q1).

`simulate`, given such lines, takes partition, offset, times, wake-ups and changes from them and
adds none of its own: ids depend on partition and offset.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from datetime import UTC, datetime, timedelta

import msgspec
from msgspec import Raw, Struct

from schemas.changes import Change
from schemas.facts import iso
from schemas.records import NAMES, NO_JSON, ChangeMarker

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MARKER = NAMES[ChangeMarker]


class NumberedChange(Struct, frozen=True):
    """A change with its offset in `campaign-changes`."""

    number: int
    change: Change


class ExportLine(Struct, omit_defaults=True):
    """`time` is the record's (ISO 8601, UTC, milliseconds).

    What is not JSON (poison) is in `value_base64` instead of `value`, a key that is not UTF-8 in
    `key_base64`. A change marker's line also holds `changes`, those after the marker before it in
    this partition, and `partitions`, the topic's number of them.
    """

    partition: int
    offset: int
    time: str
    key: str | None
    headers: dict[str, str]
    value: Raw = NO_JSON
    value_base64: str | None = None
    key_base64: str | None = None
    changes: tuple[NumberedChange, ...] = ()
    partitions: int = 0

    @property
    def time_ms(self) -> int:
        """The record's time, UTC milliseconds; `ValueError` when it is not ISO 8601."""
        return (datetime.fromisoformat(self.time) - _EPOCH) // timedelta(milliseconds=1)

    def raw_key(self) -> bytes | None:
        """The key as it lay in the log."""
        if self.key_base64 is not None:
            return b64decode(self.key_base64)
        return None if self.key is None else self.key.encode()

    def raw_value(self) -> bytes | None:
        """The value as it lay in the log; a JSON value may have lost its line breaks."""
        if self.value_base64 is not None:
            return b64decode(self.value_base64)
        return bytes(self.value) if self.value else None

    def raw_headers(self) -> list[tuple[str, bytes]]:
        """The headers."""
        return [(name, text.encode()) for name, text in self.headers.items()]

    @property
    def marker(self) -> bool:
        """Whether this is a change marker."""
        return self.headers.get("schema") == _MARKER


def line_of(
    partition: int,
    offset: int,
    time_ms: int,
    key: bytes | None,
    headers: list[tuple[str, bytes | None]],
    value: bytes | None,
) -> ExportLine:
    """The line of a record, without changes. Of a repeated header the last counts."""
    line = ExportLine(
        partition=partition,
        offset=offset,
        time=iso(time_ms),
        key=None,
        headers={name: (text or b"").decode(errors="replace") for name, text in headers},
    )
    if key is not None:
        try:
            line.key = key.decode()
        except UnicodeDecodeError:
            line.key_base64 = b64encode(key).decode()
    if value is not None:
        found = _json(value)
        if found is not None:
            line.value = found
        else:
            line.value_base64 = b64encode(value).decode()
    return line


def _json(value: bytes) -> Raw | None:
    """The value on one line, or None when it is not JSON."""
    try:
        msgspec.json.decode(value, type=Raw)
        value.decode()
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    value = value.strip()
    if b"\n" in value or b"\r" in value:
        # Line breaks inside JSON are white space only: within strings they are escaped.
        value = value.replace(b"\n", b" ").replace(b"\r", b" ")
    return Raw(value)


ENCODE = msgspec.json.Encoder().encode
DECODE = msgspec.json.Decoder(ExportLine).decode
