"""Webhooks over real HTTP: signed, rendered, judged by their answers, and kept off our network."""

from __future__ import annotations

import asyncio
import json
import socket
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web
from aiohttp.resolver import ThreadedResolver
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from app.sinks.targets import ForbiddenTarget, PublicResolver, check_literal, is_public
from app.sinks.webhook import Signer, WebhookSink
from schemas.commands import Command
from schemas.errors import Reject, Retry, UsageError
from streams.delivery.calls import Delivered
from tests.delivery.bench import NOW, hook
from tests.delivery.hook_server import HookServer

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
OTHER = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"


def allowed(address: str | None) -> None:
    """Nobody is blocked."""


def real_ms() -> int:
    return time.time_ns() // 1_000_000


def sink(secret: str = SECRET, **options: Any) -> WebhookSink:
    return WebhookSink(Signer(secret), **{"real_ms": real_ms, "allow_private": True, **options})


@pytest.fixture
async def server() -> AsyncIterator[HookServer]:
    async with HookServer().listening() as running:
        yield running


@pytest.fixture
async def way() -> AsyncIterator[WebhookSink]:
    opened = sink()
    yield opened
    await opened.close()


def command(server: HookServer, data: dict[str, Any] | None = None, **settings: Any) -> Command:
    return hook(settings={"url": server.url + "/hook", **settings}, data=data or {})


async def test_an_independent_verifier_accepts_the_signature(
    server: HookServer, way: WebhookSink
) -> None:
    sent = command(server, body={"hello": "{{ lead.name }}"}, data={"lead": {"name": "Ana\u00e9"}})

    assert await way.send(sent, allowed) == Delivered("204")

    (seen,) = server.seen
    verified = Webhook(SECRET).verify(seen.body, seen.headers)
    assert verified == {"hello": "Ana\u00e9"}
    assert seen.headers["webhook-id"] == sent.id
    assert seen.headers["Idempotency-Key"] == sent.id
    assert seen.headers["Content-Type"] == "application/json"
    with pytest.raises(WebhookVerificationError):
        Webhook(OTHER).verify(seen.body, seen.headers)
    with pytest.raises(WebhookVerificationError):
        Webhook(SECRET).verify(seen.body + b" ", seen.headers)


async def test_two_secrets_are_a_rotation(server: HookServer) -> None:
    way = sink(f"{SECRET}, {OTHER}")

    await way.send(command(server), allowed)
    await way.close()

    (seen,) = server.seen
    for secret in (SECRET, OTHER):
        assert Webhook(secret).verify(seen.body, seen.headers)


async def test_a_repeat_has_the_same_id_and_a_new_time(server: HookServer) -> None:
    times = iter([NOW, NOW + 90_000])
    way = sink(real_ms=lambda: next(times))

    for _ in range(2):
        await way.send(command(server), allowed)
    await way.close()

    first, second = (seen.headers for seen in server.seen)
    assert first["webhook-id"] == second["webhook-id"]
    assert int(second["webhook-timestamp"]) - int(first["webhook-timestamp"]) == 90


async def test_without_a_body_the_command_is_told(server: HookServer, way: WebhookSink) -> None:
    await way.send(command(server, data={"lead": {"plan": "pro"}}), allowed)

    told = json.loads(server.seen[0].body)
    assert told["type"] == "dripline.webhook"
    assert told["timestamp"] == "2027-01-15T08:00:00.000Z"
    assert told["data"]["lead"] == "ana"
    assert told["data"]["values"] == {"lead": {"plan": "pro"}}
    assert told["data"]["command_id"] == hook().id
    assert server.seen[0].method == "POST"


