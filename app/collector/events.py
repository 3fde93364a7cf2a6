"""One event of a client becomes the value of a record in `lead-events`.

Segment's shapes: null means absent, traits lie in `traits` or `context.traits`, an id may be a
number. Free-form parts (properties, traits, context) are checked once, strictly, and passed on as
the bytes that came; only an object with a repeated key is written anew (the last one counts), so
that all readers agree on what it says.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any, Literal, cast

import msgspec
import orjson
from msgspec import Raw, Struct

from app.collector.body import EVENT_BYTES_MAX, too_large
from app.collector.json_parts import deeper, members
from app.collector.refusals import BadInput
from schemas.ids import MAX_LEAD_ID_BYTES, lead_id_problem
from schemas.records import ENCODE, NO_JSON, Interaction

Type = Literal["track", "page", "screen", "identify", "alias", "group"]
TYPES = frozenset(("track", "page", "screen", "identify", "alias", "group"))
DEPTH_MAX = 32
MESSAGE_ID_CHARACTERS_MAX = 256
# The engine believes `properties.message` of these: it says which sent mail is meant. Only our own
# signed links may say so (`links`); in a client's event it is kept only as such a token.
MAIL_EVENTS = frozenset(
    (
        "Email Opened", "Email Link Clicked", "Email Replied", "Email Delivered", "Email Bounced",
        "Email Marked as Spam", "Unsubscribed",
    )
)  # fmt: skip

# The content of a token for this lead, or None for anything that is not one.
Message = Callable[[object, str], dict[str, str] | None]


class ClientEvent(Struct, gc=False):
    """An event as clients send it; what is not named here is dropped."""

    type: str | None = None
    event: str | None = None
    userId: str | int | None = None
    anonymousId: str | int | None = None
    previousId: str | int | None = None
    groupId: str | int | None = None
    messageId: str | int | None = None
    timestamp: str | None = None
    originalTimestamp: str | None = None
    historical: bool | None = None
    writeKey: str | None = None
    properties: Raw = NO_JSON
    traits: Raw = NO_JSON
    context: Raw = NO_JSON
    name: Raw = NO_JSON
    category: Raw = NO_JSON


class _WithTraits(Struct, gc=False):
    traits: Raw = NO_JSON


class Taken(Struct, gc=False):
    """What is appended: value and header `id` of a record with key `lead`."""

    lead: str
    id: str
    type: str
    value: bytes


_decode = msgspec.json.Decoder(ClientEvent).decode
_decode_traits = msgspec.json.Decoder(_WithTraits).decode
_NOTHING: dict[str, Any] = {}


def decode_event(raw: bytes | Raw) -> ClientEvent:
    """The fields of an event, free-form parts not yet checked.

    Raises `BadInput` naming the field, also for an event over `EVENT_BYTES_MAX`.
    """
    if len(memoryview(raw)) > EVENT_BYTES_MAX:
        raise too_large("body", EVENT_BYTES_MAX)
    try:
        return _decode(raw)
    except msgspec.ValidationError as error:
        what, _, where = str(error).partition(" - at `$")
        field = where.rstrip("`").lstrip(".") or "body"
        raise BadInput("wrong_type", field, f"has the wrong type: {what}") from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise _malformed(bytes(raw), error) from None


def read_event(
    event: ClientEvent,
    type_: str | None,
    historical: bool,
    message: Message,
    new_id: Callable[[], str],
) -> Taken:
    """Check an event and write its record.

    `type_` is that of the address it came to (None: its own); `historical` counts where the event
    does not say itself; `new_id` makes its id where the client gave none. Raises `BadInput`.
    """
    kind = type_ or event.type or ""
    if kind not in TYPES:
        known = ", ".join(sorted(TYPES))
        raise BadInput("unknown_type", "type", f"must be one of {known}")
    name = event.event if kind == "track" else None
    if kind == "track" and not name:
        raise BadInput("missing_field", "event", "is missing: a track call names its event")
    user, anonymous = _ids(event, kind)
    lead = cast("str", user or anonymous)
    properties, said = _object("properties", event.properties)
    context, around = _object("context", event.context)
    traits, _ = _object("traits", event.traits)
    if kind == "identify" and traits is NO_JSON and "traits" in around:
        traits, _ = _object("context.traits", _decode_traits(context).traits)
    if name in MAIL_EVENTS and "message" in said:
        properties = _with_message(said, message(said["message"], lead))
    elif kind in ("page", "screen"):
        properties = _with_text(properties, said, name=event.name, category=event.category)
    elif kind == "group" and event.groupId is not None:
        properties = _with_text(
            properties, said, groupId=Raw(orjson.dumps(_text("groupId", event.groupId)))
        )
    value = Interaction(
        cast("Type", kind),
        event=name,
        userId=user,
        anonymousId=anonymous,
        properties=properties,
        traits=traits,
        context=context,
        timestamp=_timestamp(event),
        historical=historical if event.historical is None else event.historical,
    )
    return Taken(lead, _message_id(event) or new_id(), kind, ENCODE(value))


def _ids(event: ClientEvent, kind: str) -> tuple[str | None, str | None]:
    """User and anonymous id, checked; at least one is there.

    An alias tells the earlier id as `previousId`: it is the anonymous one of the pair.
    """
    user = _lead_id("userId", event.userId)
    anonymous = _lead_id("anonymousId", event.anonymousId)
    if kind == "alias":
        anonymous = _lead_id("previousId", event.previousId) or anonymous
    if user is None and anonymous is None:
        raise BadInput("missing_id", "userId", "and anonymousId are both missing: give one")
    return user, anonymous


def _lead_id(field: str, value: str | int | None) -> str | None:
    if value is None or value == "":
        return None
    text = str(value)
    if len(text) <= MAX_LEAD_ID_BYTES and text.isascii() and text.isprintable():
        return text
    problem = lead_id_problem(text)
    if problem is not None:
        raise BadInput("bad_id", field, problem)
    return text


def _text(field: str, value: str | int) -> str:
    text = str(value)
    if len(text) > MESSAGE_ID_CHARACTERS_MAX:
        most = MESSAGE_ID_CHARACTERS_MAX
        raise BadInput("bad_id", field, f"is longer than {most} characters")
    return text


def _message_id(event: ClientEvent) -> str | None:
    return None if event.messageId is None else _text("messageId", event.messageId)


def _timestamp(event: ClientEvent) -> str | None:
    """The event's own time as the client wrote it."""
    field = "timestamp" if event.timestamp else "originalTimestamp"
    text = event.timestamp or event.originalTimestamp
    if not text:
        return None
    try:
        datetime.fromisoformat(text)
    except ValueError:
        raise BadInput("bad_timestamp", field, "is not an ISO 8601 date and time") from None
    return text


