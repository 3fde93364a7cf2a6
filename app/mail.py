"""From a command to a mail: rendered, tracked, with a way out, as bytes for a mail server.

Nothing that a lead or an author writes can add a header or a recipient: headers are built by
`email.policy.SMTP`, which refuses line ends, and addresses are parsed and written anew.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from email.errors import HeaderParseError, NonASCIILocalPartDefect, ObsoleteHeaderDefect
from email.headerregistry import Address, HeaderRegistry, UnstructuredHeader
from email.message import EmailMessage
from email.policy import SMTP, EmailPolicy
from email.utils import format_datetime
from functools import lru_cache
from typing import Any

import css_inline
from inscriptis import get_text
from inscriptis.model.config import ParserConfig
from msgspec import Struct

from app.mail_links import MailLinks
from app.templates import Template, Templates, render
from app.tokens import Tokens
from schemas.commands import Command
from schemas.errors import Reject, Retry

SUBJECT_CHARACTERS_MAX = 500
HEADER_LINE_MAX = 990  # RFC 5322: 998 without the line's end
_INLINER = css_inline.CSSInliner(load_remote_stylesheets=False, keep_style_tags=True)
_TEXT_OF_HTML = ParserConfig(display_links=True)


class _Uri(UnstructuredHeader):
    """A header of URLs. The standard folding would turn a long one into encoded words."""

    def fold(self, *, policy: EmailPolicy) -> str:
        """One line, as it is."""
        header: Any = self
        return f"{header.name}: {header}{policy.linesep}"


_HEADERS = HeaderRegistry()
_HEADERS.map_to_type("list-unsubscribe", _Uri)  # type: ignore[arg-type]  # made a BaseHeader there
_POLICY = SMTP.clone(header_factory=_HEADERS)
_POLICY_UTF8 = _POLICY.clone(utf8=True)


class Mail(Struct, frozen=True):
    """A mail for one recipient. `utf8`: an address needs a server with SMTPUTF8.

    `consent` is the address whose key in `suppressions` counts.
    """

    sender: str
    recipient: str
    consent: str
    content: bytes
    utf8: bool


class MailWriter:
    """Writes mails; `address_key(channel, address)` gives the key in `suppressions`.

    `sender` is used where neither campaign nor step names one; `now_ms` is the log's time, which
    is what a mail's date shows.
    """

    def __init__(
        self,
        templates: Templates,
        tokens: Tokens,
        address_key: Callable[[str, str], str],
        *,
        base_url: str,
        sender: str,
        now_ms: Callable[[], int],
    ) -> None:
        self._templates = templates
        self._tokens = tokens
        self._address_key = address_key
        self._base_url = base_url
        self._sender = sender
        self._now_ms = now_ms

    def write(self, command: Command) -> Mail:
        """The mail of a command.

        Raises `Retry` when its template is not there yet, `Reject` when the template or an
        address is bad.
        """
        template = self._templates.by_digest(command.template_digest)
        if template is None:
            raise Retry(f"template: {command.template!r} {command.template_digest} is not known")
        sender = _address(self._setting(command, "from") or self._sender, "the sender")
        recipient = self._recipient(command)
        consent = command.address or recipient.addr_spec
        key = self._address_key(command.channel, consent)
        links = MailLinks(command, self._tokens, self._base_url, key, self._now_ms())
        data = {**command.data, "unsubscribe_url": links.unsubscribe_url}
        text, html = _bodies(template, data, links, footer=not command.transactional)
        utf8 = not (sender.addr_spec.isascii() and recipient.addr_spec.isascii())
        message = EmailMessage(policy=_POLICY_UTF8 if utf8 else _POLICY)
        message["From"] = sender
        message["To"] = recipient
        message["Subject"] = _subject(command, template, data)
        message["Date"] = format_datetime(datetime.fromtimestamp(self._now_ms() / 1000, UTC))
        message["Message-ID"] = f"<{command.id}@{sender.domain}>"
        if not command.transactional:
            _add_way_out(message, links.unsubscribe_url)
        if text or not html:
            message.set_content(text, cte="quoted-printable")
        if html:
            add = message.add_alternative if text else message.set_content
            add(html, subtype="html", cte="quoted-printable")
        return Mail(sender.addr_spec, recipient.addr_spec, consent, bytes(message), utf8)

    def _recipient(self, command: Command) -> Address:
        """A `to` of the step, else the lead's address, which then is what has bounced."""
        if command.settings.get("to") is not None:
            return _address(self._setting(command, "to"), "the recipient")
        try:
            return _address(command.address or "", "the lead's address")
        except Reject as error:
            raise Reject(error.reason, bounced=True) from None

    def _setting(self, command: Command, name: str) -> str:
        source = command.settings.get(name)
        return render(source, command.data, name).strip() if isinstance(source, str) else ""


