"""The role `delivery`: carries commands out, on Faust, by mail and webhooks.

Composition root: settings → topics checked → templates and suppressions read whole → partition
objects → the stage. SIGTERM drains: nothing new is begun, open calls get their time, results are
made durable.
"""

from __future__ import annotations

import asyncio
import contextlib
import hmac
import os
from base64 import b64encode
from functools import partial
from hashlib import sha256

import msgspec

from app import child, logs, topics
from app.clock import Clock, clock_of, system_clock
from app.delivery.caller import Caller
from app.delivery.delivery_metrics import Publisher
from app.mail import MailWriter
from app.settings import Settings
from app.sinks.email import EmailSink
from app.sinks.port import Sink
from app.sinks.smtp import server_of
from app.sinks.webhook import Signer, WebhookSink
from app.status import StatusServer
from app.templates import Templates
from app.tokens import Tokens
from app.worker import transport_settings
from schemas import topics as names
from schemas.errors import UsageError
from streams.delivery.blocked import BlockedAddresses
from streams.delivery.counts import DeliveryCounts
from streams.delivery.partition import HORIZON_MS, DeliveryPartition
from streams.delivery.policy import POLICIES, Policy
from streams.delivery.queues import Queues
from streams.partition import suppression
from streams.ports import LogRecord
from streams.topology import DELIVERY, run_stage
from streams.transport import ending
from streams.transport.driver import Driver
from streams.transport.settings import TransportSettings
from streams.transport.tail import Tail

PUBLISH_SECONDS = 1.0
# A drain: open calls are given up after the grace, results are durable before the deadline.
GRACE_SECONDS, DRAIN_SECONDS = 20.0, 26.0
# A child of `up` is killed 8 seconds after it was told to stop.
CHILD_GRACE_SECONDS, CHILD_DRAIN_SECONDS = 4.0, 7.0
OPEN_BYTES = 512 * 1024 * 1024  # of all partitions together


def main(settings: Settings, *, from_log_start: bool = False) -> int:
    """Run the role; the exit status. SIGTERM and SIGINT drain and stop.

    Raises `UsageError` for settings that are missing, `Unreachable` when the broker does not
    answer at the start, `Halt` on missing or wrong topics.
    """
    logs.configure("delivery", settings.log_level, settings.log_format)
    child.end_with_parent()
    settings.signing_secret()
    if settings.smtp is None:
        raise UsageError(
            "DRIPLINE_SMTP is not set: give the mail server as smtp://[user:pass@]host:port"
        )
    partitions = topics.require(settings)
    transport = transport_settings(settings, partitions, from_log_start)
    drain = CHILD_DRAIN_SECONDS if _is_child() else DRAIN_SECONDS
    return asyncio.run(_run(settings, msgspec.structs.replace(transport, drain_seconds=drain)))


def policies_of(settings: Settings) -> dict[str, Policy]:
    """The channels' policies with what the settings say."""
    return {
        name: msgspec.structs.replace(
            policy,
            tries=settings.delivery_tries,
            first_ms=int(settings.delivery_first_retry_seconds * 1000),
            # A mail that waits for a connection would be unknown after a crash for nothing.
            open_max=settings.smtp_connections if name == "email" else policy.open_max,
            expires_ms=policy.expires_ms if settings.default_expiry == "on" else None,
        )
        for name, policy in POLICIES.items()
    }


def webhook_secrets(settings: Settings) -> str:
    """DRIPLINE_WEBHOOK_SECRET, or one that follows from DRIPLINE_SECRET."""
    if settings.webhook_secret is not None and settings.webhook_secret.get_secret_value():
        return settings.webhook_secret.get_secret_value()
    key = hmac.digest(settings.signing_secret(), b"dripline webhooks 1", sha256)
    return "whsec_" + b64encode(key).decode()


