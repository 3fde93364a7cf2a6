"""Every metric of the project: one registry, names by Prometheus' conventions.

Base units (seconds, bytes), `_total` for counters, no ids in labels. Roles import the objects and
set them; hot paths count in plain ints and publish at the flush. docs/reference/metrics.md is
checked against this file by a test.
"""

from __future__ import annotations

from importlib.metadata import version

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    GCCollector,
    Histogram,
    PlatformCollector,
    ProcessCollector,
    generate_latest,
)

REGISTRY = CollectorRegistry()
ProcessCollector(registry=REGISTRY)
PlatformCollector(registry=REGISTRY)
GCCollector(registry=REGISTRY)

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

# From half a millisecond to ten seconds: requests, acknowledgements.
QUICK = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
# From a second to a day: timers that fire late, records that wait.
LATE = (0.1, 0.5, 1, 2, 5, 10, 30, 60, 300, 900, 3600, 6 * 3600, 24 * 3600)


def _counter(name: str, meaning: str, *labels: str) -> Counter:
    return Counter(f"dripline_{name}", meaning, labels, registry=REGISTRY)


def _gauge(name: str, meaning: str, *labels: str) -> Gauge:
    return Gauge(f"dripline_{name}", meaning, labels, registry=REGISTRY)


def _histogram(name: str, meaning: str, buckets: tuple[float, ...], *labels: str) -> Histogram:
    return Histogram(f"dripline_{name}", meaning, labels, buckets=buckets, registry=REGISTRY)


# Every role
BUILD = _gauge("build_info", "Version of the running code; always 1", "version", "role")
LOG_LINES_LEFT_OUT = _counter(
    "log_lines_left_out_total", "Log lines of other libraries left out by the rate limit", "logger"
)
BROKER_UNREACHABLE = _gauge(
    "broker_unreachable", "1 while the broker does not answer this process, else 0"
)

# Collector
EVENTS_ACCEPTED = _counter("events_accepted_total", "Events acknowledged by the broker", "type")
EVENTS_REJECTED = _counter("events_rejected_total", "Events that were not taken", "reason")
REQUESTS = _counter("http_requests_total", "Answered requests", "route", "status")
INGEST_LATENCY = _histogram(
    "ingest_latency_seconds", "From a request's last byte to the broker's acknowledgement", QUICK
)
COLLECTOR_IN_FLIGHT = _gauge("collector_in_flight_bytes", "Bytes not yet acknowledged")
LINK_EVENTS_LOST = _counter(
    "link_events_lost_total", "Opens and clicks answered without the broker's word", "kind"
)

# Worker
RECORDS = _counter("records_total", "Records of lead-events, by what became of them", "result")
LAG_RECORDS = _gauge("lag_records", "Records not yet handled", "partition")
LAG_SECONDS = _gauge("lag_seconds", "Age of the oldest record not yet handled", "partition")
RECORD_TO_COMMAND = _histogram(
    "record_to_command_seconds", "From a record's time to its command's acknowledgement", QUICK
)
BATCH_RECORDS = _histogram(
    "batch_records", "Records handled at once", (1, 4, 16, 64, 256, 1024, 4096, 16384)
)
FLUSH_SECONDS = _histogram("flush_seconds", "From a flush's begin to its durable marker", QUICK)
FLUSHED_STATES = _counter("flushed_states_total", "Changelog records of leads' states")
STATE_BYTES = _gauge("state_bytes", "Encoded size of all leads' states", "partition")
LEADS = _gauge("leads", "Leads that have a state", "partition")
STATE_CACHE = _counter("state_cache_total", "Look-ups of a decoded state", "result")
TIMERS_PENDING = _gauge("timers_pending", "Leads with a timer that is not yet due", "partition")
TIMERS_OVERDUE = _gauge("timers_overdue", "Leads with a timer that is due", "partition")
TIMER_OLDEST_OVERDUE = _gauge(
    "timer_oldest_overdue_seconds", "How late the oldest timer that is due is", "partition"
)
TIMER_LATENESS = _histogram("timer_lateness_seconds", "How late timers fired, in log time", LATE)
FACTS = _counter("facts_total", "Facts that the engine concluded", "kind")
REFUSALS = _counter("refusals_total", "What the engine only counts", "reason")
COMMANDS = _counter("commands_total", "Commands issued", "channel")
DEAD_LETTERS = _counter("dead_letters_total", "Records that could not be handled", "reason")
QUARANTINED = _counter("quarantined_leads_total", "Leads put into quarantine")
RECOVERY = _gauge("recovery_progress_ratio", "Share of the changelog that is read", "partition")
JOURNEYS = _gauge(
    "running_journeys",
    "Journeys that are active; the 100 largest campaigns, the rest as `other`",
    "campaign",
)

# Delivery
OUTCOMES = _counter("outcomes_total", "Final outcomes of commands", "channel", "result")
SINK_RETRIES = _counter("sink_retries_total", "Calls that are tried again", "channel", "reason")
SINK_LATENCY = _histogram("sink_latency_seconds", "How long a sink's call took", QUICK, "channel")
SENDS_OPEN = _gauge("sends_open", "Commands taken in and without a result", "channel")
SENDS_CALLING = _gauge("sends_calling", "Calls that are under way", "channel")
SENDS_OLDEST = _gauge("sends_oldest_seconds", "Age of the oldest command without a result")
SENDS_UNKNOWN = _counter(
    "sends_unknown_total", "Calls of which nobody knows whether they took effect", "channel"
)
SENDS_REPEATED = _counter("sends_repeated_total", "Commands that were known already")
SENDS_SUPPRESSED = _counter("sends_suppressed_total", "Commands not called", "channel", "reason")

# Supervisor
CHILD_RESTARTS = _counter("child_restarts_total", "Children of `up` started again", "child")


def says_who(role: str) -> None:
    """This process runs `role`, at the installed version."""
    BUILD.labels(version("dripline"), role).set(1)


def exposition() -> bytes:
    """All metrics in Prometheus' text format, as `/metrics` answers."""
    return generate_latest(REGISTRY)
