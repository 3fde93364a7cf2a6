-- Grain: one row per interaction, outcome and fact of a lead; order by log, partition, offset, number (0: the record, facts from 1)
-- Key: lead, log, partition, offset, number
-- Source: `interactions`, `outcomes`, `journey_facts`
-- Dedup: reads FINAL
-- Rebuild: none: a view holds nothing
CREATE VIEW IF NOT EXISTS dripline.lead_timeline AS
SELECT
    lead, log, partition, offset, toUInt32(0) AS number, time AS at,
    'interaction' AS source, toString(type) AS what, toString(event) AS name,
    '' AS campaign, '' AS step, properties AS detail
FROM dripline.interactions FINAL
UNION ALL
SELECT
    lead, log, partition, offset, toUInt32(0) AS number, time AS at,
    'outcome' AS source, toString(result) AS what, toString(channel) AS name,
    toString(campaign) AS campaign, toString(step) AS step, detail
FROM dripline.outcomes FINAL
UNION ALL
SELECT
    lead, log, partition, offset, number + 1 AS number, at,
    'fact' AS source, toString(fact) AS what, '' AS name,
    toString(campaign) AS campaign, toString(step) AS step, detail
FROM dripline.journey_facts FINAL
