"""Who may see the pages: this machine, or whoever has DRIPLINE_ADMIN_TOKEN.

Without a token only names of this machine are answered, so that a page elsewhere that points its
own name at 127.0.0.1 (DNS rebinding) reads nothing; and nothing that changes something is taken
from another site's page.
"""

from __future__ import annotations

import hmac
from hashlib import sha256
from http.cookies import CookieError, SimpleCookie
from urllib.parse import parse_qs, urlsplit

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.http import is_loopback
from app.settings import Settings
from schemas.errors import UsageError

COOKIE = "dripline"
LOGIN = "/login"
FORM_BYTES_MAX = 4_096
_HEADERS = {
    "content-security-policy": (
        "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; "
        "object-src 'none'"
    ),
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
    "cache-control": "no-store",
}


def check_binding(settings: Settings) -> None:
    """Raise `UsageError` where the pages would be open to others (interfaces, "HTTP: web")."""
    if settings.admin_token is None and not is_loopback(settings.host):
        raise UsageError(
            f"the pages would be open to everybody at {settings.host}: set DRIPLINE_ADMIN_TOKEN, "
            "or listen on 127.0.0.1"
        )


class Guard:
    """Stands before the pages. `token` None: this machine only, by the names in `hosts`."""

    def __init__(self, app: ASGIApp, token: str | None, hosts: frozenset[str]) -> None:
        self._app = app
        self._token = token
        self._hosts = hosts
        self._session = _session(token) if token else ""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or let it through with the headers that every page has."""
        if scope["type"] != "http":
            return
        request = Request(scope, receive)
        answer = self._refusal(request)
        if answer is None and self._token is not None and request.url.path == LOGIN:
            answer = await self._login(request)
        await (answer or self._app)(scope, receive, _with_headers(send))

    def _refusal(self, request: Request) -> Response | None:
        headers = request.headers
        if self._token is None and _name(headers.get("host", "")) not in self._hosts:
            return _said(request, 403, "the pages answer by this machine's own names only")
        if request.method not in ("GET", "HEAD") and not _own_page(headers):
            return _said(request, 403, "this was sent by a page of another site")
        if self._token is None or request.url.path == LOGIN or _is_static(request):
            return None
        if self._knows(request):
            return None
        if request.url.path.startswith("/api/") or request.method not in ("GET", "HEAD"):
            return _said(request, 401, "give DRIPLINE_ADMIN_TOKEN as `Authorization: Bearer …`")
        return RedirectResponse(LOGIN, 303)

    def _knows(self, request: Request) -> bool:
        assert self._token is not None
        kind, _, given = request.headers.get("authorization", "").partition(" ")
        if kind.lower() == "bearer" and _same(given.strip(), self._token):
            return True
        return _same(_cookie(request.headers), self._session)

    async def _login(self, request: Request) -> Response:
        if request.method != "POST":
            return HTMLResponse(_form(""))
        body = b""
        async for part in request.stream():
            body += part
            if len(body) > FORM_BYTES_MAX:
                break
        given = parse_qs(body[:FORM_BYTES_MAX].decode(errors="replace")).get("token", [""])[0]
        if not _same(given, self._token or ""):
            return HTMLResponse(_form("<p role=alert>That is not the token.</p>"), 401)
        answer = RedirectResponse("/", 303)
        answer.set_cookie(
            COOKIE, self._session, httponly=True, samesite="strict",
            secure=request.url.scheme == "https",
        )  # fmt: skip
        return answer


def _session(token: str) -> str:
    """What the cookie holds: whoever reads it does not learn the token."""
    return hmac.digest(token.encode(), b"dripline pages 1", sha256).hex()


def _same(given: str, wanted: str) -> bool:
    return hmac.compare_digest(given.encode(errors="replace"), wanted.encode())


def _cookie(headers: Headers) -> str:
    try:
        cookie = SimpleCookie(headers.get("cookie", "")).get(COOKIE)
    except CookieError:
        return ""
    return cookie.value if cookie is not None else ""


def _name(host: str) -> str:
    """The name in a Host header or an origin, without port."""
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""


def _own_page(headers: Headers) -> bool:
    """Whether a request that changes something comes from our page, or from no page at all."""
    if headers.get("sec-fetch-site", "none") not in ("same-origin", "none"):
        return False
    origin = headers.get("origin")
    return origin is None or urlsplit(origin).netloc == headers.get("host")


def _is_static(request: Request) -> bool:
    return request.url.path.startswith("/static/") and request.method in ("GET", "HEAD")


def _said(request: Request, status: int, message: str) -> Response:
    if request.url.path.startswith("/api/"):
        return JSONResponse({"success": False, "message": message}, status)
    return Response(f"{message}\n", status, media_type="text/plain")


def _form(note: str) -> str:
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        '<title>Dripline</title><link rel="stylesheet" href="/static/style.css"></head>'
        f'<body><main class="login"><h1>Dripline</h1>{note}<form method="post">'
        '<label>Admin token <input name="token" type="password" autofocus required></label>'
        "<button>Show the pages</button></form></main></body></html>"
    )


def _with_headers(send: Send) -> Send:
    """Put our headers on an answer that has none of its own of that name."""

    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = message.setdefault("headers", [])
            there = {name.lower() for name, _ in headers}
            message["headers"] = [
                *headers,
                *(
                    (name.encode(), value.encode())
                    for name, value in _HEADERS.items()
                    if name.encode() not in there
                ),
            ]
        await send(message)

    return sending
