"""What happened, as triggers and expressions see it: a decoded event, and an occurrence.

One record makes one `Occurrence` that all triggers are tried on; what steps change inwardly makes
further ones (campaign-language, "One record, step by step").
"""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

import msgspec
import orjson
from msgspec import Raw, Struct

from schemas.errors import DataError
from schemas.records import Interaction
from schemas.state import Entry
from streams.engine import bounds

SITE_TYPES = ("page", "screen")


def decoded(raw: Raw) -> dict[str, Any]:
    """The JSON object of a raw field; any other JSON counts as an empty one.

    Raises `DataError` where it is no JSON (`bad_json`) or nested too deep (`too_deep`).
    """
    if not raw:
        return {}
    data = bytes(raw)
    try:
        value = orjson.loads(data)
    except orjson.JSONDecodeError as error:
        raise DataError("bad_json", f"a part of the event is not JSON: {error}") from None
    if data.count(b"{") + data.count(b"[") > bounds.EVENT_DEPTH and _too_deep(value):
        raise DataError("too_deep", f"nested deeper than {bounds.EVENT_DEPTH} levels")
    return value if isinstance(value, dict) else {}


def _too_deep(value: Any) -> bool:
    level = [value]
    for _ in range(bounds.EVENT_DEPTH):
        level = [
            item
            for outer in level
            for item in (outer.values() if isinstance(outer, dict) else outer)
            if isinstance(item, dict | list)
        ]
    return bool(level)


class EventView:
    """An event whose properties and context are decoded when somebody asks."""

    __slots__ = ("_context", "_interaction", "_properties", "name")

    def __init__(self, interaction: Interaction) -> None:
        self.name = interaction.event or interaction.type
        self._interaction = interaction
        self._properties: dict[str, Any] | None = None
        self._context: dict[str, Any] | None = None

    @property
    def properties(self) -> dict[str, Any]:
        """The event's properties."""
        if self._properties is None:
            self._properties = decoded(self._interaction.properties)
        return self._properties

    @property
    def context(self) -> dict[str, Any]:
        """The event's context."""
        if self._context is None:
            self._context = decoded(self._interaction.context)
        return self._context


Event = EventView | Entry


class Message(Struct, gc=False):
    """The mail that was opened, clicked or answered: what the signed token said, else the
    template that the event names."""

    verb: str
    command: str = ""
    journey: str = ""
    step: str = ""
    template: str = ""
    url: str = ""


class Occurrence(Struct, gc=False, eq=False):
    """Everything that triggers can match about one thing that happened.

    `seq` orders it within a record: a wait is satisfied only by what happened after it was armed.
    `journey` is the one whose step brought it about.
    """

    event: Event | None = None
    seq: int = 0
    journey: str = ""
    name: str | None = None
    page: str | None = None
    url: str | None = None
    referrer: str | None = None
    form: str | None = None
    download: str | None = None
    message: Message | None = None
    joined: tuple[str, ...] = ()
    left: tuple[str, ...] = ()
    points: tuple[float, float] | None = None
    fields: dict[str, tuple[Any, Any]] | None = None
    lost: tuple[tuple[str, str], ...] = ()
    spent: tuple[str, ...] = ()
    created: bool = False
    called: str | None = None
    event_at: int | None = None

    def index_keys(self) -> list[tuple[str, str]]:
        """Where to look in the trigger index."""
        keys: list[tuple[str, str]] = []
        if self.name is not None:
            keys.append(("event", self.name))
        if self.page is not None or self.url is not None:
            keys.append(("page", ""))
        if self.form is not None:
            keys.append(("form", self.form))
        if self.download is not None:
            keys.append(("download", ""))
        if self.message is not None:
            keys.append((self.message.verb, ""))
        keys += [("joins", name) for name in self.joined]
        keys += [("leaves", name) for name in self.left]
        if self.points is not None:
            keys.append(("points", ""))
        if self.fields:
            keys += [("field", name) for name in self.fields]
        keys += [("lost", why) for _, why in self.lost]
        keys += [("spent", key) for key in self.spent]
        if self.created:
            keys.append(("created", ""))
        if self.called is not None:
            keys.append(("called", self.called))
        return keys


class _PageFields(Struct, gc=False):
    path: Any = None
    url: Any = None
    referrer: Any = None


class _PageContext(Struct, gc=False):
    page: _PageFields | None = None


_decode_fields = msgspec.json.Decoder(_PageFields).decode
_decode_context = msgspec.json.Decoder(_PageContext).decode


def names_zone(interaction: Interaction) -> bool:
    """Whether the browser's zone may be in the context."""
    return b'"timezone"' in bytes(interaction.context)


class Page(Struct, gc=False):
    """Where an event happened: path without query and fragment, full URL, referrer."""

    path: str
    url: str = ""
    referrer: str = ""


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


_UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


def _fields(raw: Raw) -> _PageFields:
    try:
        return _decode_fields(raw) if raw else _PageFields()
    except _UNREADABLE:
        return _PageFields()


def _context_fields(raw: Raw) -> _PageFields:
    try:
        return (_decode_context(raw).page if raw else None) or _PageFields()
    except _UNREADABLE:
        return _PageFields()


def path_of(text: str) -> str:
    """The path of a path or URL, without query and fragment; "/" for a bare host."""
    if "://" in text:
        try:
            return urlsplit(text).path or "/"
        except ValueError:
            return ""
    return text.split("#", 1)[0].split("?", 1)[0]


def page_of(interaction: Interaction) -> Page | None:
    """The page of an interaction, or None when it names none.

    `properties.path`, else the path of `properties.url`, else `context.page.path` (interfaces,
    Events); a tracked event's own properties name no page, so only its context is asked.
    """
    own = _fields(interaction.properties) if interaction.type in SITE_TYPES else _PageFields()
    path = _text(own.path)
    url = _text(own.url)
    referrer = _text(own.referrer)
    if not path or not url or not referrer:
        around = _context_fields(interaction.context)
        path = path or (path_of(url) if url else "") or _text(around.path)
        path = path or path_of(_text(around.url))
        url = url or _text(around.url)
        referrer = referrer or _text(around.referrer)
    if not path and not url:
        return None
    return Page(path_of(path), url, referrer)
