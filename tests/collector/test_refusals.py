"""Bad input: each row of the contract (interfaces, "Bad input"), and the stream goes on."""

import asyncio
import gzip
from collections.abc import Callable
from typing import Any

import pytest

from app.collector.body import BODY_BYTES_MAX, EVENT_BYTES_MAX
from tests.collector.running import Running, Topic

Topics = Callable[[str], Topic]

GOOD = b'{"type":"track","userId":"ana","event":"Good"}'
BAD: dict[str, tuple[bytes, str, str]] = {
    "not json": (b"{", "malformed_json", "body"),
    "empty": (b"", "malformed_json", "body"),
    "an array": (b"[]", "wrong_type", "body"),
    "text": (b"hello", "malformed_json", "body"),
    "trailing comma": (b'{"userId":"a","event":"E",}', "malformed_json", "body"),
    "no ids": (b'{"event":"E"}', "missing_id", "userId"),
    "null ids": (b'{"event":"E","userId":null,"anonymousId":""}', "missing_id", "userId"),
    "no event": (b'{"userId":"a"}', "missing_field", "event"),
    "id of a wrong type": (b'{"userId":{},"event":"E"}', "wrong_type", "userId"),
    "id is true": (b'{"userId":true,"event":"E"}', "wrong_type", "userId"),
    "control character": (b'{"userId":"a\\u0000","event":"E"}', "bad_id", "userId"),
    "long id": (b'{"userId":"%s","event":"E"}' % (b"a" * 257), "bad_id", "userId"),
    "long anonymous id": (
        b'{"userId":"a","anonymousId":"%s","event":"E"}' % (b"a" * 257), "bad_id", "anonymousId",
    ),
    "long message id": (
        b'{"userId":"a","messageId":"%s","event":"E"}' % (b"a" * 257), "bad_id", "messageId",
    ),
    "surrogate in an id": (b'{"userId":"\\ud800","event":"E"}', "malformed_json", "userId"),
    "id that is not UTF-8": (b'{"userId":"\xff","event":"E"}', "malformed_json", "userId"),
    "properties are text": (
        b'{"userId":"a","event":"E","properties":"x"}', "wrong_type", "properties",
    ),
    "NaN": (b'{"userId":"a","event":"E","properties":{"x":NaN}}', "malformed_json", "properties"),
    "infinity": (
        b'{"userId":"a","event":"E","properties":{"x":-Infinity}}', "malformed_json", "properties",
    ),
    "beyond a double": (
        b'{"userId":"a","event":"E","properties":{"x":1e999}}', "malformed_json", "properties",
    ),
    "5,000 digits": (
        b'{"userId":"a","event":"E","properties":{"x":%s}}' % (b"9" * 5000), "malformed_json",
        "properties",
    ),
    "surrogate": (
        b'{"userId":"a","event":"E","context":{"x":"\\udfff"}}', "malformed_json", "context",
    ),
    "not UTF-8": (b'{"userId":"a","event":"E","traits":{"x":"\xc3"}}', "malformed_json", "traits"),
    "33 levels": (
        b'{"userId":"a","event":"E","properties":{"x":%s%s}}' % (b"[" * 32, b"]" * 32), "too_deep",
        "properties",
    ),
    "10,000 levels": (
        b'{"userId":"a","event":"E","properties":{"x":%s%s}}' % (b"[" * 10_000, b"]" * 10_000),
        "too_deep", "properties",
    ),
    "time": (b'{"userId":"a","event":"E","timestamp":"yesterday"}', "bad_timestamp", "timestamp"),
    "time as a number": (b'{"userId":"a","event":"E","timestamp":17}', "wrong_type", "timestamp"),
    "historical": (b'{"userId":"a","event":"E","historical":"no"}', "wrong_type", "historical"),
}  # fmt: skip


async def test_single_bad_event_is_400_and_names_the_field(
    collector: Running, topic: Topics
) -> None:
    events, dead = topic("lead-events"), topic("dead-letters")

    answers = {name: await collector.post("/v1/track", BAD[name][0]) for name in BAD}

    assert {
        name: (status, answer["success"], answer["reason"], answer["field"])
        for name, (status, answer) in answers.items()
    } == {name: (400, False, reason, field) for name, (_, reason, field) in BAD.items()}
    assert all(answer["message"].startswith(answer["field"]) for _, answer in answers.values())
    assert events.records() == dead.records() == []


async def test_bad_events_of_a_batch_go_to_dead_letters_and_the_good_ones_in(
    collector: Running, topic: Topics
) -> None:
    """Each bad one is between good ones, those that are no JSON too."""
    events, dead = topic("lead-events"), topic("dead-letters")
    bad = [
        part.replace(b"{", b'{"type":"track",', 1)
        for name, (part, _, _) in BAD.items()
        if name not in ("not json", "empty", "text")
    ]
    bad += [b'{"userId":"a","type":"dance"}', b'{"userId":"a","event":"E"}', b"7", b"null"]
    bad.append(b'{"type":"track","userId":"a","event":"%s"}' % (b"x" * EVENT_BYTES_MAX))
    parts = [part for each in bad for part in (GOOD, each)] + [GOOD]

    status, answer = await collector.post("/v1/batch", b'{"batch":[%s]}' % b",".join(parts))

    assert status == 200
    assert answer["success"] is True
    assert [entry["index"] for entry in answer["rejected"]] == list(range(1, len(parts), 2))
    assert len(events.records()) == len(bad) + 1
    letters = dead.records()
    assert [letter.raw for letter in letters] == bad
    for letter, entry in zip(letters, answer["rejected"], strict=True):
        assert letter.headers["dripline-reason"] == entry["reason"]
        assert letter.headers["dripline-detail"] == entry["message"]
        assert letter.headers["dripline-path"] == "/v1/batch"
        assert letter.headers["schema"] == "rejected-event/1"
        assert letter.headers["id"]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (b"", "body"), (b"{", "body"), (b"[]", "body"), (b"{}", "batch"),
        (b'{"batch":{}}', "batch"),
        (b'{"batch":null}', "batch"), (b'{"batch":[%s' % GOOD, "body"),
        (b'{"batch":[%s]} trailing' % GOOD, "body"), (b'{"batch":[],"writeKey":7}', "writeKey"),
        (b'{"batch":[' + b"[" * 200_000, "body"), (b'{"batch":["' + b'\\"' * 200_000, "body"),
        (gzip.compress(b"{}")[:-4], "body"), (gzip.compress(b"{}") + b"x", "body"),
        (b"\x1f\x8bnot gzip", "body"),
    ],
)  # fmt: skip
async def test_unreadable_batch_is_400(
    collector: Running, topic: Topics, body: bytes, field: str
) -> None:
    events, dead = topic("lead-events"), topic("dead-letters")

    status, answer = await collector.post("/v1/batch", body)

    assert (status, answer["field"]) == (400, field)
    assert events.records() == dead.records() == []


