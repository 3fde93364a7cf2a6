-- Grain: one row per fact
-- Key: log (topic id of `lead-events`), partition and offset of the record it follows from, number in its list
-- Source: `journey-facts`
-- Dedup: a crash of the worker repeats a list; it stands for the same record, FINAL keeps one
-- Rebuild: read `journey-facts` from its start into an empty database; rows are the same
CREATE TABLE IF NOT EXISTS dripline.journey_facts (
    log LowCardinality(String),
    partition UInt32,
    offset UInt64 CODEC(Delta, ZSTD),
    number UInt32,
    time DateTime64(3, 'UTC') CODEC(Delta, ZSTD),
    at DateTime64(3, 'UTC') CODEC(Delta, ZSTD),
    record String,
    lead String,
    fact LowCardinality(String),
    campaign LowCardinality(String),
    version UInt32,
    run UInt32,
    journey String,
    step LowCardinality(String),
    detail String CODEC(ZSTD(3)),
    INDEX by_lead lead TYPE bloom_filter GRANULARITY 4,
    INDEX by_campaign campaign TYPE set(100) GRANULARITY 4
) ENGINE = ReplacingMergeTree
PARTITION BY toYYYYMM(time)
ORDER BY (log, partition, offset, number)
