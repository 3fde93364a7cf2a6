"""The collector as a raw ASGI application: no framework on the way of an event.

A request is dispatched by its path alone; `/v1/track`, `/v1/track/` and `/v1/t` are one address.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from prometheus_client import Counter

from app import metrics
from app.clock import Clock, new_id
from app.collector import records
from app.collector.answers import (
    send_json,
    send_preflight,
    send_refusal,
    send_success,
    send_unavailable,
)
from app.collector.batches import read_batch, read_single
from app.collector.body import BodyReader, Gone, Receive, Scope, Send
from app.collector.event_log import Append, EventLog
from app.collector.events import Type, decode_event, read_event
from app.collector.links import Links
from app.collector.refusals import BadInput, Unavailable
from app.collector.write_keys import WriteKeys
from app.health import health
from app.http import HEALTH_PATHS
from app.tokens import Tokens

_BATCH = "batch"
_IMPORT = "import"
_LETTERS: dict[str, Type | str] = {
    "t": "track", "p": "page", "s": "screen", "i": "identify", "a": "alias", "g": "group",
    "b": _BATCH,
}  # fmt: skip
ROUTES: dict[str, str] = {
    f"/v1/{name}": kind
    for letter, kind in (*_LETTERS.items(), (_IMPORT, _IMPORT))
    for name in (letter, kind)
}
_SETTINGS = ("/v1/projects/", "/settings")
# Reading and checking an event takes 5 to 10 µs; others get a turn in between.
_EVENTS_A_TURN = 250

Rejected = dict[str, object]


class Collector:
    """The application; it neither starts nor stops what it is given."""

    def __init__(
        self, log: EventLog, keys: WriteKeys, tokens: Tokens, clock: Clock, public_url: str
    ) -> None:
        self._log = log
        self._keys = keys
        self._clock = clock
        self._bodies = BodyReader()
        self._links = Links(log, tokens, clock, self._bodies)
        self._health = health(lambda: log.problem)
        scheme, _, rest = public_url.partition("://")
        self._scheme = scheme
        self._api_host = f"{rest}/v1"
        metrics.COLLECTOR_IN_FLIGHT.set_function(lambda: log.in_flight_bytes)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            return
        path: str = scope["path"]
        if path in HEALTH_PATHS:
            await self._health(scope, receive, send)
            return
        kind = ROUTES.get(path) or (ROUTES.get(path[:-1]) if path.endswith("/") else None)
        try:
            if kind is None:
                route, status = await self._other(scope, path, receive, send)
            else:
                route, status = kind, await self._events(scope, kind, receive, send)
        except BadInput as refusal:
            route, status = kind or "other", refusal.status
            metrics.EVENTS_REJECTED.labels(refusal.reason).inc()
            await send_refusal(send, refusal)
        except Unavailable as error:
            route, status = kind or "other", 503
            metrics.EVENTS_REJECTED.labels("unavailable").inc()
            await send_unavailable(send, error)
        except Gone:
            return
        _count(route, status)

    async def _events(self, scope: Scope, kind: str, receive: Receive, send: Send) -> int:
        method = scope["method"]
        if method == "OPTIONS":
            await send_preflight(send)
            return 204
        if method != "POST":
            return await _not_allowed(send, b"POST, OPTIONS")
        known = self._keys.in_headers(scope["headers"])
        body = await self._bodies.read(receive)
        began = self._clock.monotonic()
        if kind in (_BATCH, _IMPORT):
            rejected = await self._batch(body, known, scope["path"], kind == _IMPORT)
        else:
            await self._single(body, known, kind)
            rejected = []
        metrics.INGEST_LATENCY.observe(self._clock.monotonic() - began)
        if rejected:
            await send_json(send, 200, {"success": True, "rejected": rejected})
        else:
            await send_success(send)
        return 200

    async def _single(self, body: bytes, known: bool, kind: str) -> None:
        event = read_single(body)
        if not known:
            self._keys.check(event.writeKey)
        taken = read_event(event, kind, False, self._links.message, new_id)
        partitions = self._partitions()
        await self._log.append(
            (records.interaction(taken.lead, taken.id, taken.value, partitions),)
        )
        _accepted(kind).inc()

    async def _batch(
        self, body: bytes, known: bool, path: str, historical: bool
    ) -> Sequence[Rejected]:
        """Append the good events, and the bad ones as dead letters; the bad ones' reasons."""
        batch = read_batch(body)
        if not known:
            self._keys.check(batch.write_key)
        partitions, now = self._partitions(), self._clock.now_ms()
        appends: list[Append] = []
        rejected: list[Rejected] = []
        counts: dict[Counter, int] = {}
        for index, raw in enumerate(batch.events):
            if index % _EVENTS_A_TURN == _EVENTS_A_TURN - 1:
                await asyncio.sleep(0)
            try:
                taken = read_event(
                    decode_event(raw), None, historical or batch.historical,
                    self._links.message, new_id,
                )  # fmt: skip
            except BadInput as refusal:
                appends.append(records.dead_letter(bytes(raw), refusal, path, new_id(), now))
                rejected.append(_rejection(index, refusal))
                counter = metrics.EVENTS_REJECTED.labels(refusal.reason)
            else:
                appends.append(records.interaction(taken.lead, taken.id, taken.value, partitions))
                counter = _accepted(taken.type)
            counts[counter] = counts.get(counter, 0) + 1
        if appends:
            await self._log.append(appends)
        for counter, number in counts.items():
            counter.inc(number)
        return rejected

    def _partitions(self) -> int:
        if not self._log.partitions:
            raise Unavailable(self._log.problem, 1)
        return self._log.partitions

    async def _other(
        self, scope: Scope, path: str, receive: Receive, send: Send
    ) -> tuple[str, int]:
        method = scope["method"]
        kind, token = path[:3], path[3:]
        if kind in ("/o/", "/c/", "/u/"):
            methods = ("GET", "HEAD", "POST") if kind == "/u/" else ("GET", "HEAD")
            if method not in methods:
                return "link", await _not_allowed(send, ", ".join(methods).encode())
            if kind == "/o/":
                return "open", await self._links.opened(scope, token, send)
            if kind == "/c/":
                return "click", await self._links.clicked(scope, token, send)
            return "unsubscribe", await self._links.unsubscribe(scope, token, receive, send)
        if path.startswith(_SETTINGS[0]) and path.rstrip("/").endswith(_SETTINGS[1]):
            return "settings", await self._settings(scope, path, send)
        await send_json(send, 404, {"success": False, "message": "there is nothing here"})
        return "other", 404

    async def _settings(self, scope: Scope, path: str, send: Send) -> int:
        """What analytics-next asks for first: where to post."""
        if scope["method"] == "OPTIONS":
            await send_preflight(send)
            return 204
        if scope["method"] not in ("GET", "HEAD"):
            return await _not_allowed(send, b"GET, HEAD, OPTIONS")
        key = path.rstrip("/").removeprefix(_SETTINGS[0]).removesuffix(_SETTINGS[1])
        if key not in self._keys:
            await send_json(send, 404, {"success": False, "message": "no such write key"})
            return 404
        segment = {
            "apiKey": key,
            "apiHost": self._api_host,
            "protocol": self._scheme,
            "unbundledIntegrations": [],
        }
        answer = {"integrations": {"Segment.io": segment}, "plan": {}}
        await send_json(send, 200, answer, (b"cache-control", b"max-age=300"))
        return 200


def _rejection(index: int, refusal: BadInput) -> Rejected:
    return {
        "index": index,
        "reason": refusal.reason,
        "field": refusal.field,
        "message": f"{refusal.field} {refusal.detail}",
    }


async def _not_allowed(send: Send, methods: bytes) -> int:
    answer = {"success": False, "message": f"use {methods.decode()}"}
    await send_json(send, 405, answer, (b"allow", methods))
    return 405


_ACCEPTED: dict[str, Counter] = {}
_REQUESTS: dict[tuple[str, int], Counter] = {}


def _accepted(type_: str) -> Counter:
    counter = _ACCEPTED.get(type_)
    if counter is None:
        counter = _ACCEPTED[type_] = metrics.EVENTS_ACCEPTED.labels(type_)
    return counter


def _count(route: str, status: int) -> None:
    counter = _REQUESTS.get((route, status))
    if counter is None:
        counter = _REQUESTS[route, status] = metrics.REQUESTS.labels(route, str(status))
    counter.inc()