async def test_url_method_headers_and_body_are_rendered(
    server: HookServer, way: WebhookSink
) -> None:
    sent = hook(
        settings={
            "url": server.url + "/{{ lead.id }}?name={{ lead.name | url_encode }}",
            "method": "put",
            "headers": {"X-Plan": "{{ lead.plan }}", "Content-Type": "application/xml"},
            "body": "<lead>{{ lead.name }}</lead>",
        },
        data={"lead": {"id": 7, "name": "A & B", "plan": "pro"}},
    )

    await way.send(sent, allowed)

    (seen,) = server.seen
    assert (seen.method, seen.path) == ("PUT", "/7?name=A+%26+B")
    assert seen.headers["X-Plan"] == "pro"
    assert seen.headers["Content-Type"] == "application/xml"
    assert seen.body == b"<lead>A & B</lead>"
    assert seen.headers["webhook-signature"].startswith("v1,")


async def test_nested_bodies_are_filled_and_cannot_be_broken_out_of(
    server: HookServer, way: WebhookSink
) -> None:
    body = {"a": ["{{ lead.x }}", 1, None, True, {"b": "{{ lead.missing }}"}]}

    await way.send(command(server, body=body, data={"lead": {"x": '","evil":"'}}), allowed)

    assert json.loads(server.seen[0].body) == {"a": ['","evil":"', 1, None, True, {"b": ""}]}


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (200, None), (204, None), (299, None),
        (408, Retry), (425, Retry), (429, Retry), (500, Retry), (502, Retry), (503, Retry),
        (400, Reject), (401, Reject), (404, Reject), (410, Reject), (422, Reject),
        (301, Reject), (302, Reject), (307, Reject), (304, Reject),
    ],
)  # fmt: skip
async def test_what_an_answer_means(
    server: HookServer, way: WebhookSink, status: int, kind: type[Exception] | None
) -> None:
    server.answers(status, Location=server.url + "/elsewhere")

    if kind is None:
        assert await way.send(command(server), allowed) == Delivered(str(status))
    else:
        with pytest.raises(kind, match=f"status: {status}"):
            await way.send(command(server), allowed)

    assert [seen.path for seen in server.seen] == ["/hook"]


@pytest.mark.parametrize("status", [429, 503])
async def test_retry_after_is_handed_on(server: HookServer, way: WebhookSink, status: int) -> None:
    wishes = {
        "7": 7.0,
        "0": 0.0,
        "Wed, 21 Oct 2037 07:28:10 GMT": 10.0,
        "Wed, 21 Oct 2037 07:27:00 GMT": 0.0,
        "soon": None,
        "": None,
        "-5": None,
    }
    for wish, seconds in wishes.items():
        server.answers(status, Date="Wed, 21 Oct 2037 07:28:00 GMT", **{"Retry-After": wish})
        with pytest.raises(Retry) as caught:
            await way.send(command(server), allowed)
        assert caught.value.after_seconds == seconds


async def test_a_server_that_does_not_answer_in_time(server: HookServer) -> None:
    way = sink(timeout_seconds=0.3)

    async def never(_request: web.Request) -> web.StreamResponse:
        await asyncio.sleep(3_600)
        raise AssertionError

    server.answer = never
    with pytest.raises(Retry, match="timeout: "):
        await way.send(command(server), allowed)
    await way.close()


async def test_an_answer_without_end_is_not_read(server: HookServer) -> None:
    way = sink(timeout_seconds=10.0)
    written = 0

    async def flood(request: web.Request) -> web.StreamResponse:
        nonlocal written
        answer = web.StreamResponse(status=200)
        await answer.prepare(request)
        try:
            while True:
                await answer.write(b"x" * 65_536)
                written += 65_536
        except (ConnectionError, OSError):
            return answer

    server.answer = flood
    assert await way.send(command(server), allowed) == Delivered("200")
    await way.close()

    assert written < 64 * 1024 * 1024


