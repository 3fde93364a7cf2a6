"""The mail catcher of `dripline up`: takes every mail over SMTP, keeps the last few, sends none."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from email import message_from_bytes, policy
from email.message import EmailMessage
from functools import cached_property
from typing import Any

from aiosmtpd.smtp import SMTP, Envelope, Session

from app.clock import Clock

KEPT = 500
MAIL_BYTES_MAX = 10 * 1024 * 1024


class Mail:
    """One caught mail. `number` counts from 1; `at_ms` is the log's time when it came."""

    def __init__(
        self, number: int, at_ms: int, sender: str, recipients: tuple[str, ...], raw: bytes
    ) -> None:
        self.number = number
        self.at_ms = at_ms
        self.sender = sender
        self.recipients = recipients
        self.raw = raw

    @cached_property
    def message(self) -> EmailMessage:
        """The mail, parsed."""
        parsed = message_from_bytes(self.raw, policy=policy.default)
        assert isinstance(parsed, EmailMessage)
        return parsed

    @property
    def subject(self) -> str:
        """The subject, decoded."""
        return str(self.message["Subject"] or "")

    @property
    def html(self) -> str:
        """The HTML part, or "" where there is none. Written by others: show it in a sandbox."""
        return self._part("html")

    @property
    def text(self) -> str:
        """The plain text part, or ""."""
        return self._part("plain")

    def _part(self, kind: str) -> str:
        part = self.message.get_body((kind,))
        content: Any = part.get_content() if part is not None else ""
        return content if isinstance(content, str) else ""


class Inbox:
    """Listens on a port of 127.0.0.1; `address` is `host:port` once started.

    `total` counts what came since the start; of it the newest `KEPT` are still there. `on_mail`,
    where it is set, is called for each, in the event loop.
    """

    def __init__(self, clock: Clock) -> None:
        self.on_mail: Callable[[Mail], None] | None = None
        self.address = ""
        self.total = 0
        self._clock = clock
        self._mails: deque[Mail] = deque(maxlen=KEPT)
        self._server: asyncio.Server | None = None

    async def start(self, port: int = 0) -> None:
        """Begin to listen; port 0 takes a free one."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(
            lambda: SMTP(
                self,
                hostname="localhost",
                ident="Dripline inbox",
                loop=loop,
                enable_SMTPUTF8=True,
                data_size_limit=MAIL_BYTES_MAX,
            ),
            "127.0.0.1",
            port,
        )
        self.address = f"127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    async def stop(self) -> None:
        """Stop listening."""
        if self._server is not None:
            self._server.close()

    def mails(self, limit: int = KEPT) -> list[Mail]:
        """The newest, newest first."""
        return list(self._mails)[: -limit - 1 : -1]

    def mail(self, number: int) -> Mail | None:
        """One by its number; None when it never was or is no longer kept."""
        return next((mail for mail in self._mails if mail.number == number), None)

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:
        """Take one mail."""
        raw = envelope.original_content or b""
        self.total += 1
        mail = Mail(
            self.total,
            self._clock.now_ms(),
            envelope.mail_from or "",
            tuple(envelope.rcpt_tos),
            raw,
        )
        self._mails.append(mail)
        if self.on_mail is not None:
            self.on_mail(mail)
        return "250 caught"
