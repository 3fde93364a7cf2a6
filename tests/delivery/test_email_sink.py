"""Mail through a real SMTP server that answers well, badly, late or not at all."""

from __future__ import annotations

import asyncio
import ssl
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from app.sinks.email import EmailSink
from app.sinks.port import AddressBlocked
from app.sinks.smtp import Server, server_of
from schemas.commands import Command
from schemas.errors import Reject, Retry
from streams.delivery.calls import Delivered, Unsure
from tests.delivery.bench import mail
from tests.delivery.mail_server import MailServer
from tests.delivery.writing import templates, writer

TEMPLATES = templates(
    welcome={
        "subject": "Hi {{ lead.name }}",
        "text": "Grüße\n.\n..dots\nbye",
        "html": "<p>Grüße</p>",
    }
)


def allowed(address: str | None) -> None:
    """Nobody is blocked."""


def command(n: int = 1, to: str = "ana", **changes: Any) -> Command:
    return mail(n, template_digest="welcome", address=f"{to}@example.org", **changes)


@pytest.fixture
async def server() -> AsyncIterator[MailServer]:
    async with MailServer().listening() as running:
        yield running


def sink(server: MailServer, connections_max: int = 4, **options: Any) -> EmailSink:
    fields: dict[str, Any] = {"step_seconds": 5.0, "end_seconds": 5.0, **options}
    return EmailSink(writer(TEMPLATES), Server("127.0.0.1", server.port, **fields), connections_max)


async def test_a_mail_arrives_whole(server: MailServer) -> None:
    way = sink(server)

    answer = await way.send(command(data={"lead": {"name": "Ana"}}), allowed)
    await way.close()

    assert answer == Delivered("250 taken")
    ((sender, recipients, message),) = server.mails
    assert (sender, recipients) == ("no-reply@example.com", ("ana@example.org",))
    assert message["Subject"] == "Hi Ana"
    assert message["Message-ID"] == f"<{command().id}@example.com>"
    assert server.part("plain").splitlines()[:4] == ["Grüße", ".", "..dots", "bye"]
    assert "<p>Grüße</p>" in server.part("html")


async def test_connections_are_kept_and_bounded(server: MailServer) -> None:
    way = sink(server, connections_max=3)

    await asyncio.gather(*(way.send(command(n), allowed) for n in range(20)))
    assert server.sessions == 3
    for n in range(20, 30):
        await way.send(command(n), allowed)
    await way.close()

    assert server.sessions == 3
    assert len(server.mails) == 30


@pytest.mark.parametrize(
    ("stage", "answer", "kind", "bounced"),
    [
        ("rcpt", "450 4.2.0 greylisted", Retry, None),
        ("rcpt", "452 too many", Retry, None),
        ("rcpt", "421 4.3.2 closing", Retry, None),
        ("rcpt", "550 5.1.1 no such user", Reject, True),
        ("rcpt", "550 no such user", Reject, True),
        ("rcpt", "550 5.7.1 blocked by policy", Reject, False),
        ("rcpt", "552 5.2.2 mailbox full", Reject, False),
        ("rcpt", "554 no", Reject, False),
        ("rcpt", "drop", Retry, None),
        ("data", "451 4.3.0 disk full", Retry, None),
        ("data", "550 5.1.1 no such user after all", Reject, True),
        ("data", "550 looks like spam", Reject, False),
        ("data", "554 5.6.0 looks like spam", Reject, False),
    ],
)
async def test_what_a_servers_no_means(
    server: MailServer, stage: str, answer: str, kind: type[Exception], bounced: bool | None
) -> None:
    way = sink(server)
    server.fault("bo", stage, answer)

    with pytest.raises(kind) as caught:
        await way.send(command(1, to="bo"), allowed)
    other = await way.send(command(2), allowed)
    await way.close()

    assert isinstance(other, Delivered)
    assert len(server.mails) == 1
    assert isinstance(caught.value, Retry | Reject)
    assert caught.value.reason.partition(":")[0] in ("status", "connection")
    if isinstance(caught.value, Reject):
        assert caught.value.bounced is bounced


@pytest.mark.parametrize("answer", ["late-drop", "drop", "421 4.3.2 going down"])
async def test_a_connection_that_dies_after_the_mails_end_leaves_it_open(
    server: MailServer, answer: str
) -> None:
    way = sink(server)
    server.fault("ana", "data", answer, times=1)

    if answer.startswith("421"):
        with pytest.raises(Retry, match="status: 421"):
            await way.send(command(), allowed)
    else:
        assert isinstance(await way.send(command(), allowed), Unsure)
    assert len(server.mails) == (1 if answer == "late-drop" else 0)
    assert isinstance(await way.send(command(2), allowed), Delivered)
    await way.close()


async def test_a_server_that_hangs_before_the_content_may_be_tried_again(
    server: MailServer,
) -> None:
    way = sink(server, step_seconds=0.3)
    server.fault("ana", "rcpt", "hang")

    with pytest.raises(Retry, match="connection: SMTPReadTimeoutError"):
        await way.send(command(), allowed)
    await way.close()