async def test_a_server_that_hangs_up_and_one_that_is_not_there(
    server: HookServer, way: WebhookSink
) -> None:
    async def hang_up(request: web.Request) -> web.StreamResponse:
        assert request.transport is not None
        request.transport.abort()
        return web.Response()

    server.answer = hang_up
    with pytest.raises(Retry, match="connection: "):
        await way.send(command(server), allowed)
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    with pytest.raises(Retry, match="connection: "):
        await way.send(hook(settings={"url": f"http://127.0.0.1:{port}/"}), allowed)
    with pytest.raises(Retry, match="connection: "):
        await way.send(hook(settings={"url": "http://no-such-host.invalid/"}), allowed)


@pytest.mark.parametrize(
    "settings",
    [
        {"url": ""},
        {"url": "ftp://example.com/"},
        {"url": "file:///etc/passwd"},
        {"url": "/relative"},
        {"url": "https://"},
        {"url": "https://exa mple.com/"},
        {"url": "https://example.com:99999/"},
        {"url": "https://example.com/\r\nHost: evil"},
        {"url": "https://example.com/{{ lead.x }}"},
        {"url": "https://example.com", "method": "TRACE"},
        {"url": "https://example.com", "headers": {"X": "{{ lead.x }}"}},
        {"url": "https://example.com", "headers": {"X: Y\r\nZ": "1"}},
        {"url": "https://example.com", "headers": {"Host": "evil"}},
        {"url": "https://example.com", "headers": {"Content-Length": "0"}},
        {"url": "https://example.com", "headers": {"Webhook-Id": "mine"}},
        {"url": "https://example.com", "body": "x" * 300_000},
        {"url": "https://example.com/{% if %}"},
    ],
)
async def test_what_is_no_request_is_refused(settings: dict[str, Any], way: WebhookSink) -> None:
    with pytest.raises(Reject) as caught:
        await way.send(hook(settings=settings, data={"lead": {"x": "a\r\nEvil: 1"}}), allowed)

    assert caught.value.reason.partition(":")[0] in ("url", "header", "template")


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1", "127.1", "2130706433", "0x7f000001", "0177.0.0.1", "0.0.0.0", "localhost",
        "10.0.0.1", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "224.0.0.1",
        "255.255.255.255", "[::1]", "[::]", "[fe80::1]", "[fd00:ec2::254]", "[::ffff:127.0.0.1]",
        "[64:ff9b::7f00:1]", "[2002:7f00:1::]", "[ff02::1]", "[2001:0:0:0:0:0:80ff:fffe]",
    ],
)  # fmt: skip
async def test_private_addresses_are_not_reached(host: str, server: HookServer) -> None:
    way = sink(allow_private=False)
    port = server.url.rpartition(":")[2]

    with pytest.raises(Reject, match=r"target: .* public"):
        await way.send(hook(settings={"url": f"http://{host}:{port}/"}), allowed)
    await way.close()

    assert not server.seen


async def test_a_name_that_resolves_to_any_private_address_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def both(
        _self: object, host: str, port: int = 0, family: int = 0
    ) -> list[dict[str, object]]:
        return [
            {"hostname": host, "host": address, "port": port, "family": 2, "proto": 0, "flags": 0}
            for address in ("93.184.216.34", "10.0.0.1")
        ]

    monkeypatch.setattr(ThreadedResolver, "resolve", both)

    with pytest.raises(ForbiddenTarget, match=r"10\.0\.0\.1"):
        await PublicResolver().resolve("rebinding.example", 443)


@pytest.mark.parametrize("address", ["93.184.216.34", "2606:2800:220:1::1", "64:ff9b::808:808"])
def test_public_addresses_are_public(address: str) -> None:
    assert is_public(address)
    check_literal(address)


@pytest.mark.parametrize("name", ["example.com", "a.b.c", "x"])
def test_names_are_left_to_the_resolver(name: str) -> None:
    check_literal(name)


def test_a_secret_must_be_base64() -> None:
    with pytest.raises(UsageError, match="DRIPLINE_WEBHOOK_SECRET"):
        Signer("whsec_not base64!")
