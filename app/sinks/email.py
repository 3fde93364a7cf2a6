"""Mail by SMTP: one recipient a mail, and the point behind which nobody may send it again.

Until the server has asked for the content (354) it surely has no mail: whatever goes wrong then
may be tried again. When the connection dies after the final dot, it may have one: `Unsure`.
"""

from __future__ import annotations

import asyncio
import re

from aiosmtplib.errors import (
    SMTPDataError,
    SMTPException,
    SMTPRecipientRefused,
    SMTPResponseException,
    SMTPSenderRefused,
    SMTPServerDisconnected,
)

from app.mail import Mail, MailWriter
from app.sinks.port import Check
from app.sinks.smtp import Connection, Connections, Lease, Server
from schemas.commands import Command
from schemas.errors import Reject, Retry
from streams.delivery.calls import Delivered, Unsure

CONNECTIONS_MAX = 10
ANSWER_CHARACTERS_MAX = 150

_ENHANCED = re.compile(r"^\s*([245])\.(\d{1,3})\.(\d{1,3})\b")
# RFC 5321, of a recipient and without an enhanced code: no such mailbox, not local, no such name.
_NO_MAILBOX = (550, 551, 553)
_CLOSING = 421


class EmailSink:
    """Writes mails with `writer` and hands them to `server`, over at most `connections_max`."""

    def __init__(
        self, writer: MailWriter, server: Server, connections_max: int = CONNECTIONS_MAX
    ) -> None:
        self._writer = writer
        self._connections = Connections(server, connections_max)

    async def send(self, command: Command, check: Check) -> Delivered | Unsure:
        """See `app.sinks.port.Sink`."""
        mail = self._writer.write(command)
        lease = await self._connections.take()
        try:
            await self._offer(lease, mail, check)
            return await _transmit(lease.connection, mail)
        finally:
            self._connections.give_back(lease)

    async def close(self) -> None:
        """Say goodbye to the server."""
        await self._connections.close()

    async def _offer(self, lease: Lease, mail: Mail, check: Check) -> None:
        """MAIL, RCPT and DATA, on a fresh connection where the kept one turns out to be dead."""
        if mail.utf8 and not lease.connection.offers("smtputf8"):
            raise Reject("address: the mail server takes none with letters beyond ASCII")
        try:
            await _envelope(lease.connection, mail, check)
        except SMTPServerDisconnected:
            if not lease.connection.used:
                raise Retry("connection: the mail server hung up") from None
            await lease.renew()
            try:
                await _envelope(lease.connection, mail, check)
            except SMTPServerDisconnected:
                raise Retry("connection: the mail server hung up") from None


async def _envelope(connection: Connection, mail: Mail, check: Check) -> None:
    """Up to the server's wish for the content; a refusal leaves the connection usable."""
    check(mail.consent)
    try:
        await connection.envelope(mail.sender, mail.recipient, utf8=mail.utf8)
        await connection.begin_data()
    except SMTPServerDisconnected:
        raise
    except SMTPResponseException as error:
        if error.code == _CLOSING:
            connection.drop()
        else:
            await connection.reset()
        raise _refusal(error) from None
    except (SMTPException, OSError) as error:
        connection.drop()
        raise Retry(f"connection: {type(error).__name__}") from None
    except BaseException:
        connection.drop()
        raise


async def _transmit(connection: Connection, mail: Mail) -> Delivered | Unsure:
    """The content. A cancellation, too, leaves it open whether the server has it."""
    try:
        answer = await connection.end_data(mail.content)
    except SMTPResponseException as error:
        connection.drop()  # not SMTP what it said: whatever comes next would be mistaken
        return Unsure(f"connection: the mail server's answer was no answer, {error.code}")
    except (SMTPException, OSError, asyncio.CancelledError) as error:
        connection.drop()
        return Unsure(f"connection: {type(error).__name__} after the mail's end")
    if answer.code == _CLOSING:
        connection.drop()
    if answer.code != 250:
        raise _refusal(SMTPDataError(answer.code, answer.message))
    return Delivered(f"250 {_plain(answer.message)}")


def _refusal(answer: SMTPResponseException) -> Retry | Reject:
    """What a server's no means: 5xx for good, anything else for now.

    Enhanced class 5.1 is about an address (RFC 3463), but 5.1.7 and 5.1.8 about the sender's.
    """
    code, text = answer.code, answer.message
    reason = f"status: {code} {_plain(text)}"
    if not 500 <= code < 600:
        return Retry(reason)
    enhanced = _ENHANCED.match(text)
    if enhanced is None:
        bounced = code in _NO_MAILBOX and isinstance(answer, SMTPRecipientRefused)
    else:
        subject, detail = enhanced[2], enhanced[3]
        of_sender = isinstance(answer, SMTPSenderRefused) or detail in ("7", "8")
        bounced = subject == "1" and not of_sender
    return Reject(reason, bounced=bounced)


def _plain(text: str) -> str:
    return " ".join(text.split())[:ANSWER_CHARACTERS_MAX]
