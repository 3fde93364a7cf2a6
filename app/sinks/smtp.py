"""Connections to the mail server: kept while there is work, STARTTLS where it is offered."""

from __future__ import annotations

import asyncio
import re
from typing import Literal
from urllib.parse import unquote, urlsplit

from aiosmtplib import SMTP
from aiosmtplib.errors import (
    SMTPAuthenticationError,
    SMTPException,
    SMTPResponseException,
    SMTPServerDisconnected,
)
from aiosmtplib.response import SMTPResponse
from msgspec import Struct

from schemas.errors import Retry

StartTls = Literal["auto", "required", "off"]

_LINE_STARTS = re.compile(rb"(?m)^\.")


class Server(Struct, frozen=True):
    """Where mail goes. `step_seconds` bounds each answer but the last, `end_seconds` that one."""

    host: str
    port: int
    user: str | None = None
    password: str | None = None
    tls: bool = False
    starttls: StartTls = "auto"
    step_seconds: float = 30.0
    end_seconds: float = 60.0


def server_of(url: str, starttls: StartTls = "auto") -> Server:
    """The server of `smtp://[user:pass@]host[:port]`; `smtps://` speaks TLS from the start."""
    parts = urlsplit(url)
    tls = parts.scheme == "smtps"
    return Server(
        host=parts.hostname or "",
        port=parts.port or (465 if tls else 25),
        user=unquote(parts.username) if parts.username else None,
        password=unquote(parts.password) if parts.password else None,
        tls=tls,
        starttls=starttls,
    )


class Connection:
    """One SMTP session. `used` tells that it has carried a mail before."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self.used = False
        self._smtp = SMTP(
            hostname=server.host,
            port=server.port,
            username=server.user,
            password=server.password,
            use_tls=server.tls,
            start_tls={"auto": None, "required": True, "off": False}[server.starttls]
            if not server.tls
            else False,
            timeout=server.step_seconds,
            local_hostname="localhost",
        )

    async def open(self) -> None:
        """Connect, greet, secure, log in.

        Raises `Retry` whatever goes wrong: it is never about one mail, and a person can mend it.
        """
        try:
            await self._smtp.connect()
            await self._smtp._ehlo_or_helo_if_needed()
        except SMTPAuthenticationError as error:
            raise Retry(f"login: the mail server refused it, {error.code}") from None
        except SMTPResponseException as error:
            raise Retry(f"greeting: the mail server said {error.code}") from None
        except (SMTPException, OSError, ValueError) as error:
            raise Retry(f"connection: {type(error).__name__}") from None

    @property
    def usable(self) -> bool:
        """As far as we know, the server still listens."""
        return self._smtp.is_connected

    def offers(self, extension: str) -> bool:
        """Whether the server has an extension."""
        return self._smtp.supports_extension(extension)

    async def envelope(self, sender: str, recipient: str, *, utf8: bool) -> None:
        """MAIL and RCPT. Raises aiosmtplib's errors."""
        options = ["SMTPUTF8"] if utf8 else []
        encoding = "utf-8" if utf8 else "ascii"
        await self._smtp.mail(sender, options=options, encoding=encoding)
        await self._smtp.rcpt(recipient, encoding=encoding)

    async def begin_data(self) -> None:
        """DATA. Until this has returned the server surely has no mail."""
        answer = await self._smtp.execute_command(b"DATA")
        if answer.code != 354:
            raise SMTPResponseException(answer.code, answer.message)

    async def end_data(self, content: bytes) -> SMTPResponse:
        """The mail and its final dot; the server's answer. An error leaves it open who has it."""
        protocol = self._smtp.protocol
        if protocol is None:
            raise SMTPServerDisconnected("connection lost")
        self.used = True
        protocol.write(_LINE_STARTS.sub(b"..", content) + b".\r\n")
        return await protocol.read_response(timeout=self._server.end_seconds)

    async def reset(self) -> None:
        """Forget the envelope; what does not work out shows at the next use."""
        try:
            await self._smtp.rset()
        except (SMTPException, OSError):
            self.drop()

    def drop(self) -> None:
        """Hang up."""
        self._smtp.close()

    async def quit(self) -> None:
        """Say goodbye, if the server still listens."""
        try:
            await self._smtp.quit(timeout=2.0)
        except (SMTPException, OSError):
            self.drop()


class Lease:
    """The use of one connection; `renew` takes a fresh one in its place."""

    def __init__(self, server: Server, connection: Connection) -> None:
        self._server = server
        self.connection = connection

    async def renew(self) -> None:
        """Hang up and connect anew. Raises `Retry`."""
        self.connection.drop()
        self.connection = await _connected(self._server)


class Connections:
    """At most `most` at once; the one that was used last is used next."""

    def __init__(self, server: Server, most: int) -> None:
        self._server = server
        self._idle: list[Connection] = []
        self._free = asyncio.Semaphore(most)

    async def take(self) -> Lease:
        """A connection that was open a moment ago, or a new one. Raises `Retry`."""
        await self._free.acquire()
        try:
            while self._idle:
                connection = self._idle.pop()
                if connection.usable:
                    return Lease(self._server, connection)
            return Lease(self._server, await _connected(self._server))
        except BaseException:
            self._free.release()
            raise

    def give_back(self, lease: Lease) -> None:
        """Done with it, whatever has become of it."""
        self._free.release()
        if lease.connection.usable:
            self._idle.append(lease.connection)  # the server ends those it finds idle for too long

    async def close(self) -> None:
        """Say goodbye on the idle ones."""
        idle, self._idle = self._idle, []
        for connection in idle:
            await connection.quit()


async def _connected(server: Server) -> Connection:
    connection = Connection(server)
    try:
        await connection.open()
    except BaseException:
        connection.drop()
        raise
    return connection
