"""The id of a topic: another one under the same name is another log (clarifications 3f)."""

from __future__ import annotations

from kafka.admin import KafkaAdminClient
from kafka.errors import KafkaError

from schemas.errors import Halt, Unreachable


def topic_id(bootstrap: str, topic: str) -> str:
    """Ask the broker (blocking; aiokafka cannot).

    Raises `Unreachable`, or `Halt` when there is no such topic.
    """
    try:
        with KafkaAdminClient(bootstrap_servers=bootstrap) as admin:
            (found,) = admin.describe_topics([topic])
    except KafkaError as error:
        raise Unreachable(f"Kafka at {bootstrap}: {type(error).__name__}") from error
    if found["error_code"]:
        raise Halt(f"topic {topic} is not there: `dripline topics create` makes it")
    return str(found["topic_id"])
