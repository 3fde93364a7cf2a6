"""The role as a process: real Kafka, a real mail server, a real HTTP server, and kill -9."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer

from app import dead_letters
from app.publishing import publish
from schemas import commands, records
from schemas import topics as names
from schemas.changes import Change, digest_of
from schemas.commands import Command, Suppression
from schemas.errors import UsageError
from schemas.ids import command_id, partition_of
from schemas.records import Outcome
from streams.partition import suppression
from tests.delivery.hook_server import HookServer
from tests.delivery.mail_server import MailServer
from tests.faults.installation import SECRET, Installation, Role
from tests.kafka.server import JARS, KafkaServer

pytestmark = pytest.mark.kafka

PARTITIONS = 3
PATIENCE_SECONDS = 120.0
TEMPLATE = {"subject": "Hi {{ lead.name }}", "html": "<p>Dear {{ lead.name }}</p>"}
DIGEST = digest_of(TEMPLATE)


async def eventually(what: Callable[[], Any]) -> Any:
    """Give the first true answer; fail after a long while (no test asserts a time)."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not (answer := await asyncio.to_thread(what)):
        assert time.monotonic() < deadline, f"did not come about: {what}"
        await asyncio.sleep(0.1)
    return answer


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KafkaServer]:
    """Give a broker of its own: the topics have their real names."""
    if not JARS.is_dir():
        pytest.skip("no Kafka jars: run `make test`, or `make .kafka/.jars-done` once")
    with KafkaServer(tmp_path_factory.mktemp("delivery-kafka")) as server:
        yield server


@pytest.fixture(scope="module")
def installed(broker: KafkaServer, tmp_path_factory: pytest.TempPathFactory) -> Installation:
    """Make the topics and publish a template, once."""
    folder = tmp_path_factory.mktemp("delivery")
    installation = Installation(
        broker,
        folder,
        PARTITIONS,
        DRIPLINE_WEBHOOK_ALLOW_PRIVATE="1",
        DRIPLINE_DELIVERY_FIRST_RETRY_SECONDS="0.2",
        DRIPLINE_DELIVERY_TRIES="3",
        DRIPLINE_PUBLIC_URL="https://mail.example.com",
        DRIPLINE_LOG_LEVEL="warning",
    )
    publish(installation.settings, [Change("template", "welcome", "publish", TEMPLATE, DIGEST)])
    return installation


