"""Calls side by side: what becomes of answers, errors, drains, and of knowing too little."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from app.clock import system_clock
from app.delivery import caller as calling
from app.delivery.caller import Caller
from app.sinks.port import AddressBlocked, Check
from schemas.commands import Command
from schemas.errors import Reject, Retry
from streams.delivery.calls import (
    Answer,
    Blocked,
    Call,
    Delivered,
    Later,
    Never,
    NotCalled,
    Unsure,
)
from streams.transport import ending
from tests.delivery.bench import Bench, mail

Act = Callable[[Command, Check], Any]


class OneSink:
    """A sink that does what the test says."""

    def __init__(self, act: Act) -> None:
        self.act = act

    async def send(self, command: Command, check: Check) -> Delivered | Unsure:
        answer: Delivered | Unsure = await self.act(command, check)
        return answer

    async def close(self) -> None:
        """Nothing is kept."""


class Stage:
    """A caller between a sink and a partition that only listens."""

    def __init__(self, act: Act, heard_ms: Callable[[], int] | None = None) -> None:
        self.wall = system_clock()
        self.bench = Bench()
        self.answers: asyncio.Queue[Answer] = asyncio.Queue()
        self.caller = Caller(
            {"email": OneSink(act)}, self.bench.blocked, self.bench.queues,
            heard_ms=heard_ms or self.wall.now_ms, wall=self.wall, grace_seconds=0.05,
        )  # fmt: skip
        driver: Any = SimpleNamespace(
            clock=self.wall, partitions={0: self.bench.partition}, perform=self._perform
        )
        self.caller.drive(driver)
        self.partition: Any = self.bench.partition
        self.partition.called = self._called

    def _called(self, key: bytes, answer: Answer, now_ms: int) -> list[object]:
        self.answers.put_nowait(answer)
        return []

    def _perform(self, partition: object, outputs: list[object]) -> None:
        assert partition is self.partition

    def call(self, command: Command | None = None) -> None:
        self.caller.call(self.partition, Call(b"k" * 16, command or mail(), 1))

    async def answered(self) -> Answer:
        return await self.answers.get()


async def raising(error: Exception) -> Delivered:
    raise error


@pytest.mark.parametrize(
    ("error", "answer"),
    [
        (Retry("status: 503"), Later("status: 503")),
        (Retry("status: 429", 1.5), Later("status: 429", 1_500)),
        (Reject("status: 404"), Never("status: 404")),
        (Reject("status: 550", bounced=True), Never("status: 550", bounced=True)),
        (AddressBlocked("unsubscribed"), Blocked("unsubscribed")),
    ],
)
async def test_errors_of_sinks_are_answers(error: Exception, answer: Answer) -> None:
    stage = Stage(lambda command, check: raising(error))

    stage.call()

    assert await stage.answered() == answer


async def test_the_check_asks_who_is_blocked_now() -> None:
    async def act(command: Command, check: Check) -> Delivered:
        check(command.address)
        return Delivered()

    stage = Stage(act)
    stage.bench.block("ana@example.org")

    stage.call()
    assert await stage.answered() == Blocked("unsubscribed")
    stage.call(mail(transactional=True))
    assert await stage.answered() == Delivered()


async def test_nothing_is_called_on_old_knowledge(monkeypatch: pytest.MonkeyPatch) -> None:
    heard = 0
    begun: list[str] = []

    async def act(command: Command, check: Check) -> Delivered:
        begun.append(command.id)
        return Delivered()

    stage = Stage(act, heard_ms=lambda: heard)
    stage.call()
    await asyncio.sleep(0.1)
    assert not begun
    heard = stage.wall.now_ms()
    assert await stage.answered() == Delivered()

    heard = 0
    monkeypatch.setattr(calling, "FRESH_PATIENCE_SECONDS", 0.05)
    stage.call()
    assert await stage.answered() == NotCalled()
    assert len(begun) == 1


async def test_knowledge_that_grows_old_while_a_call_waits_stops_it() -> None:
    waits = asyncio.Event()
    heard = system_clock().now_ms()

    async def act(command: Command, check: Check) -> Delivered:
        await waits.wait()
        check(command.address)
        raise AssertionError("called")

    stage = Stage(act, heard_ms=lambda: heard)
    stage.call()
    await asyncio.sleep(0.02)
    heard = 0
    waits.set()

    assert await stage.answered() == NotCalled()


async def test_a_drain_gives_calls_their_time_and_then_asks_how_sure_they_are() -> None:
    async def act(command: Command, check: Check) -> Delivered | Unsure:
        try:
            await asyncio.sleep(3_600)
        except asyncio.CancelledError:
            if command.id == mail(1).id:
                raise
            return Unsure("connection: given up")
        return Delivered()

    stage = Stage(act)
    stage.call(mail(1))
    stage.call(mail(2))
    await asyncio.sleep(0)
    stage.caller.draining(stage.partition)

    answers = {await stage.answered(), await stage.answered()}
    assert answers == {NotCalled(), Unsure("connection: given up")}


async def test_a_bug_in_a_sink_ends_the_process(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    ended = asyncio.Event()

    def leave(status: int) -> None:
        assert status == 70
        ended.set()

    monkeypatch.setattr(ending, "_exit", leave)
    stage = Stage(lambda command, check: raising(ZeroDivisionError()))

    stage.call()
    await ended.wait()

    assert stage.answers.empty()
    assert "ZeroDivisionError while calling email" in caplog.text
