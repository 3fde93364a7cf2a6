"""The format of scenario files: campaign-language, "Scenarios", sentence by sentence."""

import pytest

from tests.simulation.scenarios import CAMPAIGN, lines, run

HELLO = "{at: 2026-01-05T10:00:00Z, lead: ana, send_email: hello}"


@pytest.mark.parametrize(
    "text",
    [
        "then: []",
        "then: [{at: 2026-01-05T10:00:00.001Z, lead: ana, send_email: hello}]",
        "then: [{at: 2026-01-05T10:00:00Z, lead: ana, send_email: other}]",
        "then: [{at: 2026-01-05T10:00:00Z, lead: ana, step: other}]",
        "then: [{at: 2026-01-05T10:00:00Z, lead: ben, send_email: hello}]",
        "then: [{at: 2026-01-05T10:00:00Z, lead: ana, call_webhook: hello}]",
        "then: [{at: 2026-01-05T10:00:00Z, lead: ana, send_email: hello, run: 2}]",
        f"then: [{HELLO}, {HELLO}]",
        "suppressed: [{at: 2026-01-05T10:00:00Z, lead: ana, step: mail, reason: unsubscribed}]",
        "facts: [{lead: ana, fact: late_event}]",
        "facts: [{lead: ana, fact: entered, trigger: called}]",
        "facts: [{lead: ana, fact: entered, no_such_field: 1}]",
        "facts: [{lead: ana, fact: entered, detail: {trigger: called}}]",
        "never: [{lead: ana, fact: entered}]",
        "never: [{fact: action_issued, template: hello}]",
        "finally: [{lead: ana, points: 5}]",
        "finally: [{lead: ana, lists: [customers]}]",
        "finally: [{lead: ana, tags: [vip]}]",
        "finally: [{lead: ana, traits: {email: other@example.com}}]",
        "finally: [{lead: ana, unsubscribed: [email]}]",
        "finally: [{lead: ana, journeys: {nurture: completed}}]",
        "finally: [{lead: ana, journeys: {nurture: none}}]",
        "finally: [{lead: ana, journeys: {nurture: [active, active]}}]",
        "finally: [{lead: ben, journeys: {nurture: active}}]",
        "waiting: []",
        "waiting: [{lead: ana, step: 'steps[1]', due: null}]",
        "waiting: [{lead: ana, step: mail, due: 2026-01-06T10:00:00Z}]",
        "waiting: [{lead: ana, step: 'steps[1]'}, {lead: ana, step: 'steps[1]'}]",
        "waiting: [{lead: ben, step: 'steps[1]'}]",
        "lint: [{code: unknown-key}]",
    ],
)
def test_what_is_not_so_fails(text: str) -> None:
    result = run(text)

    assert not result.passed
    assert result.differences[0].part == text.split(":")[0]


@pytest.mark.parametrize(
    "text",
    [
        "from: 2026-01-05T10:00:00Z",
        f"then: [{HELLO}]",
        "then: [{at: 2026-01-05T11:00:00+01:00, lead: ana, send_email: hello}]",
        "then: [{at: 2026-01-05T10:00:00Z, lead: ana, step: mail}]",
        "then: [{lead: ana, step: mail, send_email: hello, campaign: nurture, run: 1}]",
        "suppressed: []",
        "facts: [{lead: ana, fact: entered, campaign: nurture, run: 1, version: 1}]",
        "facts: [{lead: ana, fact: entered, trigger: event, at: 2026-01-05T10:00:00Z}]",
        "facts: [{lead: ana, fact: waiting, due: 2026-01-06T10:00:00Z}]",
        "facts: [{lead: ana, fact: action_issued, detail: {template: hello}}]",
        "never: [{lead: ana, fact: completed}, {lead: ben, fact: entered}]",
        "finally: [{lead: ana, points: 0, lists: [], tags: [], journeys: {nurture: active}}]",
        "finally: [{lead: ana, journeys: {nurture: [active]}}, {lead: ben, points: 0}]",
        "finally: [{lead: ana, journeys: {other: none}, traits: {missing: null}}]",
        "waiting: [{lead: ana, step: 'steps[1]', due: 2026-01-06T10:00:00Z}]",
        "lint: []",
    ],
)
def test_what_is_so_passes(text: str) -> None:
    assert lines(run(text)) == []