def _subject(command: Command, template: Template, data: dict[str, Any]) -> str:
    own = command.settings.get("subject")
    source = own if isinstance(own, str) and own else template.subject
    subject = render(source, data, "subject") or template.name
    # Line ends and tabs of a template file are layout; other control characters mean harm.
    plain = "".join(char if char.isprintable() else " " for char in subject)
    return " ".join(plain.split())[:SUBJECT_CHARACTERS_MAX]


def _bodies(
    template: Template, data: dict[str, Any], links: MailLinks, *, footer: bool
) -> tuple[str, str]:
    """Text and HTML; either is "" when there is none. Without a text of its own, HTML gives it."""
    html = ""
    if template.html:
        html = render(template.html, data, template.name, html=True)
        if template.needs_inlining and "<style" in html.lower():
            html = _INLINER.inline(html)
        html = links.html(html, footer=footer)
    if template.text:
        text = links.text(render(template.text, data, template.name), footer=footer)
    elif html:
        text = links.text(get_text(html, _TEXT_OF_HTML), footer=footer)
    else:
        text = links.text("", footer=footer)
    return text, html


def _add_way_out(message: EmailMessage, url: str) -> None:
    """One-click unsubscribing, RFC 8058; an address too long for a header line is left out."""
    value = f"<{url}>"
    if len(value) < HEADER_LINE_MAX - len("List-Unsubscribe: "):
        message["List-Unsubscribe"] = value
        message["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"


@lru_cache(maxsize=1024)  # the sender is the same for all, and parsing is dear
def _address(text: str, what: str) -> Address:
    """Exactly one address, written anew; its domain in ASCII (IDNA).

    Raises `Reject` for none, several, or one with a control character.
    """
    if not text.isprintable():
        raise Reject(f"address: {what} holds a control character")
    try:
        parsed: Any = _HEADERS("to", text)
    except (HeaderParseError, IndexError, AttributeError, TypeError, ValueError, RecursionError):
        # The standard library's parser stumbles over some texts instead of refusing them.
        raise Reject(f"address: {what} is no mail address") from None
    if len(parsed.addresses) > 1 or any(group.display_name for group in parsed.groups):
        raise Reject(f"address: {what} must be exactly one mail address")
    # Of what cannot be parsed whole, the part that can would be somebody else's address.
    if not parsed.addresses or not all(_harmless(defect) for defect in parsed.defects):
        raise Reject(f"address: {what} is no mail address")
    found: Address = parsed.addresses[0]
    too_long = len(found.username) > 64 or len(found.addr_spec) > 254  # RFC 5321, 4.5.3.1
    if not found.username or not found.domain or " " in found.addr_spec or too_long:
        raise Reject(f"address: {what} is no mail address")
    try:
        domain = found.domain.encode("idna").decode()
        return Address(found.display_name, found.username, domain)
    except (ValueError, UnicodeError):
        raise Reject(f"address: {what} is no mail address") from None


def _harmless(defect: Exception) -> bool:
    """Letters beyond ASCII, and a name like `Ana B.` unquoted: the mail has them in proper form."""
    return isinstance(defect, NonASCIILocalPartDefect | ObsoleteHeaderDefect)
