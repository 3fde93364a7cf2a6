"""What becomes of a command: called, tried again, blocked, expired, dead, done."""

from __future__ import annotations

import pytest

from schemas import commands, records
from schemas.errors import Halt
from schemas.ids import partition_of
from streams.delivery.calls import Blocked, Delivered, Later, Never, NotCalled, Unsure
from streams.delivery.partition import DeliveryPartition
from streams.delivery.policy import DAY_MS, HOUR_MS, Policy
from streams.ports import Produce
from tests.delivery.bench import NOW, Bench, hook, mail


def test_a_command_is_called_once_and_its_outcome_told() -> None:
    bench = Bench()

    bench.say(mail())
    assert [call.command for call in bench.calls] == [mail()]
    bench.answer(Delivered("250"))

    assert bench.outcomes == [("delivered", "250")]
    assert bench.committed == 1
    (event,) = bench.events
    assert event.key == b"ana"
    assert dict(event.headers)["schema"] == b"outcome/1"
    outcome = records.DECODERS["outcome/1"].decode(event.value or b"")
    assert isinstance(outcome, records.Outcome)
    assert (outcome.command_id, outcome.journey_id, outcome.step) == (
        mail().id, "journey", "welcome",
    )  # fmt: skip


def test_repeated_commands_are_carried_out_once() -> None:
    bench = Bench()

    bench.say(mail(), mail())
    bench.say(mail())
    bench.answer(Delivered())
    bench.say(mail())
    bench.tick(2_000)
    bench.restart()
    bench.say(mail())

    assert not bench.calls
    assert bench.outcomes == [("delivered", "")]


def test_a_failed_call_is_tried_again_later_and_later_until_it_is_a_dead_letter() -> None:
    policy = Policy(unknown="drop", tries=4, first_ms=1_000, longest_ms=3_000)
    bench = Bench({"email": policy})
    bench.say(mail())
    waits = []

    for _ in range(3):
        bench.answer(Later("status: 450"))
        waited = 0
        while not bench.calls:
            bench.tick(10)
            waited += 10
        waits.append(waited)
    bench.answer(Later("status: 450"))
    bench.tick(HOUR_MS)

    assert 500 <= waits[0] <= 1_010
    assert 1_000 <= waits[1] <= 2_010
    assert 1_500 <= waits[2] <= 3_010
    assert bench.outcomes == [("failed", "status: 450")]
    assert bench.reasons == ["retries_exhausted"]
    (letter,) = bench.letters
    assert letter.value == commands.ENCODE(mail())
    assert dict(letter.headers)["dripline-topic"] == b"commands"
    assert dict(letter.headers)["dripline-offset"] == b"0"
    assert dict(letter.headers)["schema"] == b"command/1"
    assert not bench.calls


def test_retries_are_the_same_after_a_crash() -> None:
    bench, other = Bench(), Bench()
    for one in (bench, other):
        one.say(hook())
        one.answer(Later("status: 503"))
    other.restart()

    for one in (bench, other):
        while not one.calls:
            one.tick(10)

    assert bench.now == other.now
    assert bench.calls[0].attempt == other.calls[0].attempt == 2


def test_the_other_sides_wish_is_honoured() -> None:
    bench = Bench()
    bench.say(hook())

    bench.answer(Later("status: 429", after_ms=60_000))
    bench.tick(59_900)
    assert not bench.calls
    bench.tick(200)

    assert len(bench.calls) == 1


def test_back_off_is_real_time_under_a_fast_clock() -> None:
    bench = Bench(speed=3_600.0)
    bench.say(hook())

    bench.answer(Later("status: 503", after_ms=10_000))
    bench.tick(9_900 * 3_600)
    assert not bench.calls
    bench.tick(200 * 3_600)

    assert len(bench.calls) == 1


def test_a_refusal_is_final() -> None:
    bench = Bench()
    bench.say(mail(1), mail(2))

    bench.answer(Never("550 5.1.1: no such user", bounced=True))
    bench.answer(Never("554 5.7.1: not you"))

    assert [result for result, _ in bench.outcomes] == ["bounced", "failed"]
    assert bench.reasons == ["rejected"]
    bounced = records.DECODERS["outcome/1"].decode(bench.events[0].value or b"")
    assert isinstance(bounced, records.Outcome)
    assert bounced.address == "ana@example.org"


