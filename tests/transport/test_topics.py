"""Topics are made as `schemas.topics` says, and refused when they are otherwise."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from kafka.admin import ConfigResource, ConfigResourceType, KafkaAdminClient

from app import topics, worker
from app.settings import Settings, load_settings
from schemas import topics as names
from schemas.errors import Halt, Unreachable, UsageError
from tests.kafka.server import JARS, KafkaServer, free_ports
from tests.transport.processes import eventually


@pytest.fixture(scope="module")
def own_kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KafkaServer]:
    """A broker of our own: the topics' names are those of every installation."""
    if not JARS.is_dir():
        pytest.skip("no Kafka jars: run `make test`, or `make .kafka/.jars-done` once")
    with KafkaServer(tmp_path_factory.mktemp("topics")) as server:
        yield server


@pytest.fixture
def settings(own_kafka: KafkaServer) -> Settings:
    """An installation of six partitions, without topics."""
    _delete_all(own_kafka)
    return settings_of(own_kafka.bootstrap, partitions=6)


def settings_of(bootstrap: str, partitions: int | None = None) -> Settings:
    environ = {"DRIPLINE_KAFKA": bootstrap, "DRIPLINE_SECRET": "s" * 32}
    if partitions is not None:
        environ["DRIPLINE_PARTITIONS"] = str(partitions)
    return load_settings(environ)


def _delete_all(kafka: KafkaServer) -> None:
    with KafkaAdminClient(bootstrap_servers=kafka.bootstrap) as admin:
        there = set(names.BY_NAME) & set(admin.list_topics())
        if there:
            admin.delete_topics(sorted(there))
            eventually(lambda: not set(names.BY_NAME) & set(admin.list_topics()))


def _alter(kafka: KafkaServer, topic: str, **config: str) -> None:
    changed = {name.replace("_", "."): value for name, value in config.items()}
    with KafkaAdminClient(bootstrap_servers=kafka.bootstrap) as admin:
        admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, topic, changed)])
        asked = [ConfigResource(ConfigResourceType.TOPIC, topic)]

        def altered() -> bool:
            there = admin.describe_configs(asked, config_filter="all")["topic"][topic]
            return all(there[name]["value"] == value for name, value in changed.items())

        eventually(altered)


def test_missing_topics_are_made_once(settings: Settings) -> None:
    assert topics.problems(settings) == [
        f"{name} is missing: `dripline topics create` makes it" for name in names.BY_NAME
    ]

    assert topics.create(settings) == list(names.BY_NAME)

    assert topics.problems(settings) == []
    assert topics.create(settings) == []
    assert topics.require(settings) == 6
    assert topics.partition_count(settings, names.CAMPAIGN_CHANGES) == 1


def test_only_what_is_missing_is_made(own_kafka: KafkaServer, settings: Settings) -> None:
    topics.create(settings)
    with KafkaAdminClient(bootstrap_servers=own_kafka.bootstrap) as admin:
        admin.delete_topics([names.COMMANDS])
        eventually(lambda: names.COMMANDS not in admin.list_topics())

    assert topics.create(settings) == [names.COMMANDS]


def test_number_of_partitions_is_fixed(own_kafka: KafkaServer, settings: Settings) -> None:
    topics.create(settings)

    with pytest.raises(UsageError, match="lead-events has 6 partitions, not 8"):
        topics.create(settings_of(own_kafka.bootstrap, partitions=8))
    assert (
        topics.require(settings_of(own_kafka.bootstrap)) == 6
    )  # who does not say takes what is there


@pytest.mark.parametrize(
    ("topic", "config", "said"),
    [
        (names.LEAD_EVENTS, {"message_timestamp_type": "CreateTime"}, "LogAppendTime"),
        (names.LEAD_EVENTS, {"cleanup_policy": "compact"}, "cleanup.policy=compact, not delete"),
        (names.LEADS_CHANGELOG, {"cleanup_policy": "delete"}, "cleanup.policy=delete, not compact"),
        (names.LEADS_CHANGELOG, {"min_compaction_lag_ms": "0"}, "min.compaction.lag.ms=0"),
        (names.CAMPAIGN_CHANGES, {"retention_ms": "86400000"}, "retention.ms=86400000, not -1"),
    ],
)
def test_wrong_setting_is_named(
    own_kafka: KafkaServer, settings: Settings, topic: str, config: dict[str, str], said: str
) -> None:
    topics.create(settings)
    _alter(own_kafka, topic, **config)

    assert any(topic in one and said in one for one in topics.problems(settings))
    with pytest.raises(Halt, match=topic):
        topics.require(settings)
    with pytest.raises(UsageError, match=topic):
        topics.create(settings)


def test_longer_retention_is_fine(own_kafka: KafkaServer, settings: Settings) -> None:
    topics.create(settings)
    _alter(own_kafka, names.LEAD_EVENTS, retention_ms="-1", max_message_bytes="10485760")

    assert topics.problems(settings) == []


def test_worker_refuses_missing_topics(settings: Settings, tmp_path: Path) -> None:
    """A Kafka client that meets a missing topic spins: nothing is connected before."""
    with pytest.raises(Halt, match="lead-events is missing"):
        worker.main(settings)


def test_broker_that_cannot_be_reached_is_named() -> None:
    (port,) = free_ports(1)

    with pytest.raises(Unreachable, match=f"127.0.0.1:{port}"):
        topics.problems(settings_of(f"127.0.0.1:{port}"))