def _object(field: str, raw: Raw) -> tuple[Raw, dict[str, Any]]:
    """A free-form part as it is passed on, and decoded; null and absent are alike.

    Its text is checked as strictly as its readers will: UTF-8, no lone surrogates, no NaN, numbers
    that a double can hold, at most `DEPTH_MAX` deep.
    """
    text = bytes(raw)
    if not text or text == b"null":
        return NO_JSON, _NOTHING
    if not text.startswith(b"{"):
        raise BadInput("wrong_type", field, "must be a JSON object")
    if deeper(text, DEPTH_MAX):
        raise BadInput("too_deep", field, f"is nested deeper than {DEPTH_MAX} levels")
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise BadInput("malformed_json", field, f"is not valid JSON ({error})") from None
    # A repeated key loses at least its two quotes when written again; an escaped quote may be
    # written in two ways, so texts with the longer one are not trusted to this count.
    again = orjson.dumps(value)
    if text.count(b'"') != again.count(b'"') or b"\\u0022" in text:
        return Raw(again), value
    return raw, value


def _with_message(said: dict[str, Any], content: dict[str, str] | None) -> Raw:
    """The properties with the token's content as `message`, or without it."""
    rest = {key: value for key, value in said.items() if key != "message"}
    return Raw(orjson.dumps(rest if content is None else rest | {"message": content}))


def _with_text(properties: Raw, said: dict[str, Any], **fields: Raw) -> Raw:
    """The properties with fields that some clients put beside them, where they are strings."""
    added = b",".join(
        b'"%s":%s' % (key.encode(), bytes(value))
        for key, value in fields.items()
        if key not in said and bytes(value).startswith(b'"') and _is_text(bytes(value))
    )
    if not added:
        return properties
    if not said:
        return Raw(b"{%s}" % added)
    return Raw(b"{%s,%s" % (added, bytes(properties).lstrip()[1:]))


def _is_text(raw: bytes) -> bool:
    try:
        orjson.loads(raw)
    except orjson.JSONDecodeError:
        return False
    return True


def _malformed(raw: bytes, error: Exception) -> BadInput:
    """What is wrong with an event that cannot be decoded; names the member that is to blame."""
    try:
        parts = members(raw)
    except ValueError:
        return BadInput("malformed_json", "body", f"is not valid JSON ({error})")
    for field, part in parts.items():
        if deeper(part, DEPTH_MAX):
            return BadInput("too_deep", field, f"is nested deeper than {DEPTH_MAX} levels")
        try:
            orjson.loads(part)
        except orjson.JSONDecodeError as found:
            return BadInput("malformed_json", field, f"is not valid JSON ({found})")
    return BadInput("malformed_json", "body", f"is not valid JSON ({error})")
