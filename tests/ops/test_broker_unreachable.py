"""The gauge behind DriplineBrokerUnreachable says 1 where nobody listens."""

from prometheus_client import generate_latest

from app import metrics
from app.clock import system_clock
from app.collector.event_log import EventLog
from tests.app.running import free_port


def told() -> str:
    (line,) = (
        line
        for line in generate_latest(metrics.REGISTRY).decode().splitlines()
        if line.startswith("dripline_broker_unreachable ")
    )
    return line.split()[1]


async def test_a_producer_without_a_broker_says_so() -> None:
    log = EventLog(f"127.0.0.1:{free_port()}", system_clock(), idempotent=True)
    await log.start()
    try:
        assert told() == "1.0"
        log.problem = ""
        assert told() == "0.0"
    finally:
        await log.stop(drain_seconds=0)
