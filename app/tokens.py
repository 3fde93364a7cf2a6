"""Signed links in mails: the open pixel, clicks and unsubscribing.

A token says which message is meant and nobody else can make one: delivery signs, the collector
verifies and writes the content as `properties.message` (clarifications Q5). It is not secret: it
holds the lead's id and, for clicks, the address to go to, but never a mail address.

Form: `1` (version), content, `.`, signature; content is msgpack, both parts are base64url. The
signature is the first 16 bytes of HMAC-SHA256 with a key derived from DRIPLINE_SECRET. Tokens do
not expire: an unsubscribe link must work for as long as the mail is kept.
"""

from __future__ import annotations

import binascii
import hmac
from hashlib import sha256
from typing import Literal
from urllib.parse import quote, urlsplit

import msgspec
from msgspec import Struct

from schemas.errors import UsageError

Kind = Literal["open", "click", "unsubscribe"]

VERSION = "1"
TOKEN_CHARACTERS_MAX = 6_000
URL_CHARACTERS_MAX = 2_048
_SIGNATURE_BYTES = 16
_PURPOSE = b"dripline link token 1"
_ALPHABET = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")
_TO_URLSAFE = bytes.maketrans(b"+/", b"-_")
_FROM_URLSAFE = bytes.maketrans(b"-_", b"+/")
# Everything of a URL's own syntax stays as it is; what a header cannot hold is escaped.
_URL_SAFE = "!#$%&'()*+,/:;=?@[]~"


class Link(Struct, frozen=True, array_like=True):
    """What a token says.

    `lead` is the key of the records that it leads to. `sent_ms` is when the message was rendered
    (log time). `url` only for clicks (http or https); `address_key` only for unsubscribing: the
    key in `suppressions`, the hex HMAC of channel and address.
    """

    kind: Kind
    command_id: str
    journey_id: str
    step: str
    template: str
    lead: str
    channel: str
    sent_ms: int
    url: str = ""
    address_key: str = ""

    def message(self) -> dict[str, str]:
        """`properties.message` of the event that using the link makes."""
        return {
            "command_id": self.command_id,
            "journey_id": self.journey_id,
            "step": self.step,
            "template": self.template,
        }


class Tokens:
    """Makes and reads tokens with one installation's secret."""

    def __init__(self, secret: bytes) -> None:
        """Derive the key; `UsageError` when there is no secret to derive it from."""
        if not secret:
            raise UsageError("links cannot be signed without DRIPLINE_SECRET")
        self._key = hmac.digest(secret, _PURPOSE, sha256)

    def make(self, link: Link) -> str:
        """The token of a link, made of `A-Z a-z 0-9 - _ .` alone.

        Raises `ValueError` for a click whose `url` is not http or https or is longer than
        `URL_CHARACTERS_MAX`.
        """
        if link.kind == "click":
            link = msgspec.structs.replace(link, url=web_url(link.url))
        content = msgspec.msgpack.encode(link)
        return f"{VERSION}{_encoded(content)}.{_encoded(self._signature(content))}"

    def read(self, token: str, kind: Kind | None = None) -> Link | None:
        """What a token says; None for one that we did not sign, or of another kind."""
        if len(token) > TOKEN_CHARACTERS_MAX or not token.startswith(VERSION):
            return None
        body, _, signature = token[len(VERSION) :].partition(".")
        try:
            content, given = _decoded(body), _decoded(signature)
        except ValueError:
            return None
        if not hmac.compare_digest(self._signature(content), given):
            return None
        link = _decode(content)
        return link if kind is None or link.kind == kind else None

    def _signature(self, content: bytes) -> bytes:
        return hmac.digest(self._key, content, sha256)[:_SIGNATURE_BYTES]


def web_url(url: str) -> str:
    """An absolute http or https URL that a header can hold, or `ValueError`."""
    escaped = quote(url.strip(), safe=_URL_SAFE)
    parts = urlsplit(escaped)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("a link must be an absolute http or https URL")
    if len(escaped) > URL_CHARACTERS_MAX:
        raise ValueError(f"a link is longer than {URL_CHARACTERS_MAX} characters")
    return escaped


_decode = msgspec.msgpack.Decoder(Link).decode


def _encoded(data: bytes) -> str:
    plain = binascii.b2a_base64(data, newline=False).rstrip(b"=")
    return plain.translate(_TO_URLSAFE).decode()


def _decoded(text: str) -> bytes:
    """Bytes of unpadded base64url; `ValueError` for anything else."""
    if not _ALPHABET.issuperset(text):
        raise ValueError("not base64url")
    padded = text.encode("ascii").translate(_FROM_URLSAFE) + b"=" * (-len(text) % 4)
    return binascii.a2b_base64(padded, strict_mode=True)