class Scene:
    """One test's servers, commands and delivery processes. Leads are the test's own."""

    def __init__(
        self, installation: Installation, name: str, mails: MailServer, hooks: HookServer
    ) -> None:
        self.installation = installation
        self.name = name
        self.mails = mails
        self.hooks = hooks
        self.said: list[Command] = []
        self._begun = len(installation.roles)

    def start(self) -> Role:
        """Start one more delivery process."""
        return self.installation.start(
            "delivery", DRIPLINE_SMTP=f"smtp://127.0.0.1:{self.mails.port}"
        )

    async def ready(self, *roles: Role) -> None:
        for role in roles:
            await asyncio.to_thread(role.wait_ready)

    def command(self, n: int, channel: str = "email", **changes: Any) -> Command:
        now = time.time_ns() // 1_000_000
        lead = f"{self.name}-{n}"
        fields: dict[str, Any] = {
            "id": command_id(self.name, channel, n), "journey_id": "j", "campaign": "trial",
            "version": 1, "run": 1, "step": "welcome", "lead": lead, "channel": channel,
            "verb": "send_email" if channel == "email" else "call_webhook",
            "due_ms": now, "issued_ms": now,
        }  # fmt: skip
        if channel == "email":
            fields |= {
                "address": f"{lead}@example.org", "template": "welcome", "template_digest": DIGEST,
                "data": {"lead": {"name": f"Lead {n}"}},
            }  # fmt: skip
        else:
            fields["settings"] = {"url": f"{self.hooks.url}/{self.name}"}
        return Command(**{**fields, **changes})

    async def say(self, wanted: Sequence[Command], times: int = 1) -> None:
        """Append commands, each `times` times, as a worker that was killed does."""
        self.said += wanted
        async with self.producer() as producer:
            for _ in range(times):
                for command in wanted:
                    await producer.send(
                        names.COMMANDS, commands.ENCODE(command), key=command.lead.encode(),
                        partition=partition_of(command.lead, PARTITIONS),
                        headers=[("schema", b"command/1"), ("id", command.id.encode())],
                    )  # fmt: skip
            await producer.flush()

    def producer(self) -> AIOKafkaProducer:
        return AIOKafkaProducer(bootstrap_servers=self.installation.kafka.bootstrap, acks="all")

    async def block(self, address: str) -> None:
        key = suppression.key(SECRET.encode(), "email", address)
        async with self.producer() as producer:
            value = commands.ENCODE(Suppression("email", "unsubscribed", 1))
            await producer.send_and_wait(names.SUPPRESSIONS, value, key=key, partition=0)

    def outcomes(self) -> dict[str, set[tuple[str, str]]]:
        """Per command of this test: (record id, result) of what was told."""
        ids = {command.id for command in self.said}
        told: dict[str, set[tuple[str, str]]] = {}
        for record in self.installation.records(names.LEAD_EVENTS):
            headers = dict(record.headers)
            if headers.get("schema") != b"outcome/1":
                continue
            outcome = records.DECODERS["outcome/1"].decode(record.value)
            assert isinstance(outcome, Outcome)
            if outcome.command_id in ids:
                assert record.partition == partition_of(record.key.decode(), PARTITIONS)
                told.setdefault(outcome.command_id, set()).add(
                    (headers["id"].decode(), outcome.result)
                )
        return told

    async def settled(self) -> Counter[str]:
        """Wait until every command has an outcome; how often each result."""
        ids = {command.id for command in self.said}
        told = await eventually(lambda: told if len(told := self.outcomes()) == len(ids) else None)
        assert all(len(outcomes) == 1 for outcomes in told.values())
        return Counter(result for outcomes in told.values() for _, result in outcomes)

    def mailed(self) -> Counter[str]:
        """How often each address got a mail in this test."""
        return Counter(
            recipient
            for _, recipients, _ in self.mails.mails
            for recipient in recipients
            if recipient.startswith(self.name)
        )

    def metric(self, role: Role, line: str) -> float:
        for text in role.get("/metrics")[1].splitlines():
            if text.startswith(line + " "):
                return float(text.rpartition(" ")[2])
        return 0.0


@pytest.fixture
async def scene(installed: Installation, request: pytest.FixtureRequest) -> AsyncIterator[Scene]:
    name = request.node.originalname.removeprefix("test_").replace("_", "-")[:24]
    async with MailServer().listening() as mails, HookServer().listening() as hooks:
        one = Scene(installed, name, mails, hooks)
        yield one
        for role in installed.roles[one._begun :]:
            if role.alive:
                await asyncio.to_thread(role.kill)


async def test_commands_are_carried_out_once(scene: Scene) -> None:
    role = scene.start()
    mails = [scene.command(n) for n in range(40)]
    hooks = [scene.command(n, "webhook") for n in range(40, 60)]

    await scene.say([*mails, *hooks], times=3)
    results = await scene.settled()

    assert results == {"delivered": 60}
    assert scene.mailed() == {command.address: 1 for command in mails}
    assert Counter(seen.headers["webhook-id"] for seen in scene.hooks.seen) == {
        command.id: 1 for command in hooks
    }
    assert scene.mails.part("html").startswith("<p>Dear Lead ")
    assert await eventually(
        lambda: (
            scene.metric(role, 'dripline_outcomes_total{channel="email",result="delivered"}') == 40
        )
    )
    assert await asyncio.to_thread(role.stop) == 0, role.log


