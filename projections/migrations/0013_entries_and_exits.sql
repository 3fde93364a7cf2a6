-- Grain: one row per campaign: entered = active + completed + left, so `difference` is 0 once facts and states of the same flush are in
-- Key: campaign
-- Source: `journey_facts` for who entered, completed, left; `journeys` and `leads` for who is active
-- Dedup: reads FINAL; journeys are counted once each
-- Rebuild: none: a view holds nothing
CREATE VIEW IF NOT EXISTS dripline.entries_and_exits AS
WITH
    flows AS (
        SELECT
            campaign,
            uniqExactIf((log, journey), fact = 'entered') AS entered,
            uniqExactIf((log, journey), fact = 'completed') AS completed,
            uniqExactIf((log, journey), fact = 'left') AS left
        FROM dripline.journey_facts FINAL
        WHERE fact IN ('entered', 'completed', 'left')
        GROUP BY campaign
    ),
    running AS (
        SELECT j.campaign AS campaign, uniqExact(j.log, j.journey) AS active
        FROM (SELECT * FROM dripline.journeys FINAL WHERE status = 'active') AS j
        INNER JOIN (SELECT * FROM dripline.leads FINAL WHERE deleted = 0) AS l
            ON l.log = j.log AND l.lead = j.lead AND l.watermark = j.watermark
        GROUP BY campaign
    )
SELECT
    if(f.campaign != '', f.campaign, r.campaign) AS campaign,
    toInt64(f.entered) AS entered,
    toInt64(r.active) AS active,
    toInt64(f.completed) AS completed,
    toInt64(f.left) AS left,
    entered - active - completed - left AS difference
FROM flows AS f
FULL JOIN running AS r ON r.campaign = f.campaign
