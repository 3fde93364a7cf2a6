"""Children of `up`: started again, given up, waited for."""

import asyncio

import pytest

from app import supervisor
from app.clock import system_clock
from app.supervisor import Child
from schemas.errors import Halt
from tests.app.running import environ, free_port


def child(role: str, said: list[str], **env: str) -> Child:
    return Child(role, environ(**env), system_clock(), said.append)


async def test_a_child_that_refuses_its_settings_is_not_started_again() -> None:
    said: list[str] = []
    worker = child("worker", said)  # nobody gave it any
    with pytest.raises(Halt, match="the worker refused to start"):
        await worker.keep_running()
    assert worker.starts == 1
    assert any("is not set" in line for line in said)


async def test_a_broker_that_is_away_is_a_reason_to_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervisor, "FAILED_STARTS_MAX", 2)
    monkeypatch.setattr(supervisor, "PAUSE_SECONDS", (0.01, 0.01))
    said: list[str] = []
    worker = child(
        "worker", said, DRIPLINE_KAFKA=f"127.0.0.1:{free_port()}", DRIPLINE_SECRET="a secret"
    )
    running = asyncio.create_task(worker.keep_running())
    while worker.starts < 3:
        done, _ = await asyncio.wait({running}, timeout=0.1)
        assert not done
    await worker.stop()
    await running
    assert any("the worker ended (status 3) and is started again" in line for line in said)


async def test_a_child_that_fails_again_and_again_is_given_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(supervisor, "FAILED_STARTS_MAX", 2)
    monkeypatch.setattr(supervisor, "PAUSE_SECONDS", (0.01, 0.01))
    said: list[str] = []
    crashing = child("config", said)  # a command that ends at once, though nobody told it to
    with pytest.raises(Halt, match="ended 2 times in a row"):
        await crashing.keep_running()
