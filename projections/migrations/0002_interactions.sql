-- Grain: one row per interaction, and per word by hand (`type` is `by_hand`, `event` what was done)
-- Key: log (topic id of `lead-events`), partition, offset
-- Source: `lead-events`, schemas `interaction/1` and `by-hand/1`
-- Dedup: a row is the same function of the same record each time it is read; FINAL keeps one
-- Rebuild: read `lead-events` from its start into an empty database; rows are the same
CREATE TABLE IF NOT EXISTS dripline.interactions (
    log LowCardinality(String),
    partition UInt32,
    offset UInt64 CODEC(Delta, ZSTD),
    time DateTime64(3, 'UTC') CODEC(Delta, ZSTD),
    id String,
    lead String,
    type LowCardinality(String),
    event LowCardinality(String),
    user_id String,
    anonymous_id String,
    properties String CODEC(ZSTD(3)),
    traits String CODEC(ZSTD(3)),
    context String CODEC(ZSTD(3)),
    event_time String,
    historical UInt8,
    INDEX by_lead lead TYPE bloom_filter GRANULARITY 4
) ENGINE = ReplacingMergeTree
PARTITION BY toYYYYMM(time)
ORDER BY (log, partition, offset)