async def test_a_server_that_hangs_after_the_content_leaves_it_open(server: MailServer) -> None:
    way = sink(server, end_seconds=0.3)
    server.fault("ana", "data", "hang")

    assert isinstance(await way.send(command(), allowed), Unsure)
    await way.close()


@pytest.mark.parametrize(("stage", "sure"), [("rcpt", True), ("data", False)])
async def test_a_call_that_is_given_up_says_whether_the_mail_may_be_out(
    server: MailServer, stage: str, sure: bool
) -> None:
    way = sink(server)
    server.fault("ana", stage, "hang")
    call = asyncio.ensure_future(way.send(command(), allowed))
    await server.hanging.wait()

    call.cancel()

    if sure:
        with pytest.raises(asyncio.CancelledError):
            await call
    else:
        assert isinstance(await call, Unsure)
    assert isinstance(await way.send(command(2, to="bo"), allowed), Delivered)
    await way.close()


async def test_a_kept_connection_that_the_server_has_closed_costs_nothing(
    server: MailServer,
) -> None:
    way = sink(server)
    await way.send(command(1), allowed)
    for protocol in server._protocols:  # without a word, and we have not noticed
        protocol.transport.write(b"")
        protocol.transport.close()

    assert isinstance(await way.send(command(2), allowed), Delivered)
    await way.close()
    assert len(server.mails) == 2


async def test_no_server_is_a_reason_to_wait(server: MailServer) -> None:
    way = EmailSink(writer(TEMPLATES), Server("127.0.0.1", 1))

    with pytest.raises(Retry, match="connection: SMTPConnectError"):
        await way.send(command(), allowed)


async def test_a_name_without_an_address_is_a_reason_to_wait() -> None:
    way = EmailSink(writer(TEMPLATES), Server("no-such-host.invalid", 25))

    with pytest.raises(Retry, match="connection: "):
        await way.send(command(), allowed)


async def test_who_is_blocked_meanwhile_is_not_written_to(server: MailServer) -> None:
    way = sink(server)

    def blocked(address: str | None) -> None:
        assert address == "ana@example.org"
        raise AddressBlocked("unsubscribed")

    with pytest.raises(AddressBlocked):
        await way.send(command(), blocked)
    assert isinstance(await way.send(command(2), allowed), Delivered)
    await way.close()
    assert server.seen == {"ana@example.org": 1}


async def test_letters_beyond_ascii_need_a_server_that_takes_them() -> None:
    for offered in (True, False):
        server = MailServer()
        server.options = {"enable_SMTPUTF8": offered}
        async with server.listening():
            way = sink(server)
            if offered:
                assert isinstance(await way.send(command(to="jörg"), allowed), Delivered)
                assert server.mails[0][1] == ("jörg@example.org",)
            else:
                with pytest.raises(Reject, match="beyond ASCII"):
                    await way.send(command(to="jörg"), allowed)
            await way.close()


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Make a certificate for localhost that nobody trusts."""
    folder = tmp_path_factory.mktemp("tls")
    key, cert = folder / "key.pem", folder / "cert.pem"
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"),
            *("-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"),
            *("-keyout", str(key), "-out", str(cert)),
        ],
        check=True,
        capture_output=True,
    )
    return cert, key


def tls_server(certificate: tuple[Path, Path]) -> MailServer:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)
    server = MailServer()
    server.options = {"tls_context": context}
    return server


async def test_starttls_is_used_when_offered_and_the_certificate_is_checked(
    certificate: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    async with tls_server(certificate).listening() as server:
        distrusting = sink(server)
        with pytest.raises(Retry, match="connection: "):
            await distrusting.send(command(), allowed)

        monkeypatch.setenv("SSL_CERT_FILE", str(certificate[0]))
        trusting = sink(server)
        assert isinstance(await trusting.send(command(), allowed), Delivered)
        await trusting.close()

        refusing = sink(server, starttls="off")
        assert isinstance(await refusing.send(command(2), allowed), Delivered)
        await refusing.close()


async def test_starttls_that_is_required_and_not_offered_is_a_reason_to_wait(
    server: MailServer,
) -> None:
    way = sink(server, starttls="required")

    with pytest.raises(Retry, match="connection: "):
        await way.send(command(), allowed)


async def test_a_login_that_fails_is_mended_by_a_person() -> None:
    def refuse(server: object, session: object, envelope: object, mechanism: str, data: Any) -> Any:
        from aiosmtpd.smtp import AuthResult

        return AuthResult(success=data.password == b"right", handled=False)

    server = MailServer()
    server.options = {"authenticator": refuse, "auth_require_tls": False}
    async with server.listening():
        wrong = sink(server, user="me", password="wrong")
        with pytest.raises(Retry, match="login: "):
            await wrong.send(command(), allowed)
        right = sink(server, user="me", password="right")
        assert isinstance(await right.send(command(), allowed), Delivered)
        await right.close()


def test_the_settings_url_is_read() -> None:
    assert server_of("smtp://a%40b:p%3Ass@mail.example:2525") == Server(
        "mail.example", 2525, "a@b", "p:ss"
    )
    assert server_of("smtps://mail.example") == Server("mail.example", 465, tls=True)
    assert server_of("smtp://127.0.0.1").port == 25