def test_an_unsubscribed_address_is_not_called() -> None:
    bench = Bench()
    bench.block("ana@example.org")

    bench.say(mail(1), mail(2, transactional=True), mail(3, address=" ANA@example.org"))

    assert [call.command.transactional for call in bench.calls] == [True]
    assert bench.outcomes == [("failed", "unsubscribed")] * 2
    assert not bench.letters


def test_who_unsubscribes_between_taking_in_and_start_is_not_called() -> None:
    bench = Bench({"email": Policy(unknown="drop", open_max=1)})
    bench.say(mail(1), mail(2))

    bench.block("ana@example.org")
    bench.answer(Blocked("unsubscribed"))

    assert not bench.calls
    assert bench.outcomes == [("failed", "unsubscribed")] * 2
    assert bench.partition.counts.not_called == {("email", "unsubscribed"): 2}


def test_a_lifted_block_lets_through_and_a_bounced_address_stops_all() -> None:
    bench = Bench()
    bench.block("ana@example.org")
    bench.block("ana@example.org", None)
    bench.block("bo@example.org", "bounced")

    bench.say(mail(1), mail(2, address="bo@example.org", transactional=True))

    assert [call.command.id for call in bench.calls] == [mail(1).id]
    assert bench.outcomes == [("failed", "bounced")]


def test_what_is_too_old_is_not_called() -> None:
    bench = Bench({"email": Policy(unknown="drop", open_max=1)})

    bench.say(mail(1, expires_ms=NOW), mail(2, expires_ms=NOW + 1_000), mail(3, expires_ms=NOW - 1))
    bench.tick(1_001)  # the second one never came to its turn
    bench.answer(Delivered())

    assert bench.outcomes == [("failed", "expired"), ("failed", "expired"), ("delivered", "")]
    assert not bench.letters


def test_a_mail_that_names_no_expiry_has_the_channels_from_when_it_was_due() -> None:
    bench = Bench({"email": Policy(unknown="drop", expires_ms=3_000)})

    bench.say(
        mail(1, due_ms=NOW - 3_001, issued_ms=NOW),
        mail(2, due_ms=NOW - 3_000, issued_ms=NOW),
        mail(3, due_ms=NOW - 3_001, issued_ms=NOW, expires_ms=NOW + 9_000),
    )
    bench.answer(Delivered())
    bench.answer(Delivered())

    assert bench.outcomes == [("failed", "expired"), ("delivered", ""), ("delivered", "")]


def test_a_retry_that_would_come_too_late_expires() -> None:
    bench = Bench()
    bench.say(mail(expires_ms=NOW + 2_000))

    bench.answer(Later("status: 450", after_ms=60_000))
    bench.tick(2_001)

    assert bench.outcomes == [("failed", "expired")]


def test_started_without_result_is_unknown_and_the_policy_decides() -> None:
    policies = {
        "email": Policy(unknown="drop"),
        "webhook": Policy(unknown="resend", first_ms=1_000),
        "sms": Policy(unknown="hold"),
    }
    bench = Bench(policies)
    bench.say(mail(1), hook(2), mail(3, channel="sms"))
    assert len(bench.calls) == 3

    bench.restart()
    bench.tick(2_000)

    assert [(call.command.id, call.attempt) for call in bench.calls] == [(hook(2).id, 2)]
    assert [result for result, _ in bench.outcomes] == ["unknown", "unknown"]
    assert bench.reasons == ["unknown_held"]
    assert bench.partition.counts.unknown == {"email": 1, "webhook": 1, "sms": 1}


def test_an_unsure_answer_is_unknown_as_well() -> None:
    bench = Bench()
    bench.say(mail())

    bench.answer(Unsure("connection: lost after DATA"))

    assert bench.outcomes == [("unknown", "connection: lost after DATA")]


def test_taken_in_and_not_started_is_called_after_a_crash() -> None:
    bench = Bench({"email": Policy(unknown="drop", open_max=1)})
    bench.say(mail(1), mail(2))
    assert [call.command.id for call in bench.calls] == [mail(1).id]

    bench.restart()

    assert [call.command.id for call in bench.calls] == [mail(2).id]


