-- Grain: one row per campaign and variant: `all` (who was not held out), each branch of each split; beside it the campaign's hold-out
-- Key: campaign, split, variant
-- Source: `journey_facts`; `journeys` for who is held out
-- Dedup: reads FINAL
-- Rebuild: none: a view holds nothing
CREATE VIEW IF NOT EXISTS dripline.conversions_by_variant AS
WITH
    held AS (
        SELECT log, journey FROM dripline.journeys FINAL WHERE held_out = 1
        UNION DISTINCT
        SELECT log, journey FROM dripline.journey_facts FINAL
        WHERE fact = 'action_suppressed' AND JSONExtractString(detail, 'reason') = 'holdout'
    ),
    arms AS (
        SELECT
            log,
            journey,
            campaign,
            countIf(fact = 'converted') > 0 AS converted,
            (log, journey) IN (SELECT log, journey FROM held) AS held_out,
            groupUniqArrayIf(
                (toString(step), JSONExtractString(detail, 'branch')), fact = 'split_assigned'
            ) AS splits
        FROM dripline.journey_facts FINAL
        WHERE journey != ''
        GROUP BY log, journey, campaign
        HAVING countIf(fact = 'entered') > 0
    ),
    controls AS (
        SELECT campaign, count() AS n, countIf(converted) AS c
        FROM arms WHERE held_out GROUP BY campaign
    ),
    treated AS (
        SELECT
            campaign,
            variant.1 AS split,
            variant.2 AS variant_name,
            count() AS n,
            countIf(converted) AS c
        FROM arms
        ARRAY JOIN arrayConcat([('', 'all')], splits) AS variant
        WHERE NOT held_out
        GROUP BY campaign, split, variant_name
    )
SELECT
    t.campaign AS campaign,
    t.split AS split,
    t.variant_name AS variant,
    t.n AS entered,
    t.c AS converted,
    t.c / t.n AS rate,
    h.n AS holdout_entered,
    h.c AS holdout_converted,
    h.c / nullIf(h.n, 0) AS holdout_rate,
    rate / nullIf(holdout_rate, 0) - 1 AS lift,
    rate - holdout_rate AS difference,
    -- 95 % interval of the difference of two proportions, unpooled (normal approximation)
    1.959964 * sqrt(rate * (1 - rate) / t.n + holdout_rate * (1 - holdout_rate) / h.n) AS margin,
    difference - margin AS difference_low,
    difference + margin AS difference_high
FROM treated AS t
LEFT JOIN controls AS h ON h.campaign = t.campaign
