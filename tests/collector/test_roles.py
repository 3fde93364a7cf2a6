"""`dripline collector` and `dripline web` as processes of their own."""

import asyncio
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import aiohttp

from tests.collector.running import KEY, PARTITIONS, Topic
from tests.kafka.server import KafkaServer, free_ports

ROOT = Path(__file__).parents[2]
Topics = Callable[[str], Topic]


async def start(role: str, **environ: str) -> asyncio.subprocess.Process:
    inherited = {n: value for n, value in os.environ.items() if not n.startswith("DRIPLINE_")}
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", "app", role,
        cwd=ROOT,
        env=inherited | {f"DRIPLINE_{name}": value for name, value in environ.items()},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip


async def ended(process: asyncio.subprocess.Process) -> tuple[int, str]:
    async with asyncio.timeout(60):
        said, _ = await process.communicate()
    assert process.returncode is not None
    return process.returncode, said.decode()


async def until_ready(http: aiohttp.ClientSession, url: str) -> None:
    async with asyncio.timeout(60):
        while True:
            try:
                async with http.get(url + "/readyz") as answer:
                    if answer.status == 200:
                        return
            except aiohttp.ClientConnectionError:
                pass
            await asyncio.sleep(0.1)


async def test_stopped_collector_has_kept_all_it_answered(
    broker: KafkaServer, topic: Topics
) -> None:
    events = topic("lead-events")
    (port,) = free_ports(1)
    url = f"http://127.0.0.1:{port}"
    process = await start(
        "collector", KAFKA=broker.bootstrap, WRITE_KEYS=f"other,{KEY}", SECRET="s", PORT=str(port),
        PARTITIONS=str(PARTITIONS),
    )  # fmt: skip
    kept: set[str] = set()

    async def post(http: aiohttp.ClientSession, client: int) -> None:
        """Post until nobody listens any more."""
        for number in range(100_000):
            event = {"userId": "ana", "event": "E", "messageId": f"{client}-{number}"}
            try:
                async with http.post(
                    url + "/v1/track", json=event, headers={"Authorization": f"Bearer {KEY}"}
                ) as answer:
                    if answer.status == 200:
                        kept.add(event["messageId"])
            except aiohttp.ClientError:
                return

    try:
        async with aiohttp.ClientSession() as http:
            await until_ready(http, url)
            posting = [asyncio.create_task(post(http, client)) for client in range(8)]
            await asyncio.sleep(0.5)
            process.send_signal(signal.SIGTERM)
            await asyncio.gather(*posting)
        status, said = await ended(process)
    finally:
        if process.returncode is None:
            process.kill()

    assert status == 0, said
    assert len(kept) > 20
    assert kept <= {record.headers["id"] for record in events.records()}


async def test_pages_run_alone(broker: KafkaServer) -> None:
    (port,) = free_ports(1)
    url = f"http://127.0.0.1:{port}"
    process = await start("web", KAFKA=broker.bootstrap, PORT=str(port))
    try:
        async with aiohttp.ClientSession() as http:
            await until_ready(http, url)
            async with http.get(url) as page, http.post(url + "/v1/track", json={}) as collector:
                shown = (page.status, "Campaigns" in await page.text(), collector.status)
        process.send_signal(signal.SIGTERM)
        status, said = await ended(process)
    finally:
        if process.returncode is None:
            process.kill()

    assert status == 0, said
    assert shown == (200, True, 404)


async def test_role_that_cannot_do_its_job_says_what_to_set(broker: KafkaServer) -> None:
    whole = {"KAFKA": broker.bootstrap, "WRITE_KEYS": "k", "SECRET": "s", "PORT": "0"}
    wrong = {
        "DRIPLINE_WRITE_KEYS": ("collector", whole | {"WRITE_KEYS": ","}, 2),
        "DRIPLINE_SECRET": ("collector", whole | {"SECRET": ""}, 2),
        "DRIPLINE_KAFKA": ("collector", whole | {"KAFKA": ""}, 2),
        "DRIPLINE_ADMIN_TOKEN": ("web", whole | {"HOST": "0.0.0.0"}, 2),
        "partitions": ("collector", whole | {"PARTITIONS": "17"}, 70),
    }

    for named, (role, environ, expected) in wrong.items():
        status, said = await ended(await start(role, **environ))
        assert (status, named in said) == (expected, True), (named, said)
        assert "Traceback" not in said
