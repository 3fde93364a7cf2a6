"""Consent and deliverability: who may be written to, and what must be told to the sinks."""

from __future__ import annotations

import pytest

from schemas import facts as f
from streams.engine import bounds
from streams.engine.turn import Block
from tests.engine.folding import Log, ms

GO = "2026-01-05T10:00"
SENDS = """
campaign: c
enter: [{event: Go}]
reentry: after_exit
steps: [{send_email: hello, id: hello}]
"""


def ana(*documents: str, **traits: object) -> Log:
    log = Log(*documents)
    log.identify("2026-01-05T09:00", **(traits or {"email": "ana@example.com"}))
    return log


def suppressed(log: Log) -> list[str]:
    return [fact.reason for fact in log.told(f.ActionSuppressed)]


def test_an_unsubscribe_blocks_the_address_and_suppresses_messages() -> None:
    log = ana(SENDS)
    handled = log.track(GO, "Unsubscribed", {"channel": "email"})
    assert handled.blocks == [Block("email", "ana@example.com", "unsubscribed", ms(GO))]
    assert not log.track("2026-01-05T10:01", "Unsubscribed").effect  # email is the default
    log.track("2026-01-05T10:02", "Go")
    assert suppressed(log) == ["unsubscribed"]
    assert log.commands == []


def test_to_subscribe_lifts_it() -> None:
    log = ana(SENDS)
    log.by_hand(GO, "unsubscribe", "email")
    handled = log.by_hand("2026-01-05T10:01", "subscribe", "email")
    assert handled.blocks == [Block("email", "ana@example.com", None, ms("2026-01-05T10:01"))]
    log.track("2026-01-05T10:02", "Go")
    assert len(log.commands) == 1


def test_transactional_passes_consent_and_nothing_else() -> None:
    log = ana(SENDS.replace("id: hello", "transactional: true"))
    log.track(GO, "Unsubscribed")
    log.track("2026-01-05T10:02", "Go")
    assert [command.transactional for command in log.commands] == [True]
    log.track("2026-01-05T10:03", "Email Bounced")
    log.identify("2026-01-05T10:04", email=None)
    log.track("2026-01-05T10:05", "Go")
    assert suppressed(log) == ["no_address"]


@pytest.mark.parametrize("address", [None, "ana@example.com", " Ana@Example.COM"])
def test_a_bounce_holds_until_another_address_is_given(address: str | None) -> None:
    log = ana(SENDS)
    handled = log.track(GO, "Email Bounced", {"email": address} if address else {})
    assert handled.blocks == [Block("email", "ana@example.com", "bounced", ms(GO))]
    for n, email in enumerate(["ana@example.com", None, "ANA@example.com"]):
        log.identify(f"2026-01-05T10:0{n + 1}", email=email)
        log.track(f"2026-01-05T10:0{n + 1}:30", "Go")
    assert suppressed(log) == ["bounced", "no_address", "bounced"]
    log.identify("2026-01-05T11:00", email="ana@example.org")
    log.track("2026-01-05T11:01", "Go")
    assert [command.address for command in log.commands] == ["ana@example.org"]


def test_the_bounce_of_another_address_concerns_nobody() -> None:
    log = ana(SENDS)
    assert not log.track("2026-01-05T09:01", "Email Bounced", {"email": "old@a.example"}).effect
    nobody = ana(SENDS, name="Ana")
    assert not nobody.track("2026-01-05T09:01", "Email Bounced").effect


def test_a_bounced_outcome_counts_like_the_event() -> None:
    log = ana(SENDS)
    log.track(GO, "Go")
    handled = log.outcome("2026-01-05T10:01", log.commands[0], "bounced", address="ana@example.com")
    assert [block.reason for block in handled.blocks] == ["bounced"]
    log.track("2026-01-05T10:02", "Go")
    assert suppressed(log) == ["bounced"]


def test_a_message_written_to_another_address_needs_none_of_the_leads() -> None:
    log = ana(SENDS.replace("id: hello", 'to: "team@example.com"'), name="Ana")
    log.track(GO, "Go")
    (command,) = log.commands
    assert command.address is None
    assert command.settings["to"] == "team@example.com"


