-- Grain: one row per campaign, version and step that a journey came to
-- Key: campaign, version, step
-- Source: `journey_facts`
-- Dedup: reads FINAL
-- Rebuild: none: a view holds nothing
CREATE VIEW IF NOT EXISTS dripline.campaign_funnel AS
WITH entries AS (
    SELECT campaign, version, uniqExact(log, journey) AS entered
    FROM dripline.journey_facts FINAL WHERE fact = 'entered' GROUP BY campaign, version
)
SELECT
    f.campaign AS campaign,
    f.version AS version,
    f.step AS step,
    any(e.entered) AS entered,
    uniqExactIf((f.log, f.journey), f.fact = 'step_taken') AS reached,
    reached / nullIf(entered, 0) AS share,
    uniqExactIf((f.log, f.journey), f.fact = 'action_issued') AS issued,
    uniqExactIf((f.log, f.journey), f.fact = 'action_suppressed') AS suppressed,
    min(f.at) AS first_at
FROM (SELECT * FROM dripline.journey_facts FINAL WHERE step != '') AS f
LEFT JOIN entries AS e ON e.campaign = f.campaign AND e.version = f.version
GROUP BY campaign, version, step
