"""Every topic as data: what `topics create` makes and `topics check` compares.

Names and keys are contracts (interfaces, Topics). `partitions` None means the installation's
number of partitions, fixed at creation.
"""

from __future__ import annotations

from msgspec import Struct

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
MIB = 1024 * 1024

LEAD_EVENTS = "lead-events"
CAMPAIGN_CHANGES = "campaign-changes"
JOURNEY_FACTS = "journey-facts"
COMMANDS = "commands"
SUPPRESSIONS = "suppressions"
DELIVERY_COUNTS = "delivery-counts"
DEAD_LETTERS = "dead-letters"
LEADS_CHANGELOG = "dripline-worker-leads-changelog"
SENDS_CHANGELOG = "dripline-delivery-sends-changelog"

WORKER_GROUP = "dripline-worker"
DELIVERY_GROUP = "dripline-delivery"


class Topic(Struct, frozen=True):
    """One topic: `retention_ms` -1 keeps for ever; `append_time` means LogAppendTime.

    `max_bytes` is the largest batch: a dead letter is the largest record and its reason.
    """

    name: str
    key: str
    partitions: int | None
    retention_ms: int
    compacted: bool = False
    append_time: bool = True
    max_bytes: int = 8 * MIB
    meaning: str = ""

    def settings(self) -> dict[str, str]:
        """The broker's topic settings that must hold, as `CreateTopics` takes them."""
        config = {
            "cleanup.policy": "compact" if self.compacted else "delete",
            "message.timestamp.type": "LogAppendTime" if self.append_time else "CreateTime",
            "max.message.bytes": str(self.max_bytes),
        }
        if self.compacted:
            config["min.compaction.lag.ms"] = str(HOUR_MS)
        else:
            config["retention.ms"] = str(self.retention_ms)
        return config


TOPICS: tuple[Topic, ...] = (
    Topic(LEAD_EVENTS, "lead id", None, 400 * DAY_MS, meaning="the log of every lead"),
    Topic(CAMPAIGN_CHANGES, "kind/id", 1, -1, meaning="changes of campaigns, lists, templates"),
    Topic(JOURNEY_FACTS, "lead id", None, 30 * DAY_MS, meaning="what the engine decided"),
    Topic(COMMANDS, "lead id", None, 14 * DAY_MS, meaning="outward actions for the sinks"),
    Topic(SUPPRESSIONS, "HMAC of address and channel", 1, -1, compacted=True,
          meaning="who must not be written to"),
    Topic(DELIVERY_COUNTS, "campaign id", 1, 2 * DAY_MS, meaning="outcomes a minute"),
    Topic(DEAD_LETTERS, "as the source", 1, 400 * DAY_MS, max_bytes=9 * MIB,
          meaning="what could not be handled"),
    Topic(LEADS_CHANGELOG, "lead id", None, -1, compacted=True, meaning="the leads' states"),
    Topic(SENDS_CHANGELOG, "command id", None, -1, compacted=True, meaning="what is being sent"),
)  # fmt: skip
BY_NAME = {topic.name: topic for topic in TOPICS}
