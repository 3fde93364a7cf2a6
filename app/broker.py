"""Is there a broker? Asked before a Kafka client is made, which would try for long and leak."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator

from kafka.errors import KafkaError

from schemas.errors import Unreachable

CONNECT_SECONDS = 5.0


def check_reachable(bootstrap: str) -> None:
    """Raise `Unreachable` unless one of `host:port,…` takes a connection."""
    reasons = []
    for server in bootstrap.split(","):
        host, _, port = server.strip().rpartition(":")
        try:
            socket.create_connection((host.strip("[]"), int(port)), CONNECT_SECONDS).close()
            return
        except OSError as error:
            reasons.append(f"{server.strip()}: {error.strerror or error}")
    raise Unreachable(
        f"no Kafka broker answers ({'; '.join(reasons)}): start it, or set DRIPLINE_KAFKA"
    )


@contextlib.contextmanager
def unreachable(bootstrap: str) -> Iterator[None]:
    """Turn kafka-python's errors into `Unreachable`."""
    try:
        yield
    except KafkaError as error:
        raise Unreachable(f"Kafka at {bootstrap}: {type(error).__name__}") from error
