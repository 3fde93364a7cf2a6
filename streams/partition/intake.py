"""From a record of `lead-events` as Kafka gives it to the record that the engine takes."""

from __future__ import annotations

from collections.abc import Container

import msgspec
from msgspec import Struct

from schemas.errors import DataError
from schemas.ids import lead_id_problem, partition_of, record_id
from schemas.records import DECODERS, NO_JSON, ChangeMarker, Interaction, Record
from streams.ports import LogRecord

MAX_ID_BYTES = 256
CACHED_KEYS = 50_000

_DECODERS = {name.encode(): decoder.decode for name, decoder in DECODERS.items()}


class Marked(Struct, frozen=True):
    """A change marker was met: it concerns the partition, not a lead."""

    number: int
    id: str


class Intake:
    """Reads the records of one partition.

    `known` holds the keys of leads that have a state: their key was checked when they came in.
    The partition of any other key is computed once (murmur2 in Python takes longer than all
    the rest) and remembered in two generations.
    """

    def __init__(
        self, number: int, partitions: int, known: Container[bytes], max_bytes: int
    ) -> None:
        self._number = number
        self._partitions = partitions
        self._known = known
        self._max_bytes = max_bytes
        self._young: dict[bytes, str] = {}
        self._old: dict[bytes, str] = {}

    def read(self, raw: LogRecord) -> Record | Marked:
        """The record; raises `DataError` when it cannot be used as data.

        Reasons: `no_schema`, `unknown_schema`, `too_large`, `bad_json`, `bad_field`, `no_key`,
        `bad_lead_id`, `wrong_partition`; where several hold, the first of this list.
        """
        schema = header_id = None
        for name, header in raw.headers:
            if name == "schema":
                schema = header
            elif name == "id":
                header_id = header
        decode = _DECODERS.get(schema)  # type: ignore[arg-type]
        value = raw.value
        if decode is None or value is None or len(value) > self._max_bytes:
            raise self._refusal(schema, value)
        try:
            body = decode(value)
            id = header_id.decode() if header_id else ""
        except msgspec.ValidationError as error:
            raise DataError("bad_field", str(error)) from None
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise DataError("bad_json", str(error)) from None
        if not id or len(id) > MAX_ID_BYTES:
            id = self._made_up(id, raw.offset)
        if type(body) is ChangeMarker:
            if body.number < 0:
                raise DataError("bad_field", f"number {body.number} of a change marker is negative")
            return Marked(body.number, id)
        key = raw.key
        lead = self._young.get(key)  # type: ignore[arg-type]
        if lead is None:
            lead = self._lead(key)
        return Record(self._number, raw.offset, raw.timestamp, lead, id, body)  # type: ignore[arg-type]

    def _refusal(self, schema: bytes | None, value: bytes | None) -> DataError:
        if schema is None:
            return DataError("no_schema", "the header `schema` is missing")
        if schema not in _DECODERS:
            name = schema.decode(errors="backslashreplace")[:100]
            return DataError("unknown_schema", f"{name!r} is none of {', '.join(DECODERS)}")
        if value is None:
            return DataError("bad_json", "the record has no value")
        return DataError("too_large", f"{len(value)} bytes, at most {self._max_bytes} are taken")

    def _made_up(self, id: str, offset: int) -> str:
        """An id for a record that came without one, or with one that is too long to keep."""
        if id:
            return record_id("long", id)
        return record_id("unnamed", self._number, offset)

    def _lead(self, key: bytes | None) -> str:
        if not key:
            raise DataError("no_key", "the record's key must be the lead's id")
        lead = self._old.get(key)
        if lead is None:
            try:
                lead = key.decode()
            except UnicodeDecodeError:
                raise DataError("bad_lead_id", "the key is not valid UTF-8") from None
            if key not in self._known:
                self._check(key, lead)
        if len(self._young) >= CACHED_KEYS:
            self._old, self._young = self._young, {}
        self._young[key] = lead
        return lead

    def _check(self, key: bytes, lead: str) -> None:
        if not lead.isprintable() or len(key) > MAX_ID_BYTES:
            problem = lead_id_problem(lead)
            if problem:
                raise DataError("bad_lead_id", f"the lead's id {problem}")
        if self._partitions > 1:
            right = partition_of(lead, self._partitions)
            if right != self._number:
                raise DataError(
                    "wrong_partition",
                    f"by its key it belongs into partition {right} of {self._partitions}, "
                    f"produce with the murmur2 partitioner",
                )


def hidden_problem(record: Record) -> DataError | None:
    """What is wrong with the raw JSON of a record that was handled with an error, if anything.

    `properties`, `traits` and `context` are decoded only when somebody asks, so that a record
    that is bad as data can come as far as the engine.
    """
    body = record.body
    if type(body) is not Interaction:
        return None
    for name in ("properties", "traits", "context"):
        raw = getattr(body, name)
        if raw is NO_JSON or not raw:
            continue
        try:
            content = msgspec.json.decode(raw)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            return DataError("bad_json", f"{name}: {error}")
        if content is not None and not isinstance(content, dict):
            return DataError("bad_field", f"{name} must be an object")
    return None
