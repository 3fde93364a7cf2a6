"""A client's event over HTTP is, when the answer is 200, a record in its lead's partition."""

import asyncio
import gzip
import json
from collections.abc import Callable
from typing import Any

import pytest

from schemas.ids import partition_of
from schemas.records import DECODERS
from tests.collector.running import KEY, PARTITIONS, Running, Topic

Topics = Callable[[str], Topic]


async def test_event_lies_in_the_leads_partition_with_schema_and_id(
    collector: Running, topic: Topics
) -> None:
    events = topic("lead-events")
    body = (
        b'{"userId": "ana", "anonymousId": null, "event": "Order Completed", "messageId": "m-1", '
        b'"properties": {"total": 12.50,  "items": [1, 2]}, "context": {"ip": "1.2.3.4"}, '
        b'"timestamp": "2026-01-05T10:00:00.000Z", "integrations": {"All": true}}'
    )

    status, answer = await collector.post("/v1/track", body)

    assert (status, answer) == (200, {"success": True})
    (record,) = events.records()
    assert record.key == "ana"
    assert record.partition == partition_of("ana", PARTITIONS)
    assert record.headers == {"schema": "interaction/1", "id": "m-1"}
    # Free-form parts are the bytes that came.
    assert b'"properties":{"total": 12.50,  "items": [1, 2]}' in record.raw
    assert record.value == {
        "type": "track",
        "event": "Order Completed",
        "userId": "ana",
        "properties": {"total": 12.5, "items": [1, 2]},
        "context": {"ip": "1.2.3.4"},
        "timestamp": "2026-01-05T10:00:00.000Z",
    }


ADDRESSES = {
    "/v1/track": "track", "/v1/t": "track", "/v1/page": "page", "/v1/p/": "page",
    "/v1/screen/": "screen", "/v1/s": "screen", "/v1/identify": "identify", "/v1/i": "identify",
    "/v1/alias": "alias", "/v1/a": "alias", "/v1/group": "group", "/v1/g/": "group",
}  # fmt: skip


async def test_every_address_names_its_type(collector: Running, topic: Topics) -> None:
    events = topic("lead-events")

    for path in ADDRESSES:
        event = {"userId": "ana", "event": "Seen", "type": "other", "messageId": path}
        assert (await collector.post(path, event))[0] == 200

    kept = {record.headers["id"]: record.value for record in events.records()}
    assert {path: value["type"] for path, value in kept.items()} == ADDRESSES
    named = {path for path, value in kept.items() if value.get("event") == "Seen"}
    assert named == {"/v1/track", "/v1/t"}


@pytest.mark.parametrize("path", ["/v1/batch", "/v1/b/", "/v1/batch/", "/v1/import"])
async def test_batch_is_taken_whole(collector: Running, topic: Topics, path: str) -> None:
    events = topic("lead-events")
    batch = [
        {"type": "identify", "userId": "ana", "traits": {"plan": "pro"}},
        {"type": "page", "anonymousId": "anon", "properties": {"path": "/"}},
        {"type": "track", "userId": "ana", "event": "Seen", "historical": False},
    ]

    status, answer = await collector.post(path, {"batch": batch, "sentAt": "x"})

    assert (status, answer) == (200, {"success": True})
    kept = {record.value["type"]: record for record in events.records()}
    assert set(kept) == {"identify", "page", "track"}
    assert kept["page"].key == "anon"
    assert kept["identify"].value["traits"] == {"plan": "pro"}
    # An import is historical where an event does not say itself.
    historical = path == "/v1/import"
    assert kept["page"].value.get("historical", False) is historical
    assert kept["track"].value.get("historical", False) is False


HEADERS: list[dict[str, str]] = [
    {},
    {"Content-Type": "text/plain"},
    {"Content-Type": "application/x-www-form-urlencoded"},
    {"Content-Encoding": "gzip"},
    {"Content-Encoding": "br"},
]