def test_an_outcome_that_was_told_before_the_crash_is_told_again_with_the_same_id() -> None:
    bench = Bench()
    bench.say(mail())
    bench.answer(Delivered())

    bench.restart()

    assert bench.outcomes == [("delivered", ""), ("delivered", "")]
    assert len({dict(event.headers)["id"] for event in bench.events}) == 1


def test_a_drain_starts_nothing_and_leaves_nothing_unknown() -> None:
    bench = Bench({"email": Policy(unknown="drop", open_max=2)})
    bench.say(mail(1), mail(2), mail(3))

    bench.partition.drain()
    delivered = bench.answer(Delivered()).command
    assert not bench.partition.idle
    bench.answer(NotCalled())
    bench.perform(bench.partition.flush())

    assert bench.partition.idle
    assert not bench.calls
    bench.restart()
    others = {mail(n).id for n in (1, 2, 3)} - {delivered.id}
    assert {call.command.id for call in bench.calls} == others
    assert {call.attempt for call in bench.calls} == {1}
    assert bench.outcomes == [("delivered", "")]


def test_more_urgent_commands_go_first() -> None:
    bench = Bench({"email": Policy(unknown="drop", open_max=1)})
    bench.say(mail(1))
    bench.say(mail(2, due_ms=NOW - 1, priority=4), mail(3, priority=9), mail(4, due_ms=NOW - 5))
    order = []

    while bench.calls:
        order.append(bench.answer(Delivered()).command.id)

    assert order == [mail(n).id for n in (1, 3, 4, 2)]


def test_a_command_due_later_waits() -> None:
    bench = Bench()
    bench.say(mail(due_ms=NOW + 5_000))
    bench.tick(4_990)
    assert not bench.calls

    bench.tick(20)

    assert len(bench.calls) == 1


@pytest.mark.parametrize(
    ("schema", "value", "reason"),
    [
        (b"command/9", b"{}", "unknown_schema"),
        (b"command/1", b"\xff\x00", "bad_command"),
        (b"command/1", None, "bad_command"),
        (b"command/1", b'{"id":"x"}', "bad_command"),
        (b"command/1", commands.ENCODE(mail(id="")), "bad_command"),
        (b"command/1", commands.ENCODE(mail(lead="a\nb")), "bad_command"),
        (b"command/1", b"[" * 100_000, "bad_command"),
        (b"command/1", b" " * 2_000_000, "bad_command"),
    ],
)
def test_what_is_no_command_is_a_dead_letter(
    schema: bytes, value: bytes | None, reason: str
) -> None:
    bench = Bench()
    bench.append(value, schema)

    bench.say(mail())

    assert bench.reasons == [reason]
    assert bench.letters[0].value == value
    assert bench.committed == 2
    assert len(bench.calls) == 1


def test_a_command_in_another_leads_partition_is_a_dead_letter() -> None:
    bench = Bench()
    partition = DeliveryPartition(
        1 - partition_of("ana", 2), 2, bench.queues, bench.blocked, now_ms=NOW
    )
    bench.partition = partition
    partition.started(log_start=0, log_end=0, topic_id="t", changelog_end=1)

    bench.say(mail())

    assert bench.reasons == ["wrong_partition"]


def test_a_channel_without_a_sink_fails() -> None:
    bench = Bench()

    bench.say(mail(channel="pigeon"))

    assert bench.outcomes == [("failed", "no sink for pigeon")]
    assert bench.reasons == ["unknown_channel"]


def test_a_dead_letter_that_is_retried_by_hand_is_tried_again_once() -> None:
    bench = Bench()
    bench.say(mail())
    bench.answer(Never("554 5.7.1: not you"))

    bench.say(mail(), headers={"dripline-retry": b"7"})
    bench.say(mail(), headers={"dripline-retry": b"7"})
    assert len(bench.calls) == 1
    bench.answer(Never("554 5.7.1: not you"))
    bench.tick(2_000)
    bench.restart()
    bench.say(mail(), headers={"dripline-retry": b"7"})
    assert not bench.calls
    bench.say(mail(), headers={"dripline-retry": b"8"})
    bench.answer(Delivered())

    assert [result for result, _ in bench.outcomes] == ["failed", "failed", "delivered"]
    ids = {dict(event.headers)["id"] for event in bench.events}
    assert len(ids) == 3
    assert [dict(letter.headers)["dripline-offset"] for letter in bench.letters] == [b"0", b"1"]


