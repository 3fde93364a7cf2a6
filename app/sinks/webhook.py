"""Webhooks, signed as https://www.standardwebhooks.com says; the command's id is the webhook's.

A receiver that remembers ids is called once in effect, however often delivery has to repeat.
"""

from __future__ import annotations

import hmac
import re
from base64 import b64decode, b64encode
from collections.abc import Callable, Mapping
from email.utils import parsedate_to_datetime
from hashlib import sha256
from typing import Any

import aiohttp
import orjson
from msgspec import Struct
from yarl import URL

from app.sinks.port import Check
from app.sinks.targets import ForbiddenTarget, check_literal, resolver
from app.templates import render
from schemas.commands import Command
from schemas.errors import Reject, Retry, UsageError
from schemas.facts import iso
from streams.delivery.calls import Delivered, Unsure

TIMEOUT_SECONDS = 15.0
ANSWER_BYTES_MAX = 64 * 1024
CONNECTIONS_MAX = 50
BODY_BYTES_MAX = 256 * 1024
METHODS = ("POST", "PUT", "PATCH", "DELETE", "GET")
TRY_AGAIN = (408, 425, 429)

_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
# The connection's own, and what the signature is made of.
_NOT_THEIRS = re.compile(
    r"(?i)webhook-.*|host|content-length|transfer-encoding|connection|expect|upgrade|te|trailer"
)
_JSON = "application/json"


class Signer:
    """Signs with one secret or several (rotation): `whsec_` and base64, separated by commas."""

    def __init__(self, secrets: str) -> None:
        """Raises `UsageError` for a secret that is none."""
        self._keys: list[bytes] = []
        for secret in filter(None, (part.strip() for part in secrets.split(","))):
            try:
                self._keys.append(b64decode(secret.removeprefix("whsec_"), validate=True))
            except ValueError:
                raise UsageError(
                    "DRIPLINE_WEBHOOK_SECRET must be whsec_ and base64: "
                    "`echo whsec_$(openssl rand -base64 32)`"
                ) from None

    def headers(self, id: str, seconds: int, body: bytes) -> dict[str, str]:
        """The three headers of Standard Webhooks; `seconds` since 1970, real time."""
        signed = f"{id}.{seconds}.".encode() + body
        signatures = (b64encode(hmac.digest(key, signed, sha256)).decode() for key in self._keys)
        return {
            "webhook-id": id,
            "webhook-timestamp": str(seconds),
            "webhook-signature": " ".join(f"v1,{signature}" for signature in signatures),
        }


class Request(Struct, frozen=True):
    """One call, rendered."""

    method: str
    url: URL
    headers: dict[str, str]
    body: bytes


class WebhookSink:
    """Calls URLs. `real_ms` is the wall clock: receivers refuse signatures of another time."""

    def __init__(
        self, signer: Signer, *, real_ms: Callable[[], int], allow_private: bool = False,
        timeout_seconds: float = TIMEOUT_SECONDS,
    ) -> None:  # fmt: skip
        self._signer = signer
        self._real_ms = real_ms
        self._allow_private = allow_private
        self._timeout = aiohttp.ClientTimeout(total=timeout_seconds)
        self._session: aiohttp.ClientSession | None = None

    async def send(self, command: Command, check: Check) -> Delivered | Unsure:
        """See `app.sinks.port.Sink`. A repeat does no harm here, so nothing is ever `Unsure`."""
        request = rendered(command)
        headers = {
            **request.headers,
            "Idempotency-Key": command.id,
            **self._signer.headers(command.id, self._real_ms() // 1000, request.body),
        }
        check(command.address)
        try:
            if not self._allow_private:
                check_literal(request.url.host or "")
            async with self._opened().request(
                request.method, request.url, data=request.body, headers=headers,
                allow_redirects=False,
            ) as answer:  # fmt: skip
                await _read_some(answer)
                return _judged(answer.status, answer.headers)
        except ForbiddenTarget as error:
            raise Reject(f"target: {error}") from None
        except aiohttp.ClientConnectorError as error:
            if isinstance(error.os_error, ForbiddenTarget):
                raise Reject(f"target: {error.os_error}") from None
            raise Retry(f"connection: {type(error).__name__}") from None
        except TimeoutError:
            raise Retry("timeout: no answer in time") from None
        except (aiohttp.InvalidURL, ValueError) as error:
            raise Reject(f"url: {type(error).__name__}") from None
        except (aiohttp.ClientError, OSError) as error:
            raise Retry(f"connection: {type(error).__name__}") from None

    async def close(self) -> None:
        """Let go of kept connections."""
        if self._session is not None:
            await self._session.close()

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(
                    limit=CONNECTIONS_MAX, resolver=resolver(self._allow_private), ttl_dns_cache=10
                ),
                timeout=self._timeout,
                cookie_jar=aiohttp.DummyCookieJar(),
                trust_env=False,
                headers={"User-Agent": "Dripline"},
                auto_decompress=False,
            )
        return self._session


