-- Grain: one row per campaign
-- Key: campaign
-- Source: `journey_facts`
-- Dedup: reads FINAL
-- Rebuild: none: a view holds nothing
CREATE VIEW IF NOT EXISTS dripline.time_to_convert AS
SELECT
    campaign,
    count() AS conversions,
    quantileExact(0.5)(seconds) AS p50_seconds,
    quantileExact(0.9)(seconds) AS p90_seconds,
    quantileExact(0.99)(seconds) AS p99_seconds,
    min(seconds) AS min_seconds,
    max(seconds) AS max_seconds
FROM (
    SELECT
        campaign,
        log,
        journey,
        (toUnixTimestamp64Milli(minIf(at, fact = 'converted'))
            - toUnixTimestamp64Milli(minIf(at, fact = 'entered'))) / 1000 AS seconds
    FROM dripline.journey_facts FINAL
    WHERE fact IN ('entered', 'converted')
    GROUP BY campaign, log, journey
    HAVING countIf(fact = 'entered') > 0 AND countIf(fact = 'converted') > 0
)
GROUP BY campaign
