"""The API beside the pages: what it tells, what it takes, and whom it answers."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import aiohttp
import pytest

from app.settings import load_settings
from app.web import api
from app.web.guard import check_binding
from schemas.errors import UsageError
from schemas.facts import FactRow
from schemas.ids import partition_of
from schemas.state import Entry, Journey, Lead, Past, Token
from tests.collector.pages import Site, Writer, newsletter, site
from tests.collector.running import KEY, PARTITIONS, Topic
from tests.kafka.server import KafkaServer

TOKEN = "an admin token"


def fresh(name: str) -> str:
    """A name that no other test uses: the broker is shared."""
    return f"{name}-{uuid.uuid4().hex[:8]}"


async def until(ask: Callable[[], Awaitable[tuple[int, Any]]], holds: Callable[[Any], bool]) -> Any:
    """Ask until the answer is as wanted."""
    async with asyncio.timeout(30):
        while True:
            status, answer = await ask()
            if status == 200 and holds(answer):
                return answer
            await asyncio.sleep(0.05)


def campaign(id: str) -> dict[str, Any]:
    return {
        "campaign": id,
        "name": "A <b>test</b>",
        "enter": [{"event": "Signed Up"}],
        "steps": [
            {"send_email": "hello", "id": "hello"},
            {"wait_for": {"opens_email": "hello"}, "within": "2 days", "id": "open",
             "then": [{"change_points": 5}], "else": [{"exit": "cold"}]},
        ],
    }  # fmt: skip


async def test_campaign_tells_its_steps_in_order_with_their_counts(
    pages: Site, writer: Writer
) -> None:
    id, lead = fresh("welcome"), fresh("ana")
    writer.publish(campaign(id))
    writer.publish(campaign(id) | {"name": "Second"})
    told = {"campaign": id, "version": 1, "run": 1, "journey": "j"}
    writer.facts(
        lead,
        FactRow(1, "entered", **told),
        FactRow(1, "step_taken", step="hello", **told),
        FactRow(1, "action_issued", step="hello", **told),
        FactRow(1, "waiting", step="open", detail={"due": 5}, **told),
    )  # fmt: skip

    one = await until(lambda: pages.get(f"/api/campaigns/{id}"), lambda c: c["entered"] == 1)
    _, every = await pages.get("/api/campaigns")

    assert (one["name"], one["version"]) == ("Second", 2)
    assert (one["active"], one["waiting"], one["completed"], one["left"]) == (1, 1, 0, {})
    assert [(step["step"], step["came"]) for step in one["steps"]] == [
        ("hello", 1), ("open", 0), ("steps[1].then[0]", 0), ("steps[1].else[0]", 0),
    ]  # fmt: skip
    assert one["steps"][0]["sent"] == 1
    assert one["steps"][1]["waiting"] == 1
    assert one["document"]["campaign"] == id
    assert id in [each["campaign"] for each in every["campaigns"]]


async def test_lead_tells_its_newest_state_and_latest_facts(pages: Site, writer: Writer) -> None:
    lead = fresh("ana/ü?#& <b>")
    journey = Journey(
        "j", "welcome", 3, 1, "", 1_767_600_000_000, 7, 0, Entry("Signed Up", {}, {}),
        tokens=[Token("pause", 1_767_600_000_000, 1_767_700_000_000)],
    )  # fmt: skip
    for watermark, points in ((8, 20), (6, 10)):
        writer.state(
            lead,
            Lead(points=points, traits={"email": "a@b.example"}, journeys=[journey],
                 past={"welcome": Past(1, 1_767_600_000_000)}),
            watermark,
        )  # fmt: skip
    writer.facts(lead, FactRow(1_767_600_000_000, "lead_changed", detail={"what": "points"}))
    path = "/api/leads/" + lead.replace("%", "%25").replace("?", "%3F").replace("#", "%23")

    answer = await until(lambda: pages.get(path), lambda a: a["facts"] and a["state"])

    state = answer["state"]
    assert (state["lead"], state["watermark"], state["points"]) == (lead, 8, 20)
    assert state["partition"] == partition_of(lead, PARTITIONS)
    assert state["journeys"][0]["at"] == [
        {"step": "pause", "since": "2026-01-05T08:00:00.000Z", "due": "2026-01-06T11:46:40.000Z"}
    ]
    assert state["past"]["welcome"]["runs"] == 1
    assert answer["facts"][0]["fact"] == "lead_changed"
    assert answer["facts"][0]["at"] == "2026-01-05T08:00:00.000Z"


async def test_what_is_not_there_is_404_and_what_is_wrong_400(pages: Site) -> None:
    assert (await pages.get("/api/leads/nobody"))[0] == 404
    assert (await pages.get("/api/campaigns/none"))[0] == 404
    assert (await pages.get("/api/mails/99999"))[0] == 404
    assert (await pages.get("/api/nothing"))[0] == 404
    assert (await pages.get("/leads/nobody"))[0] == 404
    for limit in ("0", "1001", "x", "-1", "²"):
        status, answer = await pages.get(f"/api/facts?limit={limit}")
        assert (status, answer["field"]) == (400, "limit")


async def test_clock_and_instance_tell_what_the_command_line_needs(pages: Site) -> None:
    _, clock = await pages.get("/api/clock")
    _, instance = await pages.get("/api/instance")

    assert clock["speed"] == 1
    assert clock["now_ms"] > 1_767_600_000_000
    assert instance["write_keys"] == [KEY]
    assert instance["kafka"].startswith("127.0.0.1:")
    assert instance["clock"] is None


async def test_speed_and_time_are_those_of_the_shared_clock(broker: KafkaServer) -> None:
    async with site(broker.bootstrap, DRIPLINE_CLOCK="1:1000000000000:3600.0") as fast:
        _, clock = await fast.get("/api/clock")

    assert clock["speed"] == 3600
    assert clock["now"] > "2001-09-09T01:46:40"


async def test_by_hand_is_a_record_of_the_lead(
    pages: Site, writer: Writer, topic: Callable[[str], Topic]
) -> None:
    id, lead = fresh("called"), fresh("ana")
    writer.publish(campaign(id))
    await until(lambda: pages.get(f"/api/campaigns/{id}"), bool)
    events = topic("lead-events")
    asked = {"lead": lead, "campaign": id, "do": "enter", "by": "Bo", "id": "h1"}

    status, answer = await pages.call("POST", "/api/by-hand", json=asked)
    again, _ = await pages.call("POST", "/api/by-hand", json={"lead": lead, "campaign": id})

    assert (status, answer, again) == (200, {"success": True, "id": "h1"}, 200)
    first, second = events.records()
    assert first.key == lead
    assert first.partition == partition_of(lead, PARTITIONS)
    assert first.headers == {"schema": "by-hand/1", "id": "h1"}
    assert first.value == {"do": "enter", "target": id, "by": "Bo"}
    assert second.value == {"do": "enter", "target": id}
    assert second.headers["id"] not in ("", "h1")


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (b"", "body"), (b"[]", "body"), (b"{", "body"), (b'{"campaign":"c"}', "body"),
        (b'{"lead":7,"campaign":"c"}', "lead"), (b'{"lead":"","campaign":"c"}', "lead"),
        (b'{"lead":"a\\u0000","campaign":"c"}', "lead"),
        (b'{"lead":"a","campaign":"c","do":"dance"}', "do"),
        (b'{"lead":"a","campaign":"c","more":1}', "body"),
        (b'{"lead":"a","campaign":"not published"}', "campaign"),
        (b'{"lead":"' + b"a" * 70_000 + b'"}', "body"),
    ],
)  # fmt: skip
async def test_bad_by_hand_names_the_field(pages: Site, body: bytes, field: str) -> None:
    await until(lambda: pages.get("/api/instance"), lambda told: told["caught_up"])

    status, answer = await pages.call("POST", "/api/by-hand", data=body)

    assert status == (413 if len(body) > 64_000 else 400)
    assert answer["field"] == field


async def test_caught_mails_are_told(pages: Site) -> None:
    await pages.mail(newsletter("<p>Hello</p>"))

    _, mails = await pages.get("/api/mails")
    _, mail = await pages.get("/api/mails/1")

    assert mails["total"] == 1
    assert mails["mails"][0]["to"] == ["bob@example.org"]
    assert mail["subject"] == "Hello <b>Bob</b>"
    assert "<p>Hello</p>" in mail["html"]


async def test_every_route_is_described_and_every_description_is_a_route(pages: Site) -> None:
    _, described = await pages.get("/api/openapi.json")

    def plain(path: str) -> str:
        return path.replace(":path", "").replace(":int", "")

    routes = {
        (plain(route.path), method.lower())
        for route in api.routes(None)  # type: ignore[arg-type]
        for method in route.methods or ()
        if method != "HEAD"
    }
    assert routes == {
        (path, method) for path, methods in described["paths"].items() for method in methods
    }


@pytest.fixture
async def locked(broker: KafkaServer) -> AsyncIterator[Site]:
    async with site(broker.bootstrap, DRIPLINE_ADMIN_TOKEN=TOKEN) as pages:
        yield pages


PRIVATE = (
    "/",
    "/api/campaigns",
    "/api/instance",
    "/api/leads/ana",
    "/mails/1",
    "/api/openapi.json",
)


async def test_token_is_asked_for_everything_but_the_collector(locked: Site) -> None:
    for path in PRIVATE:
        for headers in ({}, {"Authorization": "Bearer wrong"}, {"Cookie": "dripline=" + TOKEN}):
            status, _ = await locked.get(path, headers=headers)
            assert status == (401 if path.startswith("/api/") else 303), (path, headers)
    posted, _ = await locked.call("POST", "/api/by-hand", json={"lead": "a", "campaign": "c"})
    event = {"userId": "a", "event": "E", "writeKey": KEY}
    collected, _ = await locked.call("POST", "/v1/track", json=event)

    assert (posted, collected) == (401, 200)
    assert (await locked.get("/healthz"))[0] == 200


async def test_token_opens_the_api(locked: Site) -> None:
    status, _ = await locked.get(
        "/api/campaigns", headers={"Authorization": f"Bearer {TOKEN}", "Host": "any.example"}
    )

    assert status == 200


async def test_logging_in_gives_a_cookie_that_does_not_hold_the_token(locked: Site) -> None:
    form = {"Content-Type": "application/x-www-form-urlencoded"}

    wrong, _ = await locked.call("POST", "/login", data=b"token=wrong", headers=form)
    jar = aiohttp.CookieJar(unsafe=True)
    async with aiohttp.ClientSession(cookie_jar=jar) as http:
        async with http.post(locked.url + "/login", data={"token": TOKEN}) as answer:
            landed = (answer.status, answer.url.path)
        cookie = next(iter(jar))
        async with http.get(locked.url + "/api/campaigns") as answer:
            seen = answer.status

    assert wrong == 401
    assert landed == (200, "/")
    assert seen == 200
    assert TOKEN not in cookie.value
    assert cookie["httponly"]
    assert cookie["samesite"] == "strict"


@pytest.mark.parametrize("path", ["/", "/api/instance", "/static/style.css"])
async def test_without_a_token_only_this_machines_names_are_answered(
    pages: Site, path: str
) -> None:
    """DNS rebinding: a page elsewhere that points its own name here reads nothing."""
    for host, wanted in (
        ("evil.example", 403), ("", 403), ("localhost:8080", 200), ("[::1]:1", 200),
    ):  # fmt: skip
        status, _ = await pages.get(path, headers={"Host": host})
        assert status == wanted, host


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
)
async def test_nothing_is_taken_from_another_sites_page(
    pages: Site, headers: dict[str, str]
) -> None:
    status, _ = await pages.call(
        "POST", "/api/by-hand", json={"lead": "a", "campaign": "c"}, headers=headers
    )

    assert status == 403


def test_pages_are_not_opened_to_others_without_a_token() -> None:
    open_to_all = {"DRIPLINE_HOST": "0.0.0.0"}

    with pytest.raises(UsageError, match="DRIPLINE_ADMIN_TOKEN"):
        check_binding(load_settings(open_to_all))
    check_binding(load_settings(open_to_all | {"DRIPLINE_ADMIN_TOKEN": "x"}))
    for host in ("127.0.0.1", "localhost", "::1", "127.9.9.9"):
        check_binding(load_settings({"DRIPLINE_HOST": host}))
