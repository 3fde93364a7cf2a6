"""Other systems' clients, unmodified: what each says comes to mean the same records."""

import asyncio
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import rudderstack.analytics as rudder
import segment.analytics as segment
from aiohttp import web
from playwright.async_api import Browser

from tests.collector.running import KEY, Kept, Running, Topic

CLIENTS = Path(__file__).parents[1] / "clients"
Topics = Callable[[str], Topic]


@pytest.fixture(scope="session")
def node_clients() -> Path:
    """Give the folder of the npm clients, installed as locked."""
    if shutil.which("npm") is None:
        pytest.skip("no npm: apt-get install nodejs npm")
    lock, done = CLIENTS / "package-lock.json", CLIENTS / "node_modules" / ".done"
    if not done.exists() or done.stat().st_mtime < lock.stat().st_mtime:
        subprocess.run(
            ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"], cwd=CLIENTS, check=True
        )
        done.touch()
    return CLIENTS


def said(records: list[Kept]) -> dict[str, Kept]:
    """The records by type; each once."""
    by_type = {record.value["type"]: record for record in records}
    assert len(by_type) == len(records)
    return by_type


def assert_the_same(records: list[Kept], user: str) -> None:
    """Who did what, wherever a client puts it; all in the lead's one partition."""
    by_type = said(records)
    assert set(by_type) == {"identify", "track", "page"}
    assert {record.key for record in records} == {user}
    assert len({record.partition for record in records}) == 1
    assert len({record.headers["id"] for record in records}) == 3
    assert by_type["identify"].value["traits"] == {"plan": "pro"}
    assert by_type["track"].value["event"] == "Order Completed"
    assert by_type["track"].value["properties"] == {"total": 12.5}
    assert by_type["page"].value["properties"]["name"] == "Home"
    for record in records:
        assert record.value["userId"] == user
        assert record.value["timestamp"]


@pytest.mark.parametrize("gzip", [False, True])
async def test_segments_python_client(collector: Running, topic: Topics, gzip: bool) -> None:
    events = topic("lead-events")
    refused: list[Any] = []
    client = segment.Client(
        KEY, host=collector.url, gzip=gzip, on_error=lambda *what: refused.append(what)
    )

    def say() -> None:
        client.identify("ana", {"plan": "pro"})
        client.track("ana", "Order Completed", {"total": 12.5})
        client.page("ana", name="Home", properties={"path": "/"})
        client.shutdown()

    await asyncio.to_thread(say)

    assert refused == []
    assert_the_same(events.records(), "ana")


async def test_rudderstacks_python_client(collector: Running, topic: Topics) -> None:
    events = topic("lead-events")
    refused: list[Any] = []
    client = rudder.Client(KEY, host=collector.url, on_error=lambda *what: refused.append(what))

    def say() -> None:
        client.identify("ana", {"plan": "pro"})
        client.track("ana", "Order Completed", {"total": 12.5})
        client.page("ana", name="Home", properties={"path": "/"})
        client.shutdown()

    await asyncio.to_thread(say)

    assert refused == []
    assert_the_same(events.records(), "ana")


@pytest.mark.parametrize("script", ["segment.js", "rudder.js"])
async def test_node_clients(
    collector: Running, topic: Topics, node_clients: Path, script: str
) -> None:
    events = topic("lead-events")

    process = await asyncio.create_subprocess_exec(
        "node", script, collector.url, KEY, "ana", cwd=node_clients
    )
    async with asyncio.timeout(60):
        assert await process.wait() == 0

    records = events.records()
    assert_the_same(records, "ana")
    assert said(records)["identify"].value["anonymousId"] == "anon-1"


@pytest.mark.browser
async def test_segments_client_in_a_browser(
    collector: Running, topic: Topics, node_clients: Path, browser: Browser
) -> None:
    """From a page of another origin: preflight, settings, then one-letter addresses."""
    events = topic("lead-events")
    shop = web.Application()
    umd = node_clients / "node_modules" / "@segment" / "analytics-next" / "dist" / "umd"
    shop.router.add_static("/analytics", umd)
    shop.router.add_static("/", node_clients)
    runner = web.AppRunner(shop)
    await runner.setup()
    server = web.TCPSite(runner, "127.0.0.1", 0)
    await server.start()
    port = runner.addresses[0][1]
    page = await browser.new_page()
    asked: list[str] = []
    answered: asyncio.Queue[str] = asyncio.Queue()
    page.on(
        "response",
        lambda said: answered.put_nowait(said.url) if said.request.method == "POST" else None,
    )
    page.on("request", lambda request: asked.append(f"{request.method} {request.url}"))
    try:
        await page.goto(
            f"http://localhost:{port}/segment_browser.html?host={collector.url}&key={KEY}&user=ana"
        )
        await page.wait_for_function("document.title === 'said'")
        async with asyncio.timeout(20):
            posted = {await answered.get() for _ in range(3)}
    finally:
        await page.close()
        await runner.cleanup()

    records = events.records()
    assert_the_same(records, "ana")
    page_seen = said(records)["page"].value
    assert page_seen["context"]["page"]["path"] == "/segment_browser.html"
    assert page_seen["anonymousId"]
    assert posted == {f"{collector.url}/v1/{letter}" for letter in "itp"}
    assert any(line == f"GET {collector.url}/v1/projects/{KEY}/settings" for line in asked)
