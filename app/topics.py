"""The topics on the broker: made, and compared with `schemas.topics` (`dripline topics`).

Roles refuse to start on missing or wrong ones: a Kafka client that meets a missing topic spins
and logs without pause, and a wrong setting (compaction of a log, producers' times) loses or
changes what happened.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from kafka.admin import ConfigResource, ConfigResourceType, KafkaAdminClient

from app.broker import check_reachable, unreachable
from app.settings import Settings
from schemas import topics
from schemas.errors import Halt, UsageError
from schemas.topics import Topic

# These may be larger than ours (retention: also -1, for ever); all others must be equal.
_AT_LEAST = frozenset({"max.message.bytes", "min.compaction.lag.ms", "retention.ms"})


def create(settings: Settings) -> list[str]:
    """Make the topics that are missing, and give their names.

    Raises `UsageError` when one that is there is wrong, before anything is made; `Unreachable`.
    """
    with _admin(settings) as admin:
        found = _describe(admin)
        wrong = _problems(admin, settings, found, missing_too=False)
        if wrong:
            raise UsageError(_listed(wrong))
        missing = [topic for topic in topics.TOPICS if topic.name not in found]
        if missing:
            admin.create_topics({topic.name: _options(topic, settings) for topic in missing})
            admin.wait_for_topics([topic.name for topic in missing])
    return [topic.name for topic in missing]


def problems(settings: Settings) -> list[str]:
    """What is wrong with the topics, one sentence each; empty: all is well."""
    with _admin(settings) as admin:
        return _problems(admin, settings, _describe(admin), missing_too=True)


def require(settings: Settings) -> int:
    """The number of partitions, after a check: what a role does before it starts.

    Raises `Halt` with all that is wrong; `Unreachable`.
    """
    with _admin(settings) as admin:
        found = _describe(admin)
        wrong = _problems(admin, settings, found, missing_too=True)
    if wrong:
        raise Halt(_listed(wrong))
    return found[topics.LEAD_EVENTS]


def partition_count(settings: Settings, topic: str = topics.LEAD_EVENTS) -> int:
    """How many partitions a topic has. Raises `Halt` when it is not there; `Unreachable`."""
    with _admin(settings) as admin:
        found = _describe(admin)
    if topic not in found:
        raise Halt(f"topic {topic} is not there: `dripline topics create` makes it")
    return found[topic]


@contextmanager
def _admin(settings: Settings) -> Iterator[Any]:
    bootstrap = settings.bootstrap()
    check_reachable(bootstrap)
    with (
        unreachable(bootstrap),
        KafkaAdminClient(bootstrap_servers=bootstrap, client_id="dripline-topics") as admin,
    ):
        yield admin


def _describe(admin: Any) -> dict[str, int]:
    """Partitions of those of our topics that are there."""
    found = admin.describe_topics([topic.name for topic in topics.TOPICS])
    return {each["name"]: len(each["partitions"]) for each in found if not each["error_code"]}


def _options(topic: Topic, settings: Settings) -> dict[str, Any]:
    return {
        "num_partitions": topic.partitions or settings.partitions,
        "replication_factor": 1 if settings.embedded else -1,  # -1: the broker's default
        "configs": topic.settings(),
    }


def _problems(
    admin: Any, settings: Settings, found: Mapping[str, int], *, missing_too: bool
) -> list[str]:
    wanted = found.get(topics.LEAD_EVENTS, settings.partitions)
    if "partitions" in settings.model_fields_set or not missing_too:
        wanted = settings.partitions
    configs = _configs(admin, list(found)) if found else {}
    said: list[str] = []
    for topic in topics.TOPICS:
        if topic.name in found:
            said += _differences(topic, wanted, found[topic.name], configs[topic.name], settings)
        elif missing_too:
            said.append(f"{topic.name} is missing: `dripline topics create` makes it")
    return said


def _configs(admin: Any, names: list[str]) -> dict[str, dict[str, str]]:
    resources = [ConfigResource(ConfigResourceType.TOPIC, name) for name in names]
    described = admin.describe_configs(resources, config_filter="all")["topic"]
    return {
        name: {key: str(entry["value"]) for key, entry in entries.items()}
        for name, entries in described.items()
    }


def _differences(
    topic: Topic, partitions: int, found: int, config: Mapping[str, str], settings: Settings
) -> Iterator[str]:
    want = topic.partitions or partitions
    if found != want:
        yield (
            f"{topic.name} has {found} partitions, not {want}: the number is fixed at creation "
            "(DRIPLINE_PARTITIONS), another one needs a new installation"
        )
    for name, value in topic.settings().items():
        there = config.get(name)
        if name == "message.timestamp.type" and settings.record_time == "producer":
            continue
        if there is None and settings.embedded:
            continue
        if not _fits(name, value, there):
            yield f"{topic.name} has {name}={there}, not {value}: set it with kafka-configs --alter"


def _fits(name: str, want: str, there: str | None) -> bool:
    if there is None or name not in _AT_LEAST or not there.lstrip("-").isdigit():
        return there == want
    for_ever = name == "retention.ms" and int(there) == -1
    return for_ever or (want != "-1" and int(there) >= int(want))


def _listed(problems: list[str]) -> str:
    return "the topics are not as they must be:\n" + "\n".join(f"  - {each}" for each in problems)