async def test_any_header_is_taken_and_gzip_is_known_by_its_first_bytes(
    collector: Running, topic: Topics
) -> None:
    events = topic("lead-events")
    plain = b'{"userId":"ana","event":"Seen"}'

    for headers in HEADERS:
        for body in (plain, gzip.compress(plain)):
            status, _ = await collector.post("/v1/track", body, headers=headers)
            assert status == 200, headers

    assert len(events.records()) == 2 * len(HEADERS)


async def test_write_key_comes_by_basic_bearer_or_body(collector: Running, topic: Topics) -> None:
    events = topic("lead-events")
    event = {"userId": "ana", "event": "Seen"}

    basic, _ = await collector.post("/v1/track", event)
    bearer, _ = await collector.post(
        "/v1/track", event, key=None, headers={"Authorization": f"Bearer {KEY}"}
    )
    in_body, _ = await collector.post("/v1/track", event | {"writeKey": KEY}, key=None)
    in_batch, _ = await collector.post(
        "/v1/batch", {"batch": [event | {"type": "track"}], "writeKey": KEY}, key=None
    )

    assert [basic, bearer, in_body, in_batch] == [200] * 4
    assert len(events.records()) == 4


@pytest.mark.parametrize(
    ("event", "lead", "value"),
    [
        ({"userId": "ana", "anonymousId": "anon"}, "ana", {"userId": "ana", "anonymousId": "anon"}),
        ({"userId": None, "anonymousId": "anon"}, "anon", {"anonymousId": "anon"}),
        ({"userId": "", "anonymousId": "anon"}, "anon", {"anonymousId": "anon"}),
        ({"userId": 42}, "42", {"userId": "42"}),
    ],
)
async def test_key_is_the_user_else_the_anonymous_id(
    collector: Running, topic: Topics, event: dict[str, Any], lead: str, value: dict[str, str]
) -> None:
    events = topic("lead-events")

    await collector.post("/v1/identify", event)

    (record,) = events.records()
    assert record.key == lead
    assert record.value == {"type": "identify", **value}


SHAPES: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    ("identify", {"context": {"traits": {"a": 1}}}, {"traits": {"a": 1}}),
    ("identify", {"traits": {"b": 2}, "context": {"traits": {"a": 1}}}, {"traits": {"b": 2}}),
    ("identify", {"traits": None, "context": {"traits": {"a": 1}}}, {"traits": {"a": 1}}),
    ("page", {"name": "Home"}, {"properties": {"name": "Home"}}),
    (
        "page",
        {"name": "Home", "category": "x", "properties": {"path": "/"}},
        {"properties": {"name": "Home", "category": "x", "path": "/"}},
    ),
    ("page", {"name": "Home", "properties": {"name": "Own"}}, {"properties": {"name": "Own"}}),
    ("group", {"groupId": 7}, {"properties": {"groupId": "7"}}),
    ("alias", {"previousId": "anon"}, {"anonymousId": "anon"}),
    ("track", {"event": "E", "originalTimestamp": "2026-01-05T10:00:00Z"},
     {"timestamp": "2026-01-05T10:00:00Z"}),
]  # fmt: skip


async def test_shapes_of_other_clients_mean_the_same(collector: Running, topic: Topics) -> None:
    events = topic("lead-events")

    for place, (path, event, _) in enumerate(SHAPES):
        asked = {"userId": "ana", "messageId": str(place)} | event
        assert (await collector.post(f"/v1/{path}", asked))[0] == 200

    kept = {int(record.headers["id"]): record.value for record in events.records()}
    for place, (_, event, expected) in enumerate(SHAPES):
        assert {name: kept[place].get(name) for name in expected} == expected, event


async def test_last_of_a_repeated_key_counts_for_every_reader(
    collector: Running, topic: Topics
) -> None:
    events = topic("lead-events")
    body = b'{"userId":"a","userId":"b","event":"E","properties":{"x":1,"x":{"y":1,"y":"\\u0022"}}}'

    await collector.post("/v1/track", body)

    (record,) = events.records()
    assert record.key == "b"
    assert b'"properties":{"x":{"y":"\\""}}' in record.raw


async def test_event_without_message_id_gets_one(collector: Running, topic: Topics) -> None:
    events = topic("lead-events")

    for _ in range(2):
        await collector.post("/v1/track", {"userId": "ana", "event": "E", "messageId": None})

    first, second = (record.headers["id"] for record in events.records())
    assert first
    assert first != second


