-- Grain: one row per hour, campaign, version and step
-- Key: hour, campaign, version, step
-- Source: `journey_facts`
-- Dedup: reads FINAL
-- Rebuild: none: a view holds nothing
CREATE VIEW IF NOT EXISTS dripline.step_metrics_hourly AS
SELECT
    toStartOfHour(at) AS hour,
    campaign,
    version,
    step,
    countIf(fact = 'step_taken') AS taken,
    countIf(fact = 'waiting') AS waiting,
    countIf(fact = 'timer_fired') AS timers_fired,
    countIf(fact = 'message_held') AS held,
    countIf(fact = 'action_issued') AS issued,
    countIf(fact = 'action_suppressed') AS suppressed,
    countIf(fact = 'outcome' AND JSONExtractString(detail, 'result') = 'delivered') AS delivered,
    countIf(fact = 'outcome' AND JSONExtractString(detail, 'result') = 'failed') AS failed,
    countIf(fact = 'outcome' AND JSONExtractString(detail, 'result') = 'bounced') AS bounced,
    countIf(fact = 'outcome' AND JSONExtractString(detail, 'result') = 'unknown') AS unknown
FROM dripline.journey_facts FINAL
WHERE step != ''
GROUP BY hour, campaign, version, step
