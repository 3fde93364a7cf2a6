"""A toy worker as a process; its words are stage, bootstrap, partitions and settings (JSON).

Prints one JSON line for each thing that happens; ends as a role does.
"""

import asyncio
import json
import logging
import sys
import time
from typing import Any

from streams.topology import run_stage
from streams.transport.driver import Driver
from streams.transport.settings import TransportSettings
from tests.transport.toy import ToyPartition, stage_of


def say(**fields: Any) -> None:
    print(json.dumps(fields), flush=True)


async def main(name: str, bootstrap: str, partitions: int, changes: str) -> int:
    stage = stage_of(name)
    settings = TransportSettings(bootstrap=bootstrap, partitions=partitions, **json.loads(changes))
    driver: Driver[ToyPartition] = Driver(
        lambda number: ToyPartition(number, stage),
        settings,
        name=stage.app,
        changelog=stage.changelog,
        now_ms=lambda: time.time_ns() // 1_000_000,
        restartable=True,
        lost=lambda partition: say(lost=partition.number, rereads=partition.rereads),
    )

    async def report() -> None:
        was: list[int] = []
        while True:
            await asyncio.sleep(0.05)
            now = sorted(driver.partitions) if driver.ready else []
            if now != was:
                say(partitions=now, at=time.monotonic())
                was = now

    reporting = asyncio.create_task(report())
    status = await run_stage(stage, settings, driver)
    reporting.cancel()
    return status


if __name__ == "__main__":
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr)
    logging.getLogger("streams").setLevel(logging.INFO)
    name, bootstrap, partitions, changes = sys.argv[1:]
    sys.exit(asyncio.run(main(name, bootstrap, int(partitions), changes)))