@pytest.mark.parametrize(
    "said",
    [{"command_id": "c", "journey_id": "j", "step": "s", "template": "t"}, "no token", 7],
)
async def test_clients_cannot_say_which_mail_was_opened(
    collector: Running, topic: Topics, said: object
) -> None:
    """Only a signed token may: `properties.message` decides what journeys do."""
    events = topic("lead-events")
    event = {
        "userId": "ana",
        "event": "Email Opened",
        "properties": {"message": said, "template": "welcome"},
    }

    status, _ = await collector.post("/v1/track", event)

    assert status == 200
    (record,) = events.records()
    assert record.value["properties"] == {"template": "welcome"}


async def test_message_of_any_other_event_is_its_own_business(
    collector: Running, topic: Topics
) -> None:
    events = topic("lead-events")
    properties = {"message": {"text": "hello"}}

    await collector.post("/v1/track", {"userId": "a", "event": "Chat", "properties": properties})

    (record,) = events.records()
    assert record.value["properties"] == properties


async def test_what_is_appended_can_be_read_by_the_engine(
    collector: Running, topic: Topics
) -> None:
    events = topic("lead-events")
    properties = {"big": 10**40, "text": '\u2028 \U0001f600 \\ " /', "deep": [[[[1.5e-300]]]]}

    body = '{"userId":"é","event":"E","properties":' + json.dumps(properties) + "}"
    await collector.post("/v1/track", body.encode())

    (record,) = events.records()
    read = DECODERS["interaction/1"].decode(record.raw)
    assert read.userId == "é"
    assert record.value["properties"]["text"] == properties["text"]


async def test_browser_may_post_from_any_page(collector: Running) -> None:
    asks = {
        "Origin": "https://shop.example",
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "authorization,content-type",
    }

    status, headers, _ = await collector.call("OPTIONS", "/v1/t", headers=asks, key=None)
    _, posted, _ = await collector.call("POST", "/v1/t", b"{", headers={"Origin": "https://x"})

    assert status == 204
    assert headers["Access-Control-Allow-Origin"] == "*"
    allowed = {name.strip() for name in headers["Access-Control-Allow-Headers"].split(",")}
    assert {"authorization", "content-type"} <= allowed
    assert posted["Access-Control-Allow-Origin"] == "*"


async def test_browser_client_is_told_where_to_post(collector: Running) -> None:
    status, _, answer = await collector.call("GET", f"/v1/projects/{KEY}/settings", key=None)
    unknown, _, _ = await collector.call("GET", "/v1/projects/nope/settings", key=None)

    host = collector.url.removeprefix("http://")
    assert status == 200
    assert answer["integrations"]["Segment.io"] == {
        "apiKey": KEY, "apiHost": f"{host}/v1", "protocol": "http", "unbundledIntegrations": [],
    }  # fmt: skip
    assert unknown == 404


async def test_health_readiness_and_metrics(collector: Running) -> None:
    await collector.post("/v1/track", {"userId": "ana", "event": "E"})

    alive, _, _ = await collector.call("GET", "/healthz", key=None)
    ready, _, answer = await collector.call("GET", "/readyz", key=None)
    shown, _, text = await collector.call("GET", "/metrics", key=None)

    assert (alive, ready, shown) == (200, 200, 200)
    assert answer == {"ready": True}
    assert b'dripline_events_accepted_total{type="track"}' in text
    assert b"dripline_ingest_latency_seconds_bucket" in text


async def test_many_at_once_are_all_kept(collector: Running, topic: Topics) -> None:
    events = topic("lead-events")
    wanted = {f"m-{number}" for number in range(400)}

    async def post(id: str) -> int:
        event = {"userId": f"lead-{id}", "event": "E", "messageId": id}
        return (await collector.post("/v1/track", event))[0]

    statuses = await asyncio.gather(*(post(id) for id in wanted))

    assert set(statuses) == {200}
    assert {record.headers["id"] for record in events.records()} == wanted
