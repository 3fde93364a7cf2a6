"""What lies in `campaign-changes`: key `kind/id`, header `schema: change/1`, value a `Change`.

A change's number is its offset. In this topic everything that the engine must know besides a
lead's own log is said: campaigns, lists, templates (connectors later).
"""

from __future__ import annotations

from hashlib import blake2b
from typing import Any, Literal

import msgspec
from msgspec import Struct

SCHEMA = "change/1"


class Change(Struct, frozen=True, omit_defaults=True):
    """One change. `document` is the campaign's or list's YAML as plain data.

    For a template `document` is `{subject, html, text, mjml}` (Liquid sources, absent ones left
    out). `digest` is `digest_of(document)`: two publishes of the same document are one.
    """

    kind: Literal["campaign", "list", "template"]
    id: str
    do: Literal["publish"]
    document: dict[str, Any]
    digest: str
    by: str = ""

    @property
    def key(self) -> str:
        """The Kafka key."""
        return f"{self.kind}/{self.id}"


DECODE = msgspec.json.Decoder(Change).decode
ENCODE = msgspec.json.Encoder().encode


_canonical = msgspec.json.Encoder(order="sorted").encode


def digest_of(document: dict[str, Any]) -> str:
    """32 hex digits of a document's content; the order of its keys is no part of it."""
    return blake2b(_canonical(document), digest_size=16).hexdigest()
