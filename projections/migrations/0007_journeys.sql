-- Grain: one row per journey, as it was in the last state of its lead that held it; it runs still if that is the lead's latest (the same watermark) and `status` is `active`
-- Key: log (topic id of `lead-events`), journey
-- Source: `dripline-worker-leads-changelog`
-- Dedup: the highest watermark of a key wins, however often and in whatever order states come
-- Rebuild: read the changelog from its start; journeys that had ended are in `journey_facts` alone then
CREATE TABLE IF NOT EXISTS dripline.journeys (
    log LowCardinality(String),
    partition UInt32,
    journey String,
    watermark UInt64,
    lead String,
    campaign LowCardinality(String),
    version UInt32,
    run UInt32,
    per String,
    entered DateTime64(3, 'UTC'),
    status LowCardinality(String),
    steps Array(String),
    due DateTime64(3, 'UTC'),
    converted UInt8,
    held_out UInt8,
    splits String,
    sent UInt32
) ENGINE = ReplacingMergeTree(watermark)
ORDER BY (log, journey)
