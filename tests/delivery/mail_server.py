"""A real SMTP server (aiosmtpd) that fails as it is told to, per recipient."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

from aiosmtpd.smtp import SMTP, Envelope, Session


class MailServer:
    """Takes mails. `faults` maps a recipient's local part to what happens to it.

    A fault is `(stage, answer)`: at `mail`, `rcpt` or `data` the server answers so. Answer `drop`
    hangs up without one, `hang` gives none; `late-drop` and `hang-taken` (at data) take the mail
    first.
    `times` of them are left (default: for ever).
    """

    def __init__(self) -> None:
        self.mails: list[tuple[str, tuple[str, ...], EmailMessage]] = []
        self.raw: list[bytes] = []
        self.faults: dict[str, tuple[str, str]] = {}
        self.times: dict[str, int] = {}
        self.sessions = 0
        self.seen: Counter[str] = Counter()
        self.hanging = asyncio.Event()
        self.options: dict[str, Any] = {}
        self.port = 0
        self._protocols: list[SMTP] = []

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[MailServer]:
        """Listen while the block runs."""
        loop = asyncio.get_running_loop()
        server = await loop.create_server(self._protocol, "127.0.0.1", self.port)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            server.close()
            self.hang_up()
            await asyncio.sleep(0)

    def hang_up(self) -> None:
        """Close every connection that is open."""
        for protocol in self._protocols:
            if protocol.transport is not None:
                protocol.transport.abort()
        self._protocols = []

    def fault(self, local_part: str, stage: str, answer: str, times: int = 10_000) -> None:
        """Let something go wrong for one recipient."""
        self.faults[local_part] = (stage, answer)
        self.times[local_part] = times

    def _protocol(self) -> SMTP:
        self.sessions += 1
        protocol = SMTP(
            self, hostname="mail.test", loop=asyncio.get_running_loop(),
            **{"enable_SMTPUTF8": True, **self.options},
        )  # fmt: skip
        self._protocols.append(protocol)
        return protocol

    async def _fails(self, stage: str, server: SMTP, recipient: str) -> str | None:
        local_part = recipient.partition("@")[0]
        at, answer = self.faults.get(local_part, ("", ""))
        if at != stage or self.times.get(local_part, 0) <= 0:
            return None
        self.times[local_part] -= 1
        if answer == "hang":
            self.hanging.set()
            await asyncio.sleep(3_600)
        if answer == "drop":
            server.transport.abort()
            return "421 gone"
        if answer.startswith("421"):
            server.transport.write(answer.encode() + b"\r\n")
            server.transport.close()
        return answer

    async def handle_RCPT(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        self.seen[address] += 1
        answer = await self._fails("rcpt", server, address)
        if answer is None:
            envelope.rcpt_tos.append(address)
        return answer or "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        (recipient,) = envelope.rcpt_tos
        answer = await self._fails("data", server, recipient)
        if answer not in (None, "late-drop", "hang-taken"):
            return answer
        content = envelope.original_content
        assert isinstance(content, bytes)
        message = message_from_bytes(content, policy=policy.default)
        assert isinstance(message, EmailMessage)
        self.raw.append(content)
        self.mails.append((str(envelope.mail_from), tuple(envelope.rcpt_tos), message))
        if answer == "late-drop":
            server.transport.abort()
        if answer == "hang-taken":
            await asyncio.sleep(3_600)
        return "250 taken"

    def part(self, kind: str, index: int = -1) -> str:
        """The text of the newest mail's part: `plain` or `html`."""
        body = self.mails[index][2].get_body((kind,))
        assert body is not None
        text: str = body.get_content()
        return text


Fixture = Callable[[], Any]