def test_differences_show_expected_and_actual_side_by_side() -> None:
    result = run("then: [{at: 2026-01-05T09:00:00Z, lead: ana, send_email: early}, " + HELLO + "]")

    assert lines(result) == [
        "then, lead ana:",
        "  - 2026-01-05T09:00:00.000Z send_email early   expected, did not happen",
        "    2026-01-05T10:00:00.000Z send_email hello at mail",
    ]


def test_order_matters_per_lead_only() -> None:
    base = CAMPAIGN.replace("when: [", "when: [{at: 2026-01-05T09:00:00Z, lead: ben, event: X}, ")
    both = """
        campaign:
          campaign: two
          enter: [{event: Signed Up}, {event: X}]
          steps: [{call_webhook: {url: 'https://example.com/1'}},
                  {call_webhook: {url: 'https://example.com/2'}}]
        then:
    """
    rows = [
        "  - {lead: ana, call_webhook: 'https://example.com/1'}\n",
        "  - {lead: ana, call_webhook: {url: 'https://example.com/2'}}\n",
        "  - {lead: ben, call_webhook: 'https://example.com/1'}\n",
        "  - {lead: ben, call_webhook: 'https://example.com/2'}\n",
    ]
    indent = " " * 8

    in_order = run(both.rstrip(" ") + "".join(indent + row for row in rows), base)
    swapped = run(both.rstrip(" ") + "".join(indent + rows[i] for i in (1, 0, 2, 3)), base)

    assert in_order.passed, lines(in_order)
    assert not swapped.passed


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("colour: green", "colour"),
        ("given: [{lead: ana, colour: green}]", "given[0]"),
        ("given: [{traits: {}}]", "given[0]"),
        ("given: [{lead: ana}, {lead: ana}]", "given[1].lead"),
        ("when: [{at: 2026-01-05T10:00:00Z, lead: ana, event: X, colour: 1}]", "when[0].colour"),
        ("when: [{at: 2026-01-05T10:00:00, lead: ana, event: X}]", "when[0].at"),
        ("when: [{lead: ana, event: X}]", "when[0].at"),
        ("when: [{at: 2026-01-05T10:00:00Z, event: X}]", "when[0]"),
        ("when: [{at: 2026-01-05T10:00:00Z, lead: ana}]", "when[0]"),
        ("when: [{at: 2026-01-05T10:00:00Z, lead: ana, event: X, page: /}]", "when[0]"),
        ("when: [{at: 2026-01-05T10:00:00Z, lead: ana, becomes: ben}]", "when[0].becomes"),
        ("when: [{at: 2026-01-05T10:00:00Z, campaign: nurture, do: pause}]", "when[0].do"),
        ("when: [{at: 2026-01-05T10:00:00Z, campaign: nurture, do: publish}]", "when[0].document"),
        ("when: [{at: 2026-01-05T10:00:00Z, lead: ana, outcome: lost, step: mail}]",
         "when[0].outcome"),
        ("when: [{at: 2026-01-05T10:00:00Z, lead: ana, outcome: failed, step: mail}]", "when[0]"),
        ("from: 2026-01-06T10:00:00Z", "when[0]"),
        ("until: 2026-01-04T10:00:00Z", "until"),
        ("then: [{at: 2026-01-05T10:00:00Z, lead: ana}]", "then[0]"),
        ("then: [{at: soon, lead: ana, step: mail}]", "then[0].at"),
        ("then: [{lead: ana, step: mail, reason: x}]", "then[0].reason"),
        ("suppressed: [{lead: ana, step: mail, cause: x}]", "suppressed[0].cause"),
        ("facts: [{lead: ana}]", "facts[0]"),
        ("finally: [{lead: ana, colour: green}]", "finally[0].colour"),
        ("waiting: [{lead: ana, colour: green}]", "waiting[0].colour"),
        ("lint: [{colour: green}]", "lint[0].colour"),
        ("campaigns: [missing.yaml]", "cannot read missing.yaml"),
        ("campaigns: [{list: no-campaign}]", "campaigns[0]"),
    ],
)  # fmt: skip
def test_what_cannot_be_run_is_told_with_its_place(text: str, place: str) -> None:
    result = run(text)

    assert [difference.part for difference in result.differences] == ["scenario"]
    assert lines(result)[0].startswith(place)