async def test_a_killed_delivery_sends_no_mail_twice(scene: Scene) -> None:
    first = scene.start()
    mails = [scene.command(n) for n in range(12)]
    hooks = [scene.command(n, "webhook") for n in range(12, 16)]
    for command in mails[:6]:  # taken by the server, which never says so
        assert command.address is not None
        scene.mails.fault(command.address.partition("@")[0], "data", "hang-taken")
    for command in mails[6:9]:
        assert command.address is not None
        scene.mails.fault(command.address.partition("@")[0], "rcpt", "hang")

    async def hang(_request: Any) -> Any:
        await asyncio.sleep(3_600)

    scene.hooks.answer = hang
    await scene.say([*mails, *hooks])
    await eventually(lambda: len(scene.mailed()) >= 6 and len(scene.hooks.seen) >= 4)
    await asyncio.to_thread(first.kill)
    scene.mails.faults.clear()
    scene.hooks.answer = None

    second = scene.start()
    results = await scene.settled()

    mailed = scene.mailed()
    assert max(mailed.values()) == 1
    assert results["delivered"] + results["unknown"] == 16
    assert 6 <= results["unknown"] <= 10
    told = scene.outcomes()
    for command in mails:
        ((_, result),) = told[command.id]
        assert result == "unknown" or mailed[str(command.address)] == 1
    ids = Counter(seen.headers["webhook-id"] for seen in scene.hooks.seen)
    assert set(ids) == {command.id for command in hooks}
    assert all(count >= 2 for count in ids.values())
    unknown = await eventually(
        lambda: scene.metric(second, 'dripline_sends_unknown_total{channel="email"}')
    )
    assert unknown == results["unknown"]
    assert await asyncio.to_thread(second.stop) == 0, second.log


async def test_a_stop_leaves_nothing_unknown(scene: Scene) -> None:
    first = scene.start()
    mails = [scene.command(n) for n in range(200)]

    await scene.say(mails)
    await eventually(lambda: len(scene.mailed()) >= 20)
    assert await asyncio.to_thread(first.stop) == 0, first.log
    second = scene.start()
    results = await scene.settled()

    assert results == {"delivered": 200}
    assert set(scene.mailed().values()) == {1}
    assert await asyncio.to_thread(second.stop) == 0, second.log


async def test_partitions_move_without_leaving_anything_unknown(scene: Scene) -> None:
    first = scene.start()
    await scene.ready(first)
    await scene.say([scene.command(n) for n in range(300)])
    await eventually(lambda: len(scene.mailed()) >= 20)

    second = scene.start()
    await scene.ready(second)
    await scene.say([scene.command(n) for n in range(300, 400)])
    results = await scene.settled()

    assert results == {"delivered": 400}
    assert set(scene.mailed().values()) == {1}
    for role in (first, second):
        assert await asyncio.to_thread(role.stop) == 0, role.log


async def test_two_processes_share_and_one_is_killed(scene: Scene) -> None:
    roles = [scene.start(), scene.start()]
    await scene.ready(*roles)
    mails = [scene.command(n) for n in range(150)]
    hooks = [scene.command(n, "webhook") for n in range(150, 250)]

    await scene.say([*mails, *hooks])
    await eventually(lambda: len(scene.mailed()) >= 30)
    await asyncio.to_thread(roles[0].kill)
    results = await scene.settled()

    assert max(scene.mailed().values()) == 1
    assert len(scene.mailed()) >= results["delivered"] - 100
    assert {seen.headers["webhook-id"] for seen in scene.hooks.seen} == {
        command.id for command in hooks
    }
    assert results["delivered"] + results["unknown"] == 250
    assert await asyncio.to_thread(roles[1].stop) == 0, roles[1].log


async def test_who_unsubscribed_is_not_written_to(scene: Scene) -> None:
    role = scene.start()
    await scene.ready(role)
    blocked, other = scene.command(0), scene.command(1)
    receipt = scene.command(2, address=blocked.address, transactional=True)
    assert blocked.address is not None

    await scene.block(f" {blocked.address.upper()} ")
    await scene.say([blocked, other, receipt])
    results = await scene.settled()

    assert results == {"delivered": 2, "failed": 1}
    assert scene.mailed() == {other.address: 1, receipt.address: 1}
    assert [result for _, result in scene.outcomes()[blocked.id]] == ["failed"]
    assert await asyncio.to_thread(role.stop) == 0, role.log


