"""A running instance, asked over HTTP by the command line: pages' API and collector.

One connection, kept alive, one request at a time: the order of what is posted is the order in the
log. Busy (429, 503) and broken connections are tried again with back-off, `Retry-After` honoured.
"""

from __future__ import annotations

import http.client
import time
from base64 import b64encode
from collections.abc import Callable
from typing import Any
from urllib.parse import quote, urlsplit

import orjson

from app.settings import Settings
from schemas.errors import Unreachable, UsageError

TIMEOUT_SECONDS = 30.0
PATIENCE_SECONDS = 60.0
BUSY = (429, 503)


class Answer:
    """A response: `status`, `body` as JSON where it is JSON, else as text."""

    def __init__(self, status: int, headers: http.client.HTTPMessage, raw: bytes) -> None:
        self.status = status
        self.headers = headers
        try:
            self.body: Any = orjson.loads(raw) if raw else None
        except orjson.JSONDecodeError:
            self.body = raw.decode(errors="replace")

    @property
    def retry_after_seconds(self) -> float | None:
        """The server's wish, where it gave one in seconds."""
        value = self.headers.get("Retry-After", "")
        return float(value) if value.isdigit() else None

    def complaint(self) -> str:
        """What the server says is wrong, as one line."""
        if isinstance(self.body, dict):
            return str(self.body.get("error") or self.body.get("message") or self.body)
        return str(self.body or "").strip().partition("\n")[0][:300]


class Instance:
    """One instance at `url`; `token` is its DRIPLINE_ADMIN_TOKEN, where it has one."""

    def __init__(
        self, url: str, token: str | None = None, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise UsageError(f"--url: {url} is not of the form http://host:port")
        self.url = url.rstrip("/")
        self._prefix = parts.path.rstrip("/")
        self._token = token
        self._sleep = sleep
        kind = (
            http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        )
        self._connection = kind(parts.hostname, parts.port, timeout=TIMEOUT_SECONDS)

    @classmethod
    def of(cls, settings: Settings, url: str | None) -> Instance:
        """The one that a command means: `--url`, else DRIPLINE_PUBLIC_URL, else this machine."""
        token = settings.admin_token.get_secret_value() if settings.admin_token else None
        return cls(url or settings.base_url(), token)

    def get(self, path: str, **query: str | int | None) -> Any:
        """The JSON answer of the API; 404 is `None`."""
        words = "&".join(f"{k}={quote(str(v), safe='')}" for k, v in query.items() if v is not None)
        answer = self.request("GET", path + (f"?{words}" if words else ""))
        return None if answer.status == 404 else self._good(answer, path).body

    def post(self, path: str, body: Any) -> Any:
        """The JSON answer of the API to a JSON body."""
        return self._good(self.request("POST", path, body), path).body

    def request(
        self, method: str, path: str, body: Any = None, *, write_key: str | None = None
    ) -> Answer:
        """One request, tried again while the instance is busy or the connection breaks.

        Raises `Unreachable` when that has gone on for a minute; a server that nobody listens at is
        given up at once.
        """
        raw = None if body is None else orjson.dumps(body)
        headers = self._headers(raw, write_key)
        waited, pause = 0.0, 0.2
        while True:
            busy: str
            try:
                answer = self._once(method, path, raw, headers)
            except ConnectionRefusedError:
                raise Unreachable(
                    f"nothing listens at {self.url}: start it with `dripline up`, or say where "
                    "it is with --url"
                ) from None
            except (OSError, http.client.HTTPException) as error:
                self._connection.close()
                busy, wish = f"{type(error).__name__}: {error}", None
            else:
                if answer.status not in BUSY:
                    return answer
                busy, wish = f"{answer.status} {answer.complaint()}", answer.retry_after_seconds
            if waited >= PATIENCE_SECONDS:
                raise Unreachable(f"{self.url} did not answer for {waited:.0f} seconds: {busy}")
            length = pause if wish is None else max(wish, pause)
            self._sleep(length)
            waited += length
            pause = min(pause * 2, 5.0)

    def _once(self, method: str, path: str, raw: bytes | None, headers: dict[str, str]) -> Answer:
        self._connection.request(method, self._prefix + path, body=raw, headers=headers)
        response = self._connection.getresponse()
        return Answer(response.status, response.headers, response.read())

    def _headers(self, raw: bytes | None, write_key: str | None) -> dict[str, str]:
        headers = {"User-Agent": "dripline-cli"}
        if raw is not None:
            headers["Content-Type"] = "application/json"
        if write_key is not None:
            headers["Authorization"] = "Basic " + b64encode(f"{write_key}:".encode()).decode()
        elif self._token:
            headers["Authorization"] = f"Bearer {self._token}"
        return headers

    def _good(self, answer: Answer, path: str) -> Answer:
        if answer.status in (401, 403):
            raise UsageError(
                f"{self.url} wants its admin token: set DRIPLINE_ADMIN_TOKEN to the same as there"
            )
        if answer.status == 400:
            raise UsageError(f"{self.url}{path}: {answer.complaint()}")
        if answer.status >= 300:
            raise Unreachable(f"{self.url}{path} answered {answer.status}: {answer.complaint()}")
        return answer
