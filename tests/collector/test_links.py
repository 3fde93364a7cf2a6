"""Opens, clicks and unsubscribing over real HTTP: what each makes, and what must not act."""

from collections.abc import Callable

import aiohttp
import pytest

from app.collector.links import PIXEL
from app.tokens import Kind, Link, Tokens
from schemas.ids import partition_of
from streams.partition import suppression
from tests.collector.running import PARTITIONS, SECRET, Running, Topic
from tests.kafka.server import KafkaServer

Topics = Callable[[str], Topic]

COMMAND = "c0ffee" * 5 + "00"
MESSAGE = {"command_id": COMMAND, "journey_id": "j1", "step": "welcome", "template": "hello"}
ADDRESS_KEY = suppression.key(SECRET, "email", "Ana@Example.com").decode()
BROWSER = {"User-Agent": "Mozilla/5.0 (Test)"}


def link(kind: Kind, **fields: str) -> Link:
    return Link(kind, COMMAND, "j1", "welcome", "hello", "ana", "email", 1, **fields)


def path(collector: Running, kind: Kind) -> str:
    if kind == "open":
        return f"/o/{collector.tokens.make(link('open'))}.gif"
    if kind == "click":
        return f"/c/{collector.tokens.make(link('click', url='https://shop.example/?a=1&b=2'))}"
    return f"/u/{collector.tokens.make(link('unsubscribe', address_key=ADDRESS_KEY))}"


async def test_open_answers_a_pixel_and_tells_of_the_mail(
    collector: Running, topic: Topics
) -> None:
    events = topic("lead-events")

    status, headers, body = await collector.call(
        "GET", path(collector, "open"), key=None, headers=BROWSER
    )

    assert (status, body) == (200, PIXEL)
    assert len(body) == 43
    assert headers["Content-Type"] == "image/gif"
    assert headers["Cache-Control"] == "no-store"
    (record,) = events.records()
    assert record.key == "ana"
    assert record.partition == partition_of("ana", PARTITIONS)
    assert record.value == {
        "type": "track",
        "event": "Email Opened",
        "properties": {"message": MESSAGE},
        "context": {"userAgent": "Mozilla/5.0 (Test)"},
    }


async def test_each_open_is_an_event_of_its_own(collector: Running, topic: Topics) -> None:
    events = topic("lead-events")

    for _ in range(2):
        await collector.call("GET", path(collector, "open"), key=None)

    first, second = (record.headers["id"] for record in events.records())
    assert first != second


async def test_click_goes_on_to_the_signed_address(collector: Running, topic: Topics) -> None:
    events = topic("lead-events")

    status, headers, _ = await collector.call("GET", path(collector, "click"), key=None)

    assert (status, headers["Location"]) == (302, "https://shop.example/?a=1&b=2")
    assert headers["Referrer-Policy"] == "no-referrer"
    (record,) = events.records()
    assert record.value["event"] == "Email Link Clicked"
    assert record.value["properties"] == {
        "message": MESSAGE,
        "link_url": "https://shop.example/?a=1&b=2",
    }


async def test_unsubscribe_page_does_nothing_until_its_button_is_pressed(
    collector: Running, topic: Topics
) -> None:
    events, blocked = topic("lead-events"), topic("suppressions")

    status, headers, page = await collector.call("GET", path(collector, "unsubscribe"), key=None)

    assert status == 200
    assert b'<form method="post">' in page
    assert "default-src 'none'" in headers["Content-Security-Policy"]
    assert b"<script" not in page
    assert events.records() == blocked.records() == []


@pytest.mark.parametrize("body", [b"List-Unsubscribe=One-Click", b"", b"x" * 100])
async def test_unsubscribe_blocks_the_address_and_tells_the_lead(
    collector: Running, topic: Topics, body: bytes
) -> None:
    events, blocked = topic("lead-events"), topic("suppressions")

    status, headers, _ = await collector.call(
        "POST", path(collector, "unsubscribe"), body, key=None,
        headers={"Content-Type": "application/x-www-form-urlencoded"},
    )  # fmt: skip

    assert status == 200
    assert "Location" not in headers
    assert "Set-Cookie" not in headers
    (record,) = events.records()
    assert record.key == "ana"
    assert record.value["event"] == "Unsubscribed"
    assert record.value["properties"] == {"channel": "email", "message": MESSAGE}
    (block,) = blocked.records()
    assert block.key == ADDRESS_KEY
    assert block.value["reason"] == "unsubscribed"
    assert block.value["channel"] == "email"