def test_a_retry_that_comes_before_the_last_result_is_told_is_not_lost() -> None:
    bench = Bench()
    bench.say(mail())
    call = bench.calls[0]
    outputs = bench.partition.called(call.key, Never("554 5.7.1: not you"), bench.now)
    (finished,) = outputs
    assert isinstance(finished, Produce)
    told = bench.partition.acknowledged(finished.ticket, len(bench.changelog))

    bench.changelog += finished.records
    for letter in (b"7", b"7", b"8"):
        bench.say(mail(), headers={"dripline-retry": letter})
    bench.calls.clear()
    bench.perform(told)

    assert len(bench.calls) == 1
    bench.answer(Delivered())
    bench.tick(2_000)
    assert [result for result, _ in bench.outcomes] == ["failed", "delivered"]
    assert bench.committed == 4
    assert bench.partition.idle


def test_results_are_forgotten_after_the_horizon() -> None:
    bench = Bench()
    bench.say(mail())
    bench.answer(Delivered())
    bench.tick(2_000)

    bench.tick(16 * DAY_MS)
    bench.tick(2_000)

    newest = {record.key: record.value for record in bench.changelog}
    assert newest[mail().id.encode()] is None
    bench.say(mail())  # a worker that slept for weeks
    assert bench.outcomes[1:] == [("failed", "too_old")]
    assert not bench.calls


def test_a_webhook_is_never_too_old() -> None:
    bench = Bench()
    bench.tick(20 * DAY_MS)

    bench.say(hook())

    assert len(bench.calls) == 1


def test_too_many_open_sends_hold_up_the_intake() -> None:
    bench = Bench({"email": Policy(unknown="drop", open_max=1)}, open_max=10)

    bench.say(*(mail(n) for n in range(10)))
    assert bench.partition.full
    bench.answer(Delivered())
    assert bench.partition.full
    bench.answer(Delivered())
    bench.answer(Delivered())

    assert not bench.partition.full


def test_a_gap_halts() -> None:
    bench = Bench()
    bench.append(commands.ENCODE(mail(1)))
    bench.append(commands.ENCODE(mail(2)))

    with pytest.raises(Halt, match="offset 0 was to come, 1 came"):
        bench.partition.received(bench.log[1:])


def test_transaction_markers_are_no_gap() -> None:
    bench = Bench()
    bench.append(None)
    bench.read = 1
    bench.partition.absent(0, 1)
    bench.say(mail())
    bench.tick(2_000)

    assert bench.committed == 2


@pytest.mark.parametrize(
    ("log", "message"),
    [
        ({"log_start": 5, "log_end": 9, "topic_id": "t"}, "commands 1 to 4 .* were deleted"),
        ({"log_start": 0, "log_end": 0, "topic_id": "t"}, "ends at 0, but 1 of it"),
        ({"log_start": 0, "log_end": 9, "topic_id": "u"}, "another topic"),
    ],
)
def test_another_log_than_expected_halts(log: dict[str, object], message: str) -> None:
    bench = Bench()
    bench.say(mail())
    partition = DeliveryPartition(0, 1, bench.queues, bench.blocked, now_ms=NOW)
    for record in bench.changelog:
        partition.recovered(record.key or b"", record.value)

    with pytest.raises(Halt, match=message):
        partition.started(changelog_end=len(bench.changelog), **log)  # type: ignore[arg-type]


def test_first_start_behind_the_logs_begin_halts_unless_told() -> None:
    bench = Bench()
    partition = DeliveryPartition(0, 1, bench.queues, bench.blocked, now_ms=NOW)

    with pytest.raises(Halt, match="--from-log-start"):
        partition.started(log_start=5, log_end=9, topic_id="t", changelog_end=1)
    begin = partition.started(
        log_start=5, log_end=9, topic_id="t", changelog_end=1, from_log_start=True
    )

    assert begin == 5


def test_the_changelog_of_others_is_refused() -> None:
    bench = Bench()

    with pytest.raises(Halt, match="cannot be read"):
        bench.partition.recovered(mail().id.encode(), b"\xc1")
    with pytest.raises(Halt, match="not ours"):
        bench.partition.recovered(b"lead", b"x")
