-- Grain: one row per lead, as of its last changed state (`deleted` 1: gone)
-- Key: log (topic id of `lead-events`), lead
-- Source: `dripline-worker-leads-changelog`
-- Dedup: the highest watermark of a key wins, however often and in whatever order states come
-- Rebuild: read the changelog from its start; compaction keeps what counts
CREATE TABLE IF NOT EXISTS dripline.leads (
    log LowCardinality(String),
    partition UInt32,
    lead String,
    watermark UInt64,
    clock DateTime64(3, 'UTC'),
    created DateTime64(3, 'UTC'),
    last_seen DateTime64(3, 'UTC'),
    traits String CODEC(ZSTD(3)),
    points Float64,
    tags Array(String),
    lists Array(String),
    blocked String,
    zone LowCardinality(String),
    running UInt32,
    quarantined String,
    deleted UInt8
) ENGINE = ReplacingMergeTree(watermark)
ORDER BY (log, lead)