async def _read_some(answer: aiohttp.ClientResponse) -> None:
    """As much of the answer as lets the connection be kept; of a long one, no more."""
    left = ANSWER_BYTES_MAX
    async for chunk in answer.content.iter_any():
        left -= len(chunk)
        if left < 0:
            answer.close()
            return


def _judged(status: int, headers: Mapping[str, str]) -> Delivered:
    if 200 <= status < 300:
        return Delivered(str(status))
    if status in TRY_AGAIN or status >= 500:
        raise Retry(f"status: {status}", _retry_after(headers))
    if 300 <= status < 400:
        raise Reject(f"status: {status}, and redirects are not followed")
    raise Reject(f"status: {status}")


def _retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds that `Retry-After` asks for: a number, or a date counted from the answer's own."""
    value = headers.get("Retry-After", "").strip()
    if value.isdecimal():
        return float(value[:9])
    try:
        until = parsedate_to_datetime(value)
        now = parsedate_to_datetime(headers.get("Date", ""))
        return max(0.0, (until - now).total_seconds())
    except (ValueError, TypeError):
        return None


def rendered(command: Command) -> Request:
    """The request of a command. Raises `Reject` for what is no request."""
    settings = command.settings
    method = str(settings.get("method") or "POST").upper()
    if method not in METHODS:
        raise Reject(f"url: the method {method!r} is none of {', '.join(METHODS)}")
    headers = _headers(command)
    body, kind = _body(command)
    if len(body) > BODY_BYTES_MAX:
        raise Reject(f"url: the body is longer than {BODY_BYTES_MAX} bytes")
    if body and not any(name.lower() == "content-type" for name in headers):
        headers["Content-Type"] = kind
    return Request(method, _url(command), headers, body)


def _url(command: Command) -> URL:
    text = render(str(command.settings.get("url") or ""), command.data, "url").strip()
    if not text.isprintable():
        raise Reject("url: it holds a control character")
    try:
        url = URL(text)
        host, port = url.host, url.port
    except ValueError:
        raise Reject("url: it cannot be read") from None
    if url.scheme not in ("http", "https") or not host or " " in host or not port:
        raise Reject("url: it must be an absolute http or https URL")
    return url


def _headers(command: Command) -> dict[str, str]:
    headers: dict[str, str] = {}
    for name, source in (command.settings.get("headers") or {}).items():
        value = render(str(source), command.data, f"header {name}").strip()
        if not _HEADER_NAME.fullmatch(name) or _NOT_THEIRS.fullmatch(name):
            raise Reject(f"header: {name!r} cannot be set")
        if not value.isprintable():
            raise Reject(f"header: the value of {name} holds a control character")
        headers[name] = value
    return headers


def _body(command: Command) -> tuple[bytes, str]:
    """The body and its type: a text as rendered, anything else as JSON with its texts rendered."""
    source = command.settings.get("body")
    if source is None:
        if str(command.settings.get("method") or "POST").upper() == "GET":
            return b"", ""
        return orjson.dumps(_standard(command)), _JSON
    if isinstance(source, str):
        body = render(source, command.data, "body").encode()
        try:
            orjson.loads(body)
        except orjson.JSONDecodeError:
            return body, "text/plain; charset=utf-8"
        return body, _JSON
    return orjson.dumps(_filled(source, command.data)), _JSON


def _standard(command: Command) -> dict[str, Any]:
    """What is sent when the step names no body: Standard Webhooks' `type`, `timestamp`, `data`."""
    return {
        "type": "dripline.webhook",
        "timestamp": iso(command.issued_ms),
        "data": {
            "command_id": command.id,
            "journey_id": command.journey_id,
            "campaign": command.campaign,
            "version": command.version,
            "run": command.run,
            "step": command.step,
            "lead": command.lead,
            "values": command.data,
        },
    }


def _filled(value: Any, data: Mapping[str, Any]) -> Any:
    if isinstance(value, str):
        return render(value, data, "body")
    if isinstance(value, dict):
        return {str(name): _filled(item, data) for name, item in value.items()}
    if isinstance(value, list):
        return [_filled(item, data) for item in value]
    return value
