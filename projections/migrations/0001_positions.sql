-- Grain: one row per insert: how far one partition of one topic is projected
-- Key: topic_id, partition
-- Source: the projector, after the rows of a batch are in
-- Dedup: the highest offset wins
-- Rebuild: none: without it everything is read again
CREATE TABLE IF NOT EXISTS dripline.positions (
    topic_id String,
    topic LowCardinality(String),
    partition UInt32,
    next_offset UInt64
) ENGINE = ReplacingMergeTree(next_offset)
ORDER BY (topic_id, partition)
