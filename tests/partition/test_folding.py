"""The plain fold, and `verify`, which compares a changelog with it."""

from __future__ import annotations

from typing import Any

import pytest

from schemas import topics
from schemas.changes import Change, digest_of
from schemas.errors import Halt
from schemas.records import ChangeMarker
from schemas.state import MARKER_KEY, Lead, decode, encode
from streams.engine.registry import Registries
from streams.partition import folding
from streams.partition.folding import Fold, Folded, fold
from streams.partition.verifying import Difference, Verdict, verify
from streams.ports import Produce, StoredRecord
from tests.partition.driving import SECRET, Driver, T, event, page, record, toy

LOG = [
    event(0, "Point"),
    event(1, "Send", "bob"),
    page(2),
    StoredRecord(3, T, b"ana", b"?", ()),
    event(4, "Told"),
    event(5, "Explode", "carl"),
    event(6, "Point", "carl"),
    event(7, "Block"),
    event(8, "Point"),
]


def plain(log: list[StoredRecord], **how: Any) -> Folded:
    return fold(log, how.pop("registries", Registries()), secret=SECRET, handle=toy, **how)


def written(log: list[StoredRecord], flush_at: tuple[int, ...]) -> list[tuple[bytes, bytes | None]]:
    """The changelog of an owner that flushed after these offsets."""
    driver = Driver()
    driver.start()
    for raw in log:
        for output in driver.receive(raw):
            if isinstance(output, Produce):
                driver.partition.acknowledged(output.ticket, -1)
        driver.outputs = []
        if raw.offset in flush_at:
            driver.settle()
    return [(one.key or b"", one.value) for one in driver.changelog]


def verdict(
    changelog: list[tuple[bytes, bytes | None]], log: list[StoredRecord] = LOG, **how: Any
) -> Verdict:
    usual = {"number": 0, "partitions": 1, "secret": SECRET, "handle": toy}
    return verify(changelog, log, Registries(), **{**usual, **how})


def test_the_fold_says_what_the_partition_says() -> None:
    driver = Driver()
    driver.start()
    driver.receive(*LOG)
    folded = plain(LOG)
    assert folded.effects.commands == driver.produced(topics.COMMANDS)
    assert folded.effects.facts == driver.produced(topics.JOURNEY_FACTS)
    assert folded.effects.dead_letters == driver.produced(topics.DEAD_LETTERS)
    assert folded.effects.suppressions == driver.produced(topics.SUPPRESSIONS)
    driver.settle()
    assert folded.states == {one.key: one.value for one in driver.changelog[:-1]}
    assert {key: decode(value).points for key, value in folded.states.items()} == {
        b"ana": 3, b"bob": 1, b"carl": 0,
    }  # fmt: skip


def test_many_leads_do_not_all_stay_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    log = [event(o, "Point", f"l{o % 7}") for o in range(40)]
    at_once = plain(log).states
    monkeypatch.setattr(folding, "DECODED_LEADS", 3)
    one = Fold(0, 1, Registries(), secret=SECRET, handle=toy)
    for raw in log:
        one.take(raw)
        assert len(one._decoded) <= 3
    assert one.states() == at_once


def test_a_marker_beyond_the_changes_ends_the_fold() -> None:
    with pytest.raises(Halt, match="campaign-changes ends at -1"):
        plain([record(0, ChangeMarker(3), None)])


def test_the_change_in_force_and_its_time() -> None:
    registries = Registries()
    for number in (2, 5):
        document = {"list": f"l{number}"}
        registries.append(
            number, Change("list", f"l{number}", "publish", document, digest_of(document))
        )
    log = [record(0, ChangeMarker(5), None, T), record(1, ChangeMarker(2), None, T + 1)]
    folded = plain(log, registries=registries)
    assert (folded.change, folded.changes, len(folded.effects.facts)) == (5, {5: T}, 1)


# verify


@pytest.mark.parametrize("flush_at", [(8,), (1, 4, 8), (0, 1, 2, 3, 4, 5, 6, 7, 8)])
def test_a_true_changelog_agrees(flush_at: tuple[int, ...]) -> None:
    found = verdict(written(LOG, flush_at))
    assert found.agrees
    assert (found.watermark, found.leads, found.records) == (8, 3, 9)
    assert (found.quarantined, found.older) == (["carl"], [])


def test_the_log_may_go_on_behind_the_marker() -> None:
    found = verdict(written(LOG, (4,)))
    assert found.agrees
    assert (found.watermark, found.records) == (4, 5)


def test_a_lead_that_is_ahead_of_the_marker_is_folded_as_far() -> None:
    """A flush of which the marker is missing, or older states that compaction took."""
    changelog = written(LOG, (4, 8))
    cut = [one for n, one in enumerate(changelog) if one[0] != MARKER_KEY or n < 4]
    found = verdict(cut)
    assert found.watermark == 4
    assert found.agrees
    assert found.quarantined == ["carl"]


def test_names_the_lead_and_field_that_differ() -> None:
    changelog = written(LOG, (8,))
    wrong = decode(dict(changelog)[b"ana"] or b"")
    wrong.points = 9
    for key, value, difference in [
        (b"ana", encode(wrong, 8), Difference("ana", "points", 9, 3)),
        (b"bob", encode(Lead(clock=T + 1, created_at=T + 1, points=1), 0),
         Difference("bob", "watermark", 0, 1)),
        (b"zoe", encode(Lead(), 8), Difference("zoe", "lead", True, False)),
    ]:  # fmt: skip
        assert verdict([*((k, v) for k, v in changelog if k != key), (key, value)]).differences == [
            difference
        ]
    assert verdict([one for one in changelog if one[0] != b"bob"]).differences == [
        Difference("bob", "lead", False, True)
    ]


def test_a_log_that_ends_before_the_marker_differs() -> None:
    found = verdict(written(LOG, (8,)), LOG[:7])
    assert Difference("", "log_end", 8, 6) in found.differences


def test_leads_from_before_the_logs_start_are_listed_apart() -> None:
    found = verdict(written(LOG, (8,)), LOG[1:], log_start=1)
    assert found.agrees
    assert found.older == ["ana"]
    assert verdict(written(LOG, (8,)), LOG[1:]).differences


def test_an_empty_changelog_agrees_with_nothing_handled() -> None:
    found = verdict([])
    assert (found.agrees, found.watermark, found.records) == (True, -1, 0)