async def test_a_server_that_is_ill_for_a_while_gets_all_in_the_end(scene: Scene) -> None:
    role = scene.start()
    mails = [scene.command(n) for n in range(20)]
    for command in mails[:10]:
        assert command.address is not None
        scene.mails.fault(command.address.partition("@")[0], "rcpt", "450 4.2.0 later", times=2)

    await scene.say(mails)
    results = await scene.settled()

    assert results == {"delivered": 20}
    assert set(scene.mailed().values()) == {1}
    assert await asyncio.to_thread(role.stop) == 0, role.log


async def test_dead_letters_are_listed_retried_and_dropped(scene: Scene) -> None:
    role = scene.start()
    settings = scene.installation.settings
    bad, gone = scene.command(0, "webhook"), scene.command(1, "webhook")
    scene.hooks.answers(404)
    await scene.say([bad, gone])
    async with scene.producer() as producer:
        await producer.send_and_wait(names.COMMANDS, b"poison", key=b"k", partition=1)
    await scene.settled()

    def listed() -> list[dead_letters.Letter]:
        mine = {commands.ENCODE(command) for command in (bad, gone)} | {b"poison"}
        return [one for one in dead_letters.letters(settings) if one.value in mine]

    found = await eventually(lambda: found if len(found := listed()) == 3 else None)
    by_value = {one.value: one for one in found}
    assert {one.reason for one in found} == {"rejected", "unknown_schema"}
    poison, retried, dropped = (
        by_value[value] for value in (b"poison", commands.ENCODE(bad), commands.ENCODE(gone))
    )
    assert (poison.topic, poison.partition, poison.key) == (names.COMMANDS, 1, b"k")
    assert dict(retried.headers)["id"] == bad.id.encode()

    scene.hooks.answer = None
    await asyncio.to_thread(dead_letters.retry, settings, [retried.number])
    await asyncio.to_thread(dead_letters.drop, settings, [dropped.number, poison.number])
    told = await eventually(lambda: told if len(told := scene.outcomes()[bad.id]) == 2 else None)

    assert {result for _, result in told} == {"failed", "delivered"}
    assert listed() == []
    shown = await asyncio.to_thread(dead_letters.letter, settings, retried.number)
    assert shown.resolved == "retry"
    assert [result for _, result in scene.outcomes()[gone.id]] == ["failed"]
    for number in (retried.number, dropped.number):
        with pytest.raises(UsageError, match="was resolved"):
            dead_letters.retry(settings, [number])
    with pytest.raises(UsageError, match="no dead letter 999999"):
        dead_letters.drop(settings, [999_999])
    assert await asyncio.to_thread(role.stop) == 0, role.log


async def test_what_a_retry_would_not_carry_out_is_not_retried(scene: Scene) -> None:
    settings = scene.installation.settings
    expired = scene.command(0, expires_ms=1)

    async def letter(value: bytes, topic: str, offset: int) -> int:
        headers = {
            "dripline-reason": "rejected", "dripline-topic": topic,
            "dripline-partition": "0", "dripline-offset": str(offset),
        }  # fmt: skip
        async with scene.producer() as producer:
            sent = await producer.send_and_wait(
                names.DEAD_LETTERS, value, partition=0,
                headers=[(name, text.encode()) for name, text in headers.items()],
            )  # fmt: skip
            return int(sent.offset)

    late = await letter(commands.ENCODE(expired), names.COMMANDS, 1_000_000)
    copy = await letter(commands.ENCODE(expired), names.COMMANDS, 1_000_000)
    posted = await letter(b"{}", "http", -1)

    with pytest.raises(UsageError, match="has expired"):
        await asyncio.to_thread(dead_letters.retry, settings, [late])
    with pytest.raises(UsageError, match="did not come from a topic but from http"):
        await asyncio.to_thread(dead_letters.retry, settings, [posted])
    with pytest.raises(UsageError, match=f"no dead letter {copy}"):
        await asyncio.to_thread(dead_letters.letter, settings, copy)
    shown = await asyncio.to_thread(dead_letters.letter, settings, late)
    assert (shown.copies, shown.resolved) == (2, "")


async def test_settings_that_are_missing_are_named(scene: Scene, tmp_path: Path) -> None:
    role = scene.installation.start("delivery")

    assert await asyncio.to_thread(role.process.wait, 60) == 2
    assert "DRIPLINE_SMTP is not set" in role.log
