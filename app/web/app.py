"""The pages and the API as one ASGI application, and what they read."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from urllib.parse import urlsplit

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from app.clock import Clock
from app.collector.event_log import EventLog
from app.http import App
from app.settings import Settings
from app.web import api, pages
from app.web.guard import Guard, check_binding
from app.web.parts import Inbox, Parts
from app.web.tail import Tail
from app.web.view import View

THIS_MACHINE = frozenset(("127.0.0.1", "localhost", "::1"))


@contextlib.asynccontextmanager
async def web_app(
    settings: Settings, clock: Clock, log: EventLog, inbox: Inbox | None = None
) -> AsyncIterator[App]:
    """The application, reading from Kafka until the block is left.

    Raises `UsageError` when it would be open to others without a token.
    """
    check_binding(settings)
    view = View()
    tail = Tail(settings.bootstrap(), view)
    await tail.start()
    try:
        yield application(Parts(settings, clock, log, view, tail, inbox))
    finally:
        await tail.stop()


def application(parts: Parts) -> App:
    """The application over parts that somebody else runs."""
    settings = parts.settings
    site = pages.Pages(parts)
    starlette = Starlette(
        routes=[*api.routes(parts), *site.routes()],
        exception_handlers={HTTPException: _answer_error(site)},
    )
    token = settings.admin_token.get_secret_value() if settings.admin_token else None
    public = urlsplit(settings.base_url()).hostname or ""
    return Guard(starlette, token or None, THIS_MACHINE | {settings.host, public})


def _answer_error(site: pages.Pages) -> Callable[[Request, Exception], Awaitable[Response]]:
    async def answer(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        if request.url.path.startswith("/api/"):
            body = {"success": False, "message": error.detail}
            return JSONResponse(body, error.status_code, error.headers)
        return site.error(error.status_code, error.detail)

    return answer
