"""The load generator, a process of its own: `python -m tests.faults.load BOOTSTRAP RATE SEED`.

Appends interactions straight to `lead-events` until its standard input closes, then prints how
many were acknowledged. Each record has an effect, and so a record in `journey-facts`.
"""

import asyncio
import json
import random
import sys
import time

from aiokafka import AIOKafkaProducer

from schemas.ids import partition_of
from schemas.topics import LEAD_EVENTS

LEADS = 3_000
SCHEMA = ("schema", b"interaction/1")
ROUND_SECONDS = 0.01


async def main(bootstrap: str, rate: float, seed: int) -> int:
    chance = random.Random(seed)
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, acks="all", linger_ms=5)
    await producer.start()
    partitions = len(await producer.partitions_for(LEAD_EVENTS))
    leads = [f"lead-{number}" for number in range(LEADS)]
    places = [partition_of(lead, partitions) for lead in leads]
    stop = asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    sent, began = 0, time.monotonic()
    waiting: set[asyncio.Future[object]] = set()
    while not stop.done():
        due = int((time.monotonic() - began) * rate)
        for number in range(sent, due):
            chosen = chance.randrange(LEADS)
            value, headers = _interaction(leads[chosen], number, seed)
            future = await producer.send(
                LEAD_EVENTS, value, key=leads[chosen].encode(), partition=places[chosen],
                headers=headers,
            )  # fmt: skip
            waiting.add(future)
            future.add_done_callback(waiting.discard)
        sent = max(sent, due)
        await asyncio.sleep(ROUND_SECONDS)
    await asyncio.gather(*waiting)
    await producer.stop()
    return sent


def _interaction(lead: str, number: int, seed: int) -> tuple[bytes, list[tuple[str, bytes]]]:
    """Every 40th is an order, which issues a command, every 5th a view, which changes points, all
    others change a trait."""
    body: dict[str, object] = {"type": "track", "userId": lead}
    if number % 40 == 0:
        body |= {"event": "Order Completed", "properties": {"order_id": f"{seed}-{number}"}}
    elif number % 5 == 0:
        body |= {"event": "Product Viewed", "properties": {"number": number}}
    else:
        body |= {"type": "identify", "traits": {"number": number}}
    return json.dumps(body).encode(), [SCHEMA, ("id", f"{seed}-{number}".encode())]


if __name__ == "__main__":
    print(asyncio.run(main(sys.argv[1], float(sys.argv[2]), int(sys.argv[3]))), flush=True)
