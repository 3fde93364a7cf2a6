-- Grain: one row per change of a campaign, list or template
-- Key: log (topic id of `campaign-changes`), number (the change's offset)
-- Source: `campaign-changes`
-- Dedup: a row is the same function of the same record each time it is read; FINAL keeps one
-- Rebuild: read `campaign-changes` from its start into an empty database; rows are the same
CREATE TABLE IF NOT EXISTS dripline.campaigns (
    log LowCardinality(String),
    number UInt64,
    time DateTime64(3, 'UTC'),
    kind LowCardinality(String),
    id String,
    do LowCardinality(String),
    digest String,
    by String,
    document String CODEC(ZSTD(3))
) ENGINE = ReplacingMergeTree
ORDER BY (log, number)
