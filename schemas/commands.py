"""What lies in `commands`: one outward action, complete; the sink looks nothing up but consent.

Header `schema: command/1`, header `id` the command's id, key the lead's id, in the partition
that has the lead's number (clarifications Q3).
"""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Struct

SCHEMA = "command/1"


class Command(Struct, frozen=True, omit_defaults=True):
    """One outward action.

    `channel`: `email`, `webhook` (later `sms`, `push`, `crm`, `notify`). `address` is None for
    channels without one. `template_digest` names the template's text in force at issue.
    `settings` are the step's own: `subject`, `from`, `to` for mail, `url`, `method`, `headers`,
    `body` for a webhook; Liquid sources, rendered by the sink with `data`. `data` holds the
    values, as of issue, of exactly the paths that those sources name, nested as the paths are
    (`{"lead": {"first_name": …}}`). Times are UTC milliseconds; `expires_ms` None means the sink's
    default (messages: 3 days after `due_ms`; off where a clock runs fast).
    """

    id: str
    journey_id: str
    campaign: str
    version: int
    run: int
    step: str
    lead: str
    verb: str
    channel: str
    due_ms: int
    issued_ms: int
    expires_ms: int | None = None
    address: str | None = None
    template: str | None = None
    template_digest: str | None = None
    settings: dict[str, Any] = {}
    data: dict[str, Any] = {}
    zone: str = "UTC"
    priority: int = 5
    transactional: bool = False


DECODE = msgspec.json.Decoder(Command).decode
ENCODE = msgspec.json.Encoder().encode


class Suppression(Struct, frozen=True, omit_defaults=True):
    """Value in `suppressions` (key: HMAC of address and channel); null lifts it."""

    channel: str
    reason: str
    at_ms: int
