"""`/healthz`, `/readyz` and `/metrics` of roles that answer HTTP anyway."""

from __future__ import annotations

from collections.abc import Callable

import orjson

from app import metrics
from app.http import HEALTH_PATHS, App, Receive, Scope, Send

JSON = b"application/json"


def health(problem: Callable[[], str]) -> App:
    """An application for the three; `problem` says why the role cannot do its job, or "".

    Liveness never depends on the broker: a restart of this process would not help it.
    """

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        status, kind, body = _answer(scope, problem)
        headers = [
            (b"content-type", kind),
            (b"content-length", b"%d" % len(body)),
            (b"cache-control", b"no-store"),
        ]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    return app


def _answer(scope: Scope, problem: Callable[[], str]) -> tuple[int, bytes, bytes]:
    if scope["path"] in HEALTH_PATHS and scope["method"] not in ("GET", "HEAD"):
        return 405, JSON, orjson.dumps({"success": False, "message": "use GET"})
    match scope["path"]:
        case "/healthz":
            return 200, JSON, orjson.dumps({"alive": True})
        case "/readyz":
            said = problem()
            if said:
                return 503, JSON, orjson.dumps({"ready": False, "problem": said})
            return 200, JSON, orjson.dumps({"ready": True})
        case "/metrics":
            return 200, metrics.CONTENT_TYPE.encode(), metrics.exposition()
    return 404, JSON, orjson.dumps({"success": False, "message": "there is nothing here"})
