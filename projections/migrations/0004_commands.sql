-- Grain: one row per command
-- Key: log (topic id of `lead-events`), id (derived from the log)
-- Source: `commands`
-- Dedup: a crash of the worker repeats a command under its id, FINAL keeps one
-- Rebuild: read `commands` from its start into an empty database; rows are the same
CREATE TABLE IF NOT EXISTS dripline.commands (
    log LowCardinality(String),
    partition UInt32,
    id String,
    issued DateTime64(3, 'UTC') CODEC(Delta, ZSTD),
    due DateTime64(3, 'UTC') CODEC(Delta, ZSTD),
    journey String,
    campaign LowCardinality(String),
    version UInt32,
    run UInt32,
    step LowCardinality(String),
    lead String,
    verb LowCardinality(String),
    channel LowCardinality(String),
    address String,
    template LowCardinality(String),
    template_digest String,
    settings String CODEC(ZSTD(3)),
    data String CODEC(ZSTD(3)),
    INDEX by_lead lead TYPE bloom_filter GRANULARITY 4
) ENGINE = ReplacingMergeTree
PARTITION BY toYYYYMM(issued)
ORDER BY (log, id)
