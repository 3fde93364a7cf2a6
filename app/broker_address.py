"""Where Kafka is, for commands that read or write it themselves: `export`, `verify`, `publish`.

At DRIPLINE_KAFKA; where that is not set, at the address that the running `up` gives over HTTP,
together with its clock: whatever is appended there is stamped by it (clarifications 3c, 18).
"""

from __future__ import annotations

from app.instance import Instance
from app.settings import Settings
from schemas.errors import Unreachable


def with_broker(settings: Settings, url: str | None) -> Settings:
    """The settings with `kafka` (and `clock`, on the embedded broker) filled in.

    Raises `Unreachable` when neither is there.
    """
    if settings.kafka is not None and url is None:
        return settings
    instance = Instance.of(settings, url)
    told = instance.get("/api/instance")
    if not isinstance(told, dict) or not told.get("kafka"):
        raise Unreachable(f"{instance.url} does not tell where its broker is: set DRIPLINE_KAFKA")
    return settings.model_copy(
        update={
            "kafka": told["kafka"],
            "clock": told.get("clock") or None,
            "record_time": "producer" if told.get("clock") else settings.record_time,
        }
    )
