"""What the pages are made of, handed in by whoever serves them."""

from __future__ import annotations

from collections.abc import Sequence
from email.message import EmailMessage
from typing import Protocol

from msgspec import Struct

from app.clock import Clock
from app.collector.event_log import EventLog
from app.settings import Settings
from app.web.tail import Tail
from app.web.view import View


class CaughtMail(Protocol):
    """One mail of the embedded catcher; `at_ms` is log time."""

    number: int
    at_ms: int
    sender: str
    recipients: tuple[str, ...]
    raw: bytes

    @property
    def message(self) -> EmailMessage: ...
    @property
    def subject(self) -> str: ...
    @property
    def html(self) -> str: ...
    @property
    def text(self) -> str: ...


class Inbox(Protocol):
    """The embedded catcher, newest mail first; `total` counts what is no longer kept too."""

    total: int

    def mails(self, limit: int = ...) -> Sequence[CaughtMail]: ...
    def mail(self, number: int) -> CaughtMail | None: ...


class Parts(Struct, frozen=True):
    """`inbox` is None where mails go to a real mail server."""

    settings: Settings
    clock: Clock
    log: EventLog
    view: View
    tail: Tail
    inbox: Inbox | None = None
