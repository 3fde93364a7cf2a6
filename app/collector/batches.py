"""A request's body becomes events: one, or those of a batch, each good or refused on its own.

Clients drop a whole batch on 400 (research, back-pressure contract), so one bad event must not
take the others with it, not even one that is no JSON.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec
from msgspec import Raw, Struct

from app.collector.body import BODY_BYTES_MAX, EVENT_BYTES_MAX, too_large
from app.collector.events import ClientEvent, decode_event
from app.collector.json_parts import elements, members
from app.collector.refusals import BadInput

EVENTS_MAX = 12_000  # as many as the smallest possible events fill a body


class _Batch(Struct, gc=False):
    batch: list[Raw] | None = None
    writeKey: str | None = None
    historical: bool | None = None


class Batch(Struct, gc=False):
    """A batch as it came: raw events, the write key of the body, whether all are historical."""

    events: Iterable[bytes | Raw]
    write_key: str | None
    historical: bool


_decode = msgspec.json.Decoder(_Batch).decode
_decode_key = msgspec.json.Decoder(str | None).decode
_decode_flag = msgspec.json.Decoder(bool | None).decode


def read_batch(body: bytes) -> Batch:
    """The events of a batch, not yet decoded. Raises `BadInput` naming the field."""
    try:
        batch = _decode(body)
    except msgspec.ValidationError as error:
        what, _, where = str(error).partition(" - at `$")
        field = where.rstrip("`").lstrip(".") or "body"
        raise BadInput("wrong_type", field, f"has the wrong type: {what}") from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        batch = _salvaged(body, error)
    if batch.batch is None:
        raise BadInput("missing_field", "batch", "is missing: it must be an array of events")
    if len(batch.batch) > EVENTS_MAX:
        raise BadInput("too_large", "batch", f"holds more than {EVENTS_MAX} events", 413)
    return Batch(batch.batch, batch.writeKey, bool(batch.historical))


def read_single(body: bytes) -> ClientEvent:
    """The one event of a body. Raises `BadInput` naming the field."""
    if len(body) > EVENT_BYTES_MAX:
        raise too_large("body", EVENT_BYTES_MAX)
    return decode_event(body)


def _salvaged(body: bytes, error: Exception) -> _Batch:
    """A batch in which something is not valid JSON, cut into its events.

    Raises `BadInput` when brackets or quotes do not close: then nobody knows what is an event.
    """
    try:
        parts = members(body)
        cut = elements(parts["batch"])
        key = _decode_key(parts.get("writeKey", b"null"))
        historical = _decode_flag(parts.get("historical", b"null"))
    except (ValueError, KeyError, RecursionError):
        raise BadInput("malformed_json", "body", f"is not valid JSON ({error})") from None
    return _Batch([Raw(part) for part in cut], key, historical)


__all__ = ["BODY_BYTES_MAX", "EVENTS_MAX", "Batch", "read_batch", "read_single"]
