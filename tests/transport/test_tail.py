"""Tails read a topic whole before they say so, and go on."""

import asyncio
from typing import Any

import pytest

from schemas.errors import Halt
from streams.topology import Stage
from streams.transport import ending
from streams.transport.tail import Tail
from tests.kafka.server import KafkaServer
from tests.transport.processes import produce


def changes(first: int, last: int) -> list[tuple[bytes, bytes]]:
    return [(b"0", b"%d" % number) for number in range(first, last)]


async def test_everything_is_there_after_start(kafka: KafkaServer, stage: Stage) -> None:
    await asyncio.to_thread(produce, kafka.bootstrap, stage.source, changes(0, 2_000))
    came: list[bytes | None] = []
    tail = Tail(kafka.bootstrap, stage.source, lambda record: came.append(record.value))

    await tail.start()

    try:
        assert len(came) == 2_000
        await asyncio.to_thread(produce, kafka.bootstrap, stage.source, changes(2_000, 2_005))
        await tail.reached(2_004)
        assert came == [value for _, value in changes(0, 2_005)]
    finally:
        await tail.stop()


async def test_empty_topic_is_read_at_once(kafka: KafkaServer, stage: Stage) -> None:
    tail = Tail(kafka.bootstrap, stage.source, lambda record: None)

    await tail.start()

    assert tail.next_offset == 0
    await tail.stop()


async def test_record_that_cannot_be_taken_ends_the_process(
    kafka: KafkaServer, stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended: list[str] = []
    monkeypatch.setattr(ending, "end_for", lambda error, doing: ended.append(f"{error} {doing}"))

    def refuse(record: Any) -> None:
        raise Halt("not ours")

    tail = Tail(kafka.bootstrap, stage.source, refuse)
    await tail.start()
    await asyncio.to_thread(produce, kafka.bootstrap, stage.source, changes(0, 1))
    while not ended:  # noqa: ASYNC110 - it is the end that we wait for
        await asyncio.sleep(0.01)
    await tail.stop()

    assert ended == [f"not ours reading {stage.source}"]