async def test_unsubscribing_twice_is_the_same_record(collector: Running, topic: Topics) -> None:
    events = topic("lead-events")

    for _ in range(2):
        await collector.call("POST", path(collector, "unsubscribe"), b"", key=None)

    first, second = events.records()
    assert first.headers["id"] == second.headers["id"]


@pytest.mark.parametrize("kind", ["open", "click", "unsubscribe"])
async def test_head_never_acts(collector: Running, topic: Topics, kind: Kind) -> None:
    events, blocked = topic("lead-events"), topic("suppressions")

    status, _, body = await collector.call("HEAD", path(collector, kind), key=None)

    assert status == (302 if kind == "click" else 200)
    assert body == b""
    assert events.records() == blocked.records() == []


async def test_invalid_link_is_404_and_never_a_redirect(collector: Running, topic: Topics) -> None:
    events, blocked = topic("lead-events"), topic("suppressions")
    strange = Tokens(b"another secret")
    evil = link("click", url="https://evil.example/")
    good = {kind: path(collector, kind) for kind in ("open", "click", "unsubscribe")}
    wrong = [
        f"/c/{strange.make(evil)}", "/c/https://evil.example/", "/c/", "/c/1.", "/o/.gif", "/u/",
        good["click"].replace("/c/", "/u/"), good["unsubscribe"].replace("/u/", "/c/"),
        good["open"].replace("/o/", "/c/").removesuffix(".gif"), good["click"] + "x",
        "/c/" + "A" * 20_000,
    ]  # fmt: skip

    answers = [await collector.call("GET", each, key=None) for each in wrong]
    posted, _, _ = await collector.call("POST", good["click"].replace("/c/", "/u/"), key=None)

    assert {status for status, _, _ in answers} == {404}
    assert posted == 404
    assert not any("Location" in headers for _, headers, _ in answers)
    assert events.records() == blocked.records() == []


async def test_token_in_a_clients_event_is_verified(collector: Running, topic: Topics) -> None:
    """A provider may pass on the token of its mail; for another lead it says nothing."""
    events = topic("lead-events")
    token = collector.tokens.make(link("open"))

    for user in ("ana", "bob"):
        event = {"userId": user, "event": "Email Opened", "properties": {"message": token}}
        await collector.post("/v1/track", event)

    said = {record.key: record.value["properties"] for record in events.records()}
    assert said == {"ana": {"message": MESSAGE}, "bob": {}}


async def test_readers_are_not_kept_waiting_and_an_unsubscribe_is_not_pretended(
    broker: KafkaServer, collector: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The broker is gone: image and redirect are answered, the unsubscribe is to come again."""
    monkeypatch.setattr("app.collector.links.PATIENCE_SECONDS", 0.2)
    monkeypatch.setattr("app.collector.event_log.ACKNOWLEDGED_SECONDS_MAX", 0.5)
    broker.kill()
    try:
        opened, _, image = await collector.call("GET", path(collector, "open"), key=None)
        clicked, headers, _ = await collector.call("GET", path(collector, "click"), key=None)
        left, again, _ = await collector.call("POST", path(collector, "unsubscribe"), b"", key=None)
    finally:
        broker.start()

    assert (opened, image) == (503, PIXEL)
    assert (clicked, headers["Location"]) == (302, "https://shop.example/?a=1&b=2")
    assert left == 503
    assert int(again["Retry-After"]) >= 1
    async with aiohttp.ClientSession() as http, http.get(collector.url + "/metrics") as answer:
        assert 'dripline_link_events_lost_total{kind="click"}' in await answer.text()
