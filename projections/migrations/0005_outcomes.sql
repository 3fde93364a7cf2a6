-- Grain: one row per outcome that a sink told
-- Key: log (topic id of `lead-events`), partition, offset
-- Source: `lead-events`, schema `outcome/1`
-- Dedup: a row is the same function of the same record each time it is read; FINAL keeps one
-- Rebuild: read `lead-events` from its start into an empty database; rows are the same
CREATE TABLE IF NOT EXISTS dripline.outcomes (
    log LowCardinality(String),
    partition UInt32,
    offset UInt64 CODEC(Delta, ZSTD),
    time DateTime64(3, 'UTC') CODEC(Delta, ZSTD),
    id String,
    lead String,
    command String,
    journey String,
    campaign LowCardinality(String),
    step LowCardinality(String),
    channel LowCardinality(String),
    result LowCardinality(String),
    detail String,
    address String,
    INDEX by_lead lead TYPE bloom_filter GRANULARITY 4
) ENGINE = ReplacingMergeTree
PARTITION BY toYYYYMM(time)
ORDER BY (log, partition, offset)
