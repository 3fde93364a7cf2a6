"""The three addresses in a mail: open pixel, click, unsubscribe; each is a signed token.

Only a token makes a record say which message it means. HEAD never acts, and GET never unsubscribes
(RFC 8058: scanners follow every link). A reader is never kept from an image or a page by trouble
with the broker; an unsubscribe is confirmed only when the block and the record are durable.
"""

from __future__ import annotations

import asyncio
from base64 import b64encode
from collections.abc import Sequence
from hashlib import sha256

import orjson
from msgspec import Raw

from app import logs, metrics
from app.clock import Clock, new_id
from app.collector import records
from app.collector.answers import NO_STORE, Header, send_bytes, send_unavailable
from app.collector.body import BodyReader, Receive, Scope, Send
from app.collector.event_log import Append, EventLog
from app.collector.refusals import Unavailable
from app.tokens import Link, Tokens
from schemas.ids import record_id
from schemas.records import Interaction

_log = logs.log(__name__)

PATIENCE_SECONDS = 2.0  # how long a reader waits for the broker before an image or a page
USER_AGENT_CHARACTERS_MAX = 512
PIXEL = bytes.fromhex(
    "47494638396101000100800000000000ffffff21f90401000000002c00000000010001000002024401003b"
)
_PRIVATE: tuple[Header, ...] = (
    NO_STORE,
    (b"referrer-policy", b"no-referrer"),
    (b"x-robots-tag", b"noindex"),
)
_STYLE = (
    ":root{color-scheme:light dark;font:1rem/1.5 system-ui,sans-serif}"
    "main{max-width:32rem;margin:15vh auto;padding:0 1rem;text-align:center}"
    "button{font:inherit;padding:.6rem 1.6rem;cursor:pointer}"
)
_STYLE_HASH = b64encode(sha256(_STYLE.encode()).digest()).decode()
_PAGE: tuple[Header, ...] = (
    *_PRIVATE,
    (b"content-type", b"text/html; charset=utf-8"),
    (
        b"content-security-policy",
        f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; form-action 'self'; "
        "frame-ancestors 'none'; base-uri 'none'".encode(),
    ),
)


class Links:
    """Answers `/o/{token}.gif`, `/c/{token}` and `/u/{token}`."""

    def __init__(self, log: EventLog, tokens: Tokens, clock: Clock, bodies: BodyReader) -> None:
        self._bodies = bodies
        self._log = log
        self._tokens = tokens
        self._clock = clock
        self._telling: set[asyncio.Task[bool]] = set()

    def message(self, said: object, lead: str) -> dict[str, str] | None:
        """What a token in a client's event says, when it is ours and means this lead."""
        link = self._tokens.read(said) if isinstance(said, str) else None
        return link.message() if link is not None and link.lead == lead else None

    async def opened(self, scope: Scope, token: str, send: Send) -> int:
        """The pixel; 503, with the pixel all the same, when the open may be lost."""
        link = self._tokens.read(token.removesuffix(".gif"), "open")
        if link is None:
            return await _not_found(send)
        status = 200
        if scope["method"] == "GET" and not await self._tell(scope, link, "Email Opened"):
            status = 503
        await send_bytes(send, status, PIXEL, *_PRIVATE, (b"content-type", b"image/gif"))
        return status

    async def clicked(self, scope: Scope, token: str, send: Send) -> int:
        """On to the signed address, whether or not the broker could be told."""
        link = self._tokens.read(token, "click")
        if link is None:
            return await _not_found(send)
        if scope["method"] == "GET":
            await self._tell(scope, link, "Email Link Clicked")
        await send_bytes(send, 302, b"", *_PRIVATE, (b"location", link.url.encode("ascii")))
        return 302

    async def unsubscribe(self, scope: Scope, token: str, receive: Receive, send: Send) -> int:
        """GET shows a page with a button; POST, the button or a mail program's, acts."""
        link = self._tokens.read(token, "unsubscribe")
        if link is None:
            return await _not_found(send)
        if scope["method"] != "POST":
            await _send_page(send, 200, _CONFIRM)
            return 200
        await self._bodies.read(
            receive
        )  # `List-Unsubscribe=One-Click`; what it says does not matter
        try:
            await self._log.append(self._unsubscribed(scope, link))
        except Unavailable as error:
            await send_unavailable(send, error)
            return 503
        metrics.EVENTS_ACCEPTED.labels("track").inc()
        await _send_page(send, 200, _DONE)
        return 200

    def _unsubscribed(self, scope: Scope, link: Link) -> Sequence[Append]:
        """The block and the record; the same ids each time, so a second click changes nothing."""
        id = record_id("unsubscribed", link.command_id, link.channel)
        properties = {"channel": link.channel, "message": link.message()}
        record = self._record(scope, link, "Unsubscribed", properties, id)
        if not link.address_key:
            return (record,)
        now = self._clock.now_ms()
        return (records.suppression(link.address_key, link.channel, now), record)

    async def _tell(self, scope: Scope, link: Link, event: str) -> bool:
        """Append an open or a click; False when it is not known to be durable in time.

        It goes on in the background then, and is counted as lost only when it fails.
        """
        properties: dict[str, object] = {"message": link.message()}
        if link.url:
            properties["link_url"] = link.url
        record = self._record(scope, link, event, properties, new_id())
        task = asyncio.create_task(self._append(record, link.kind))
        self._telling.add(task)
        task.add_done_callback(self._telling.discard)
        await asyncio.wait({task}, timeout=PATIENCE_SECONDS)
        return task.done() and task.result()

    async def _append(self, record: Append, kind: str) -> bool:
        try:
            await self._log.append((record,))
        except Unavailable as error:
            metrics.LINK_EVENTS_LOST.labels(kind).inc()
            _log.warning("an open or a click is lost", kind=kind, reason=error.reason)
            return False
        metrics.EVENTS_ACCEPTED.labels("track").inc()
        return True

    def _record(self, scope: Scope, link: Link, event: str, properties: object, id: str) -> Append:
        """The lead is the record's key alone: the link knows no user or anonymous id."""
        agent = _user_agent(scope)
        value = Interaction("track", event=event, properties=Raw(orjson.dumps(properties)))
        if agent:
            value.context = Raw(orjson.dumps({"userAgent": agent}))
        return records.body(link.lead, id, value, self._log.partitions)


def _user_agent(scope: Scope) -> str:
    for name, value in scope["headers"]:
        if name == b"user-agent":
            text: str = value.decode("latin-1")
            return text[:USER_AGENT_CHARACTERS_MAX]
    return ""


async def _not_found(send: Send) -> int:
    await _send_page(send, 404, "<h1>This link is not valid</h1><p>It may have been cut off.</p>")
    return 404


_CONFIRM = (
    "<h1>Unsubscribe</h1><p>You will get no more of these messages.</p>"
    '<form method="post"><input type="hidden" name="List-Unsubscribe" value="One-Click">'
    "<button>Unsubscribe</button></form>"
)
_DONE = "<h1>You are unsubscribed</h1><p>You can close this page.</p>"


async def _send_page(send: Send, status: int, content: str) -> None:
    page = (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>Unsubscribe</title><style>{_STYLE}</style></head>"
        f"<body><main>{content}</main></body></html>"
    )
    await send_bytes(send, status, page.encode(), *_PAGE)
