"""The mail catcher: takes real SMTP, keeps the newest."""

from email.message import EmailMessage

import aiosmtplib

from app.clock import system_clock
from app.embedded import inbox as module
from app.embedded.inbox import Inbox, Mail


def message(number: int) -> EmailMessage:
    mail = EmailMessage()
    mail["From"], mail["To"] = "hello@lantern.example", f"ana-{number}@example.org"
    mail["Subject"] = f"Grüße {number}"
    mail.set_content("Als Text")
    mail.add_alternative("<p>Als <b>HTML</b></p>", subtype="html")
    return mail


async def send(address: str, mail: EmailMessage) -> None:
    host, _, port = address.partition(":")
    await aiosmtplib.send(mail, hostname=host, port=int(port))


async def test_a_mail_is_kept_with_its_parts() -> None:
    inbox = Inbox(system_clock())
    heard: list[Mail] = []
    inbox.on_mail = heard.append
    await inbox.start()
    try:
        await send(inbox.address, message(1))
    finally:
        await inbox.stop()
    (mail,) = inbox.mails()
    assert heard == [mail]
    assert (mail.number, mail.sender) == (1, "hello@lantern.example")
    assert mail.recipients == ("ana-1@example.org",)
    assert mail.subject == "Grüße 1"
    assert mail.text.strip() == "Als Text"
    assert "<b>HTML</b>" in mail.html
    assert inbox.mail(1) is mail
    assert inbox.mail(2) is None


async def test_only_the_newest_are_kept_and_all_are_counted() -> None:
    inbox = Inbox(system_clock())
    await inbox.start()
    try:
        host, _, port = inbox.address.partition(":")
        client = aiosmtplib.SMTP(hostname=host, port=int(port))
        await client.connect()
        for number in range(module.KEPT + 3):
            await client.send_message(message(number))
        await client.quit()
    finally:
        await inbox.stop()
    assert inbox.total == module.KEPT + 3
    kept = inbox.mails()
    assert len(kept) == module.KEPT
    assert [mail.number for mail in inbox.mails(2)] == [module.KEPT + 3, module.KEPT + 2]
    assert inbox.mail(3) is None
