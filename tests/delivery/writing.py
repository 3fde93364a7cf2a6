"""Templates, tokens and a `MailWriter` for tests."""

from __future__ import annotations

from typing import Any

from app.mail import MailWriter
from app.templates import Templates
from app.tokens import Tokens
from schemas import changes
from schemas.changes import Change
from streams.partition import suppression
from streams.ports import StoredRecord
from tests.delivery.bench import NOW

SECRET = b"a secret of this test"
BASE_URL = "https://mail.example.com"
TOKENS = Tokens(SECRET)


def address_key(channel: str, address: str) -> str:
    """Derive the key as the collector and the engine do."""
    return suppression.key(SECRET, channel, address).decode()


def templates(**named: dict[str, Any]) -> Templates:
    """Make templates whose digest is their name."""
    known = Templates()
    for number, (name, document) in enumerate(named.items()):
        change = Change("template", name, "publish", document, name)
        known.heard(StoredRecord(number, NOW, change.key.encode(), changes.ENCODE(change)))
    return known


def writer(known: Templates, sender: str = "Dripline <no-reply@example.com>") -> MailWriter:
    """Make a writer of mails."""
    return MailWriter(
        known, TOKENS, address_key, base_url=BASE_URL, sender=sender, now_ms=lambda: NOW
    )