@pytest.mark.parametrize(
    ("email", "reason"), [(None, "no_address"), ("", "no_address"), ("  ", "no_address"),
                          (5, "no_address"), (["a@b.c"], "no_address")]
)  # fmt: skip
def test_what_is_no_address(email: object, reason: str) -> None:
    log = ana(SENDS, email=email, name="x")
    log.track(GO, "Go")
    assert suppressed(log) == [reason]


def test_spam_unsubscribes_too() -> None:
    log = ana("{campaign: c, enter: [{unsubscribes: email}], steps: [{add_tags: gone}]}")
    log.track(GO, "Email Marked as Spam")
    assert log.lead is not None
    assert (log.lead.tags, log.lead.blocked) == (["gone"], {"email": "unsubscribed"})


@pytest.mark.parametrize(
    ("trigger", "event", "properties", "fires"),
    [
        ("unsubscribes: email", "Unsubscribed", {"channel": "email"}, True),
        ("unsubscribes: email", "Unsubscribed", {}, True),
        ("unsubscribes: email", "Unsubscribed", {"channel": "sms"}, False),
        ("unsubscribes: any", "Unsubscribed", {"channel": "sms"}, True),
        ("unsubscribes: email", "Email Bounced", {}, False),
        ("bounces: email", "Email Bounced", {}, True),
        ("bounces: any", "Email Bounced", {}, True),
        ("bounces: email", "Unsubscribed", {}, False),
    ],
)
def test_triggers(trigger: str, event: str, properties: dict[str, str], fires: bool) -> None:
    log = ana(f"{{campaign: c, enter: [{{{trigger}}}], steps: [{{wait: 1 day}}]}}")
    log.track(GO, event, properties)
    assert bool(log.journeys()) is fires


def test_an_unsubscribe_by_a_step_and_by_hand_fire_too() -> None:
    document = (
        "{campaign: c, exit: [{unsubscribes: email}], enter: [{event: Go}], steps: [{wait: 1 day}]}"
    )
    log = ana(
        document, "{campaign: u, enter: [{event: Stop}], steps: [{unsubscribe: email}]}"
    )  # fmt: skip
    log.track(GO, "Go")
    handled = log.track("2026-01-05T11:00", "Stop")
    assert log.reasons() == ["exit_trigger"]
    assert [block.reason for block in handled.blocks] == ["unsubscribed"]
    by_hand = ana(document)
    by_hand.track(GO, "Go")
    by_hand.by_hand("2026-01-05T11:00", "unsubscribe", "email")
    assert by_hand.reasons() == ["exit_trigger"]


def test_who_unsubscribes_without_an_address_is_remembered_but_blocks_none() -> None:
    log = Log(SENDS)
    handled = log.track(GO, "Unsubscribed")
    assert handled.effect
    assert handled.blocks == []
    log.identify("2026-01-05T10:01", email="ana@example.com")
    log.track("2026-01-05T10:02", "Go")
    assert suppressed(log) == ["unsubscribed"]


def test_channels_that_only_events_name_have_a_bound() -> None:
    log = ana(SENDS)
    for n in range(bounds.CHANNELS + 5):
        log.track(f"2026-01-05T10:00:{n:02d}", "Unsubscribed", {"channel": f"odd{n}"})
    log.track("2026-01-05T10:01", "Unsubscribed", {"channel": "email"})
    assert log.lead is not None
    assert len(log.lead.blocked) == bounds.CHANNELS + 1
    assert log.lead.blocked["email"] == "unsubscribed"
    assert {fact.limit for fact in log.told(f.LimitReached)} == {"channels"}


def test_historical_unsubscribes_count_and_move_nothing() -> None:
    log = ana(SENDS, "{campaign: u, enter: [{unsubscribes: email}], steps: [{add_tags: no}]}")
    handled = log.track(GO, "Unsubscribed", historical=True)
    assert [block.reason for block in handled.blocks] == ["unsubscribed"]
    log.track("2026-01-05T10:02", "Go")
    assert suppressed(log) == ["unsubscribed"]
    assert log.lead is not None
    assert log.lead.tags == []