class Delivery:
    """Everything of one process, joined."""

    def __init__(self, settings: Settings, transport: TransportSettings) -> None:
        secret = settings.signing_secret()

        def address_key(channel: str, address: str) -> str:
            return suppression.key(secret, channel, address).decode()

        self.clock = clock_of(settings.clock)
        self.templates = Templates()
        self.blocked = BlockedAddresses(address_key)
        self.counts = DeliveryCounts()
        self.policies = policies_of(settings)
        self.queues = Queues(self.policies, self.clock.speed)
        self.suppressions = Tail(transport.bootstrap, names.SUPPRESSIONS, self._blocked)
        self.changes = Tail(transport.bootstrap, names.CAMPAIGN_CHANGES, self.templates.heard)
        writer = MailWriter(
            self.templates, Tokens(secret), address_key,
            base_url=settings.base_url(), sender=settings.mail_from, now_ms=self.clock.now_ms,
        )  # fmt: skip
        self.sinks = _sinks(settings, writer)
        self.caller = Caller(
            self.sinks, self.blocked, self.queues,
            heard_ms=self.suppressions.heard_ms, wall=system_clock(),
            grace_seconds=CHILD_GRACE_SECONDS if _is_child() else GRACE_SECONDS,
        )  # fmt: skip
        self.driver = self._driver(transport)
        self.caller.drive(self.driver)

    def _blocked(self, record: LogRecord) -> None:
        self.blocked.heard(record.key, record.value)

    def _driver(self, transport: TransportSettings) -> Driver[DeliveryPartition]:
        def new_partition(number: int) -> DeliveryPartition:
            return DeliveryPartition(
                number,
                transport.partitions,
                self.queues,
                self.blocked,
                now_ms=self.driver.clock.now_ms() or self.clock.now_ms(),
                policies=self.policies,
                speed=self.clock.speed,
                horizon_ms=int(HORIZON_MS * max(1.0, self.clock.speed)),
                open_bytes=OPEN_BYTES // transport.partitions,
                counts=self.counts,
            )

        return Driver(
            new_partition,
            transport,
            name=DELIVERY.app,
            changelog=DELIVERY.changelog,
            now_ms=self.clock.now_ms,
            other=self.caller.call,
            draining=self.caller.draining,
            lost=self.caller.lost,
        )


def _sinks(settings: Settings, writer: MailWriter) -> dict[str, Sink]:
    assert settings.smtp is not None
    server = server_of(settings.smtp.get_secret_value(), settings.smtp_starttls)
    wall: Clock = system_clock()
    return {
        "email": EmailSink(writer, server, settings.smtp_connections),
        "webhook": WebhookSink(
            Signer(webhook_secrets(settings)),
            real_ms=wall.now_ms,
            allow_private=settings.webhook_allow_private,
        ),
    }


async def _run(settings: Settings, transport: TransportSettings) -> int:
    delivery = Delivery(settings, transport)
    publisher = Publisher(
        delivery.driver, delivery.counts, delivery.queues, tuple(delivery.policies)
    )
    status = _status_server(settings, delivery.driver)
    await delivery.suppressions.start()
    await delivery.changes.start()
    if status is not None:
        await status.start()
    publishing = asyncio.create_task(
        ending.or_end(partial(_publish, publisher), "publishing metrics")
    )
    try:
        return await run_stage(DELIVERY, transport, delivery.driver)
    finally:
        publishing.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await publishing
        for tail in (delivery.suppressions, delivery.changes):
            await tail.stop()
        for sink in delivery.sinks.values():
            await sink.close()
        if status is not None:
            await status.stop()


async def _publish(publisher: Publisher) -> None:
    while True:
        await asyncio.sleep(PUBLISH_SECONDS)
        publisher.publish()


def _status_server(settings: Settings, driver: Driver[DeliveryPartition]) -> StatusServer | None:
    if settings.metrics_port is None:
        return None

    def ready() -> str | None:
        return None if driver.ready else "partitions are being recovered or moved"

    return StatusServer(settings.host, settings.metrics_port, ready)


def _is_child() -> bool:
    return os.environ.get(child.SIGN) == "1"