def test_campaigns_and_lists_come_from_paths_too() -> None:
    files = {
        "../campaigns/a.yaml": "{campaign: a, enter: [{event: Go}], steps: [{add_tags: a}]}",
        "../lists/b.yaml": "{list: b}",
    }

    result = run(
        """
        campaigns:
          - ../campaigns/a.yaml
          - {campaign: c, enter: [{event: Go}], steps: [{add_tags: c}]}
        lists: [../lists/b.yaml]
        when: [{at: 2026-01-05T10:00:00Z, lead: ana, event: Go}]
        finally: [{lead: ana, tags: [a, c]}]
        """,
        base="",
        files=files,
    )

    assert result.passed, lines(result)


def test_from_is_the_first_row_by_default_and_until_the_last_time_named() -> None:
    result = run(
        """
        when: []
        from: 2026-01-05T09:00:00Z
        given: [{lead: ana, traits: {email: ana@example.com}, in: [nurture]}]
        then: [{at: 2026-01-05T09:00:00Z, lead: ana, send_email: hello}]
        facts: [{lead: ana, fact: completed, at: 2026-01-06T09:00:00Z}]
        """
    )

    assert result.passed, lines(result)


def test_until_is_inclusive() -> None:
    before = run("until: 2026-01-06T09:59:59.999Z\nfinally: [{lead: ana, points: 0}]")
    at = run("until: 2026-01-06T10:00:00.000Z\nfinally: [{lead: ana, points: 5}]")

    assert before.passed, lines(before)
    assert at.passed, lines(at)


def test_an_error_in_a_document_fails_a_scenario_that_does_not_expect_it() -> None:
    broken = """
        campaign: {campaign: nurture, enter: [{event: Go}], steps: [{wait: soon}]}
        when: []
    """

    silent = run(broken)
    expecting = run(broken + "    lint: [{code: bad-duration, path: 'steps[0].wait'}]")

    assert silent.differences[0].part == "lint"
    assert expecting.passed, lines(expecting)


def test_everything_given_is_there_before_the_first_instant() -> None:
    result = run(
        """
        campaign:
          campaign: looks
          enter: [{event: Go}]
          only_if: lead.points == 7 and lead.plan == "pro"
          steps: [{if: '"vip" in lead.tags and "customers" in lead.lists', then: [{add_tags: ok}]}]
        given:
          - lead: ana
            traits: {plan: pro}
            points: 7
            tags: [vip]
            lists: [customers]
            unsubscribed: [email]
        when: [{at: 2026-01-05T10:00:00Z, lead: ana, event: Go}]
        finally: [{lead: ana, tags: [vip, ok], unsubscribed: [email]}]
        never: [{lead: ana, fact: lead_changed, what: points}]
        """
    )

    assert result.passed, lines(result)


def test_a_row_arrives_later_than_it_happened() -> None:
    result = run(
        """
        when:
          - {at: 2026-01-01T00:00:00Z, arrives: 2026-01-05T10:00:00Z, lead: ana, event: Signed Up}
        then: [{at: 2026-01-05T10:00:00Z, lead: ana, send_email: hello}]
        """
    )

    assert result.passed, lines(result)


def test_rows_carry_context() -> None:
    result = run(
        """
        campaign:
          campaign: zones
          enter: [{event: Go, where: event.context.locale == "de"}]
          steps: [{add_tags: german}]
        when:
          - {at: 2026-01-05T10:00:00Z, lead: ana, event: Go, context: {locale: de}}
          - {at: 2026-01-05T10:00:00Z, lead: ben, event: Go, context: {locale: en}}
        finally: [{lead: ana, tags: [german]}, {lead: ben, tags: []}]
        """
    )

    assert result.passed, lines(result)


def test_without_an_outcome_an_action_stays_open() -> None:
    open_one = run("never: [{lead: ana, fact: outcome}]")
    told = run(
        """
        when:
          - {at: 2026-01-05T10:00:00Z, lead: ana, event: Signed Up}
          - {at: 2026-01-05T10:05:00Z, lead: ana, outcome: delivered, step: mail}
        facts: [{lead: ana, fact: outcome, result: delivered, at: 2026-01-05T10:05:00Z}]
        """
    )

    assert open_one.passed, lines(open_one)
    assert told.passed, lines(told)


def test_a_record_that_becomes_a_dead_letter_ends_the_scenario() -> None:
    event = f"{{at: 2026-01-05T10:00:00Z, lead: ana, event: X, properties: {{a: {'x' * 70_000}}}}}"

    result = run(f"when: [{event}]")

    assert lines(result)[0].startswith("when[0]: was not taken: too_large")