async def test_batch_of_nothing_is_fine(collector: Running) -> None:
    assert await collector.post("/v1/batch", {"batch": []}) == (200, {"success": True})


def track(size: int) -> bytes:
    """An event of so many bytes."""
    start, end = b'{"type":"track","userId":"ana","event":"E","properties":{"x":"', b'"}}'
    return start + b"x" * (size - len(start) - len(end)) + end


def batch(size: int) -> bytes:
    """A batch of so many bytes, no event too large."""
    start, end = b'{"batch":[', b"]}"
    rest, parts = size - len(start) - len(end), []
    while rest > 20_000:
        parts.append(track(10_000))
        rest -= 10_001
    return start + b",".join([*parts, track(rest)]) + end


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/v1/track", track(EVENT_BYTES_MAX), 200),
        ("/v1/track", track(EVENT_BYTES_MAX + 1), 413),
        ("/v1/track", track(1_000_000), 413),
        ("/v1/track", track(20_000_000), 413),
        ("/v1/track", gzip.compress(track(EVENT_BYTES_MAX + 1)), 413),
        ("/v1/batch", batch(BODY_BYTES_MAX), 200),
        ("/v1/batch", gzip.compress(batch(BODY_BYTES_MAX), 1), 200),
        ("/v1/batch", batch(BODY_BYTES_MAX + 1), 413),
        ("/v1/batch", gzip.compress(batch(BODY_BYTES_MAX + 1)), 413),
        ("/v1/batch", gzip.compress(b"[" * 100_000_000), 413),
        ("/v1/batch", b'{"batch":[%s0]}' % (b"0," * 200_000), 413),
    ],
    ids=lambda value: f"{len(value)} bytes" if isinstance(value, bytes) else None,
)
async def test_too_large_is_413(collector: Running, path: str, body: bytes, status: int) -> None:
    assert (await collector.post(path, body))[0] == status


async def test_too_large_without_a_length_is_413(collector: Running) -> None:
    async def endless() -> Any:
        for _ in range(100):
            yield b"x" * 10_000

    async with collector.http.post(
        collector.url + "/v1/track", data=endless(), headers={"Authorization": "Bearer wk-test"}
    ) as answer:
        assert answer.status == 413


AUTHORIZATIONS = ("Basic d3JvbmcdOg==", "Basic ***", "Basic", "Bearer wrong", "Digest wk-test")


@pytest.mark.parametrize("headers", [{}, *({"Authorization": text} for text in AUTHORIZATIONS)])
async def test_unknown_key_is_401(
    collector: Running, topic: Topics, headers: dict[str, str]
) -> None:
    events = topic("lead-events")
    event = {"type": "track", "userId": "ana", "event": "E"}

    for key in (None, "wrong", ""):
        for path, body in (("/v1/track", event), ("/v1/batch", {"batch": [event]})):
            status, answer = await collector.post(
                path, body | {"writeKey": key}, key=None, headers=headers
            )
            assert status == 401
            assert answer["field"] == ("Authorization" if headers else "writeKey")

    assert events.records() == []


async def test_wrong_header_beats_a_right_key_in_the_body(collector: Running) -> None:
    event = {"userId": "ana", "event": "E", "writeKey": "wk-test"}

    assert (await collector.post("/v1/track", event, key="wrong"))[0] == 401


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/v1/track", 405), ("PUT", "/v1/batch", 405), ("POST", "/v1/nothing", 404),
        ("POST", "/v1/track//", 404), ("GET", "/v1/projects//settings", 404),
        ("POST", "/v1/projects/wk-test/settings", 405), ("POST", "/o/x.gif", 405),
        ("GET", "/nothing", 404), ("POST", "/healthz", 405),
    ],
)  # fmt: skip
async def test_other_methods_and_paths(
    collector: Running, method: str, path: str, status: int
) -> None:
    assert (await collector.call(method, path))[0] == status


async def test_client_that_goes_away_half_way_does_no_harm(
    collector: Running, topic: Topics
) -> None:
    events = topic("lead-events")
    host, port = collector.url.removeprefix("http://").split(":")

    _, writer = await asyncio.open_connection(host, int(port))
    writer.write(
        b"POST /v1/track HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer wk-test\r\n"
        b"Content-Length: 1000\r\n\r\n" + GOOD
    )
    await writer.drain()
    writer.close()
    await writer.wait_closed()
    status, _ = await collector.post("/v1/track", GOOD)

    assert status == 200
    assert len(events.records()) == 1
